"""Content addresses.

BLAKE3 is the address of every stored object (J. O'Connor, J.-P. Aumasson, S. Neves,
Z. Wilcox-O'Hearn, 2020). xxh3 is faster and no address: a second preimage of a given file
takes under a millisecond.
"""

from __future__ import annotations

from typing import Protocol

from blake3 import blake3

from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.digest import ObjectId


class Hasher(Protocol):
    """What hashlib and blake3 objects have in common."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object: ...

    def digest(self) -> bytes: ...


def object_id(data: bytes | memoryview) -> ObjectId:
    """The address of an object held in memory."""
    return ObjectId(blake3(data).digest())


def new_hasher(algorithm: Algorithm = Algorithm.BLAKE3) -> Hasher:
    """A fresh incremental hasher."""
    if algorithm is Algorithm.BLAKE3:
        return blake3()
    # OpenSSL costs 3 ms to load, and only adopted data needs it.
    if algorithm is Algorithm.MD5TEXT:
        from dvtool.hashing.md5text import Md5Text

        return Md5Text()
    import hashlib

    return hashlib.md5(usedforsecurity=False) if algorithm is Algorithm.MD5 else hashlib.sha256()


def digest_of(data: bytes, algorithm: Algorithm = Algorithm.BLAKE3) -> Digest:
    """The digest of bytes held in memory."""
    hasher = new_hasher(algorithm)
    hasher.update(data)
    return Digest(algorithm, hasher.digest())


def pack_id(pack_class: int, table: bytes) -> ObjectId:
    """The name of a pack: BLAKE3 of its class and its table."""
    return object_id(bytes((pack_class,)) + table)
