"""Index files, format "DVTINDX1": see ``docs/formats/index-file.md``."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable
from collections.abc import Iterator
from itertools import accumulate
from mmap import mmap
from operator import lt
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.pack import FOOTER_BYTES
from dvtool.formats.pack import KINDS_OF_CLASS
from dvtool.formats.pack import PACK_BYTES_LIMIT
from dvtool.formats.pack import PACK_OBJECTS_LIMIT
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.pack import Footer
from dvtool.formats.pack import check_table

MAGIC = b"DVTINDX1"
END = b"DVTIEND1"
PACK_ROW_BYTES = 48
ENTRY_BYTES = 44
HEAD_BYTES = 16
TAIL_BYTES = 16
FANOUT_BITS = (8, 12, 16)
SLOT_ENTRIES = 64
"""The first fanout with at most so many entries a slot on average is used, else the last."""

_HEAD = struct.Struct("<8sII")
_PACK = struct.Struct("<32s4sB3sQ")
_ENTRY = struct.Struct("<32sII3sB")
_ROWS_AT_ONCE = 65_536
_MAX_PACKS = 1 << 20


class IndexedPack(NamedTuple):
    """A pack that an index covers. ``suffix`` is what a remote's key adds to the id; zero in a cache."""

    id: bytes
    suffix: bytes
    pack_class: int
    size: int


class Location(NamedTuple):
    """Where an object lies: in the pack at ``pack`` of the index, in the record at ``offset``."""

    pack: int
    offset: int
    size: int
    kind: int


class Row(NamedTuple):
    """An entry with the digest that it is for."""

    digest: bytes
    pack: int
    offset: int
    size: int
    kind: int


def fanout_bits(entries: int) -> int:
    """How many leading bits of a digest choose its slot."""
    for bits in FANOUT_BITS:
        if entries <= SLOT_ENTRIES << bits:
            return bits
    return FANOUT_BITS[-1]


def encode_index(packs: Iterable[tuple[IndexedPack, bytes]]) -> bytes:
    """An index over *packs*, each with its table. Equal inputs in any order give equal bytes."""
    ordered = sorted(packs)
    rows: list[bytes] = []
    for number, (_, table) in enumerate(ordered):
        tag = struct.pack("<I", number)
        rows += (
            table[at : at + 32] + tag + table[at + 32 : at + TABLE_ENTRY_BYTES]
            for at in range(0, len(table), TABLE_ENTRY_BYTES)
        )
    rows.sort()
    bits = fanout_bits(len(rows))
    head = _HEAD.pack(MAGIC, len(ordered), len(rows))
    pack_rows = [_PACK.pack(pack.id, pack.suffix, pack.pack_class, bytes(3), pack.size) for pack, _ in ordered]
    entries = b"".join(rows)
    body = b"".join((head, *pack_rows, _fanout(entries, bits), entries))
    return body + struct.pack("<Q", xxh3_64_intdigest(body)) + END


def _fanout(entries: bytes, bits: int) -> bytes:
    counts = array("Q", bytes(8 << bits))
    shift = 16 - bits
    for first, second in zip(entries[::ENTRY_BYTES], entries[1::ENTRY_BYTES]):
        counts[(first << 8 | second) >> shift] += 1
    return struct.pack(f"<{1 << bits}I", *accumulate(counts))


def packs_in(head: bytes) -> int:
    """How many packs the index file that begins with *head* covers; 0 for what is none."""
    if len(head) < HEAD_BYTES or head[:8] != MAGIC:
        return 0
    count: int = _HEAD.unpack_from(head)[1]
    return count


_KIND_AT = ENTRY_BYTES - 1


class IndexReader:
    """Looks objects up in the bytes of an index file, which may be a memory map.

    Construction checks the structure, not the checksum; `verify` does that.
    """

    def __init__(self, data: bytes | mmap, where: str) -> None:
        self._data = data
        self._where = where
        self.size = len(data)
        if len(data) < HEAD_BYTES + TAIL_BYTES or data[:7] != MAGIC[:7]:
            raise FormatError(f"{where}: not an index file")
        if data[:8] != MAGIC:
            raise FormatError(f"{where}: written in a newer index format", hint="upgrade dvtool")
        _, pack_count, self.entry_count = _HEAD.unpack_from(data)
        self._bits = fanout_bits(self.entry_count)
        self._fanout_at = HEAD_BYTES + pack_count * PACK_ROW_BYTES
        self._entries_at = self._fanout_at + (4 << self._bits)
        expected = self._entries_at + self.entry_count * ENTRY_BYTES + TAIL_BYTES
        if pack_count > _MAX_PACKS or len(data) != expected or data[-8:] != END:
            raise FormatError(f"{where}: the index file is truncated or damaged")
        self.packs = [self._pack(HEAD_BYTES + number * PACK_ROW_BYTES) for number in range(pack_count)]
        if not all(map(lt, self.packs, self.packs[1:])):
            raise FormatError(f"{where}: the index file's packs are not in order")
        self._fanout = struct.unpack_from(f"<{1 << self._bits}I", data, self._fanout_at)
        if any(a > b for a, b in zip(self._fanout, self._fanout[1:])) or self._fanout[-1] != self.entry_count:
            raise FormatError(f"{where}: the index file's fanout is damaged")
        self._shift = 16 - self._bits

    def _pack(self, at: int) -> IndexedPack:
        pack_id, suffix, pack_class, zero, size = _PACK.unpack_from(self._data, at)
        if pack_class not in KINDS_OF_CLASS or any(zero) or size > PACK_BYTES_LIMIT:
            raise FormatError(f"{self._where}: the index file lists an impossible pack")
        return IndexedPack(pack_id, suffix, pack_class, size)

    def find(self, digest: bytes) -> list[Location]:
        """Every place of *digest*, in several packs if it lies there. 1.1 us each when there is one."""
        slot = (digest[0] << 8 | digest[1]) >> self._shift
        end = self._entries_at + self._fanout[slot] * ENTRY_BYTES
        start = self._entries_at + (self._fanout[slot - 1] if slot else 0) * ENTRY_BYTES
        found: list[Location] = []
        data = self._data
        at = data.find(digest, start, end)
        while at >= 0:
            # A digest can also stand across two rows by chance or by an attacker's hand: only whole rows count.
            inside = (at - self._entries_at) % ENTRY_BYTES
            if inside == 0:
                _, pack, offset, size, kind = _ENTRY.unpack_from(data, at)
                if pack >= len(self.packs):
                    raise FormatError(f"{self._where}: the index file names a pack that it does not list")
                found.append(Location(pack, offset, int.from_bytes(size, "little"), kind))
            at = data.find(digest, at + ENTRY_BYTES - inside, end)
        return found

    def find_rows(self, digest: bytes) -> list[tuple[int, Location]]:
        """The same with the number of each row: those of one digest follow each other."""
        found = self.find(digest)
        if not found:
            return []
        slot = (digest[0] << 8 | digest[1]) >> self._shift
        at = self._entries_at + (self._fanout[slot - 1] if slot else 0) * ENTRY_BYTES
        inside = 1
        while inside:
            at = self._data.find(digest, at)
            inside = (at - self._entries_at) % ENTRY_BYTES
            at += ENTRY_BYTES - inside if inside else 0
        return list(enumerate(found, (at - self._entries_at) // ENTRY_BYTES))

    def digests(self, kind: int) -> set[bytes]:
        """The digests of all objects of one kind: 0.1 us and 100 bytes each."""
        rows = self._data[self._entries_at : len(self._data) - TAIL_BYTES]
        return {rows[at : at + 32] for at in range(0, len(rows), ENTRY_BYTES) if rows[at + _KIND_AT] == kind}

    def rows(self) -> Iterator[Row]:
        """All entries, by digest."""
        end = len(self._data) - TAIL_BYTES
        for start in range(self._entries_at, end, _ROWS_AT_ONCE * ENTRY_BYTES):
            for digest, pack, offset, size, kind in _ENTRY.iter_unpack(
                self._data[start : min(start + _ROWS_AT_ONCE * ENTRY_BYTES, end)]
            ):
                yield Row(digest, pack, offset, int.from_bytes(size, "little"), kind)

    def verify(self) -> None:
        """Check the checksum over the whole file; raises `IntegrityError`."""
        body_end = len(self._data) - TAIL_BYTES
        (expected,) = struct.unpack_from("<Q", self._data, body_end)
        if xxh3_64_intdigest(self._data[:body_end]) != expected:
            raise IntegrityError(f"{self._where}: the index file does not match its checksum")

    def tables(self) -> list[bytes]:
        """The table of each pack, made again from the entries, in the order of ``packs``.

        Checks every row, so that encoding packs and tables gives this file again. An index holds
        all objects of a pack or none, so BLAKE3 of the class and the table must give the pack's
        id: that is the caller's check. Raises `FormatError`.
        """
        rows: list[list[bytes]] = [[] for _ in self.packs]
        entries = self._data[self._entries_at : len(self._data) - TAIL_BYTES]
        previous = b""
        for at in range(0, len(entries), ENTRY_BYTES):
            row = entries[at : at + ENTRY_BYTES]
            number = int.from_bytes(row[32:36], "little")
            if row <= previous or number >= len(rows):
                raise FormatError(f"{self._where}: the index file's entries are damaged")
            previous = row
            rows[number].append(row[:32] + row[36:])
        if _fanout(entries, self._bits) != self._data[self._fanout_at : self._entries_at]:
            raise FormatError(f"{self._where}: the index file's fanout is damaged")
        tables = [b"".join(table) for table in rows]
        for number, (pack, table) in enumerate(zip(self.packs, tables)):
            count = len(rows[number])
            if not 0 < count <= PACK_OBJECTS_LIMIT:
                raise FormatError(f"{self._where}: pack {number} of the index file has {count} objects")
            foot = Footer(pack.size - FOOTER_BYTES - len(table), count, xxh3_64_intdigest(table))
            check_table(table, foot, pack.pack_class, f"{self._where}: pack {number}")
        return tables
