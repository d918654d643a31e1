"""When the files of one store were last read whole and found right: see ``docs/formats/check-times.md``."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from operator import lt

from xxhash import xxh3_64_intdigest
from xxhash import xxh3_128_digest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError

_MAGIC = b"DVTCHEK1"
_HEAD = struct.Struct("<8sQ")
_ROW = struct.Struct("<16sQ")
_TAIL = struct.Struct("<Q")
NAME_BYTES = 16


class CheckTimes:
    """24 bytes a file in memory. *data*: the rows as they stand in the file."""

    def __init__(self, rows: bytes = b"") -> None:
        self._rows = rows
        self._count = len(rows) // _ROW.size

    def __len__(self) -> int:
        return self._count

    def when(self, name: str) -> int | None:
        """Unix seconds of the last whole check of the file with that name in its store."""
        key = _key(name)
        at = bisect_left(range(self._count), key, key=self._name_at)
        if at == self._count or self._name_at(at) != key:
            return None
        seconds: int = _ROW.unpack_from(self._rows, at * _ROW.size)[1]
        return seconds

    def _name_at(self, number: int) -> bytes:
        at = number * _ROW.size
        return self._rows[at : at + NAME_BYTES]

    def updated(self, present: Iterable[str], checked: Mapping[str, int]) -> bytes:
        """The file as it is to be written: only names that are *present*, those in *checked* with their new time."""
        return encode_check_times(self._rows_of(present, checked))

    def _rows_of(self, present: Iterable[str], checked: Mapping[str, int]) -> Iterator[tuple[str, int]]:
        for name in present:
            when = checked.get(name)
            if when is None:
                when = self.when(name)
            if when is not None:
                yield name, when


def encode_check_times(rows: Iterable[tuple[str, int]]) -> bytes:
    """The file for names and Unix seconds."""
    packed = sorted({_ROW.pack(_key(name), max(0, when)) for name, when in rows})
    body = _HEAD.pack(_MAGIC, len(packed)) + b"".join(packed)
    return body + _TAIL.pack(xxh3_64_intdigest(body))


def decode_check_times(data: bytes, where: str) -> CheckTimes:
    """Raises `FormatError`, `IntegrityError`."""
    if len(data) < _HEAD.size + _TAIL.size or data[:8] != _MAGIC:
        raise FormatError(f"{where}: not a list of check times")
    _, count = _HEAD.unpack_from(data)
    if len(data) != _HEAD.size + count * _ROW.size + _TAIL.size:
        raise FormatError(f"{where}: the list of check times is truncated or damaged")
    body = data[: -_TAIL.size]
    if _TAIL.pack(xxh3_64_intdigest(body)) != data[-_TAIL.size :]:
        raise IntegrityError(f"{where}: does not match its checksum")
    rows = body[_HEAD.size :]
    names = [rows[at : at + NAME_BYTES] for at in range(0, len(rows), _ROW.size)]
    if not all(map(lt, names, names[1:])):
        raise FormatError(f"{where}: the list of check times is not in order")
    return CheckTimes(rows)


def _key(name: str) -> bytes:
    return xxh3_128_digest(name.encode("ascii"))
