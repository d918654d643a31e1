"""Digests: typed, validated where they are parsed, never a bare string.

Objects in a store have a BLAKE3 address: `ObjectId`, 32 raw bytes. A `Digest` says which
algorithm it belongs to, since adopted data (of a DVC or Git LFS repository) carries another one.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple
from typing import NewType

from dvtool.errors import FormatError

ObjectId = NewType("ObjectId", bytes)
"""The BLAKE3 digest of an object, 32 raw bytes: its address in a store.

Of adopted data: the number of its algorithm and the raw digest. No store holds anything under such a name; what it
stands for is learned when the bytes are read.
"""

OBJECT_ID_BYTES = 32


class Algorithm(Enum):
    """A hash that may stand in a pointer or a tree. ``code`` is its number on disk.

    ``MD5TEXT`` is what DVC used before 3.0: MD5 with each CR LF of a text read as LF.
    """

    BLAKE3 = ("blake3", 1, 32)
    MD5 = ("md5", 2, 16)
    SHA256 = ("sha256", 3, 32)
    MD5TEXT = ("md5text", 4, 16)

    def __init__(self, label: str, code: int, size: int) -> None:
        self.label = label
        self.code = code
        self.size = size


_BY_LABEL = {algorithm.label: algorithm for algorithm in Algorithm}
_BY_CODE = {algorithm.code: algorithm for algorithm in Algorithm}
_TEXT = re.compile(r"([a-z0-9]+):([0-9a-f]+)", re.ASCII)


def algorithm_of_code(code: int) -> Algorithm:
    """The algorithm with that number on disk; raises `FormatError`."""
    try:
        return _BY_CODE[code]
    except KeyError:
        raise FormatError(f"unknown digest algorithm number {code}") from None


class Digest(NamedTuple):
    """A digest with its algorithm. Text form: ``blake3:<64 lower-case hex digits>``."""

    algorithm: Algorithm
    raw: bytes

    def __str__(self) -> str:
        return f"{self.algorithm.label}:{self.raw.hex()}"

    @property
    def oid(self) -> ObjectId:
        """The address in a store; of adopted data a name that no store knows."""
        if self.algorithm is Algorithm.BLAKE3:
            return ObjectId(self.raw)
        return ObjectId(bytes((self.algorithm.code,)) + self.raw)


def is_adopted(oid: bytes) -> bool:
    """Whether this names adopted data: nothing that a store could hold."""
    return len(oid) != OBJECT_ID_BYTES


def as_digest(oid: ObjectId) -> Digest:
    """The digest that an address stands for."""
    return Digest(algorithm_of_code(oid[0]), oid[1:]) if is_adopted(oid) else Digest(Algorithm.BLAKE3, oid)


def parse_digest(text: str) -> Digest:
    """Read the text form; anything else, upper case included, raises `FormatError`."""
    match = _TEXT.fullmatch(text)
    algorithm = _BY_LABEL.get(match[1]) if match else None
    if match is None or algorithm is None or len(match[2]) != 2 * algorithm.size:
        raise FormatError(f"{text[:80]!r} is not a digest: expected blake3: and 64 lower-case hexadecimal digits")
    return Digest(algorithm, bytes.fromhex(match[2]))
