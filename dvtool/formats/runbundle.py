"""Many entries of the run cache in one file, sorted by key: see ``docs/formats/run-cache.md``."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from mmap import mmap

from dvtool.formats.runentry import KEY_DIGITS
from dvtool.formats.runentry import MAX_BYTES


def join_entries(lines: Iterable[bytes]) -> bytes:
    """One file of *lines*, each key once: of several lines of a key the last in the order of their bytes."""
    return b"".join(line for _, line in sorted({line[:KEY_DIGITS]: line for line in sorted(lines)}.items()))


class Bundle:
    """Looks up entries by key. The lines are as they are: whoever decodes one proves it."""

    def __init__(self, data: bytes | mmap) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def find(self, key: str) -> bytes | None:
        """The line of *key*, or None."""
        data, wanted = self._data, key.encode("ascii")
        low, high = 0, len(data)
        while low < high:
            start = data.rfind(b"\n", low, (low + high) // 2) + 1 or low
            end = data.find(b"\n", start, start + MAX_BYTES) + 1 or high
            found = data[start : start + KEY_DIGITS]
            if found == wanted:
                return bytes(data[start:end])
            if found < wanted:
                low = end
            else:
                high = start
        return None

    def lines(self) -> Iterator[bytes]:
        """All of them."""
        at, size = 0, len(self._data)
        while at < size:
            end = self._data.find(b"\n", at) + 1 or size
            yield bytes(self._data[at:end])
            at = end
