"""Packs and their records, format "DVTPACK1": see ``docs/formats/pack.md``."""

from __future__ import annotations

import struct
from collections.abc import Callable
from collections.abc import Sequence
from operator import lt
from typing import NamedTuple

import zstandard
from xxhash import xxh3_64
from xxhash import xxh3_64_intdigest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError

DATA = 1
META = 2

BYTES = 1
TREE = 2
RECIPE = 3
ALIAS = 4
KINDS_OF_CLASS = {DATA: frozenset((BYTES,)), META: frozenset((TREE, RECIPE, ALIAS))}

RECORD_PLAIN_LIMIT = 8 << 20
RECORD_OBJECTS_LIMIT = 4_096
PACK_BYTES_LIMIT = 128 << 20
PACK_OBJECTS_LIMIT = 65_536

HEADER_BYTES = 16
FOOTER_BYTES = 32
RECORD_HEAD_BYTES = 32
TABLE_ENTRY_BYTES = 40
_SMALLEST_RECORD = RECORD_HEAD_BYTES + 4

_MAGIC = b"DVTPACK1"
_END = b"DVTPEND1"
_RECORD_MAGIC = b"DVR1"
_RECORD_HEAD = struct.Struct("<4sB3xIIII")
_CHECKSUM = struct.Struct("<Q")
_FOOTER = struct.Struct("<QIIQ8s")
_TABLE_ENTRY = struct.Struct("<32sI3sB")
_TABLE_DIGEST = struct.Struct("<32s8x")

_PLAIN = 0
_ZSTD = 1
_ENCRYPTED = 0x80
"""Reserved: a record whose codec has this bit is encrypted, which this version cannot read."""

_ZSTD_LEVEL = 1
_WORTH = 0.95
"""Compressed bytes are kept only where they save 5 %: reading plain ones is free."""


class TableEntry(NamedTuple):
    """Where one object lies: ``offset`` is that of its record, ``size`` its own plain bytes."""

    digest: bytes
    offset: int
    size: int
    kind: int


def header(pack_class: int) -> bytes:
    """The first bytes of a pack."""
    return _MAGIC + bytes((pack_class,)) + bytes(7)


def check_header(data: bytes, where: str) -> int:
    """The class of the pack that begins with *data*; raises `FormatError`."""
    if len(data) < HEADER_BYTES or data[:7] != _MAGIC[:7]:
        raise FormatError(f"{where}: not a pack")
    if data[:8] != _MAGIC:
        raise FormatError(f"{where}: written in a newer pack format", hint="upgrade dvtool")
    if data[8] not in KINDS_OF_CLASS or any(data[9:HEADER_BYTES]):
        raise FormatError(f"{where}: unknown pack class")
    return data[8]


class RecordEncoder:
    """Makes records. Holds a compression context: one encoder per thread."""

    def __init__(self) -> None:
        self._compress: Callable[[bytes], bytes] = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress

    def encode(self, objects: Sequence[bytes]) -> bytes:
        """One record of whole objects, in this order."""
        count = len(objects)
        lengths = struct.pack(f"<{count}I", *map(len, objects))
        plain = objects[0] if count == 1 else b"".join(objects)
        stored, codec = plain, _PLAIN
        if len(plain) > 64:
            compressed = self._compress(plain)
            if len(compressed) < len(plain) * _WORTH:
                stored, codec = compressed, _ZSTD
        head = _RECORD_HEAD.pack(_RECORD_MAGIC, codec, count, len(stored), len(plain), 0)
        body = lengths + stored
        return b"".join((head, _CHECKSUM.pack(xxh3_64_intdigest(head + body)), body))


class RecordHead(NamedTuple):
    """The fixed part of a record; ``total`` is the length of the whole record."""

    codec: int
    objects: int
    stored: int
    plain: int
    checksum: int
    total: int


def decode_record_head(data: bytes | memoryview, at: int, where: str) -> RecordHead:
    """Read the 32 bytes at *at*. Raises `FormatError`."""
    if len(data) - at < RECORD_HEAD_BYTES:
        raise FormatError(f"{where}: the record at {at} ends too early")
    magic, codec, count, stored, plain, zero = _RECORD_HEAD.unpack_from(data, at)
    (checksum,) = _CHECKSUM.unpack_from(data, at + 24)
    if magic != _RECORD_MAGIC or zero or any(data[at + 5 : at + 8]):
        raise FormatError(f"{where}: no record at {at}")
    if codec & _ENCRYPTED:
        raise FormatError(f"{where}: the record at {at} is encrypted", hint="upgrade dvtool to read encrypted packs")
    if codec not in (_PLAIN, _ZSTD):
        raise FormatError(f"{where}: the record at {at} uses an unknown codec", hint="upgrade dvtool")
    if not 0 < count <= RECORD_OBJECTS_LIMIT or plain > RECORD_PLAIN_LIMIT or stored > plain:
        raise FormatError(f"{where}: the record at {at} has impossible lengths")
    return RecordHead(codec, count, stored, plain, checksum, RECORD_HEAD_BYTES + 4 * count + stored)


def check_record(data: bytes | memoryview, at: int, where: str) -> RecordHead:
    """The head of a record that is there whole and matches its checksum. Raises `FormatError`, `IntegrityError`."""
    head = decode_record_head(data, at, where)
    end = at + head.total
    if end > len(data):
        raise FormatError(f"{where}: the record at {at} ends too early")
    view = memoryview(data)
    hasher = xxh3_64(view[at : at + 24])
    hasher.update(view[at + RECORD_HEAD_BYTES : end])
    if hasher.intdigest() != head.checksum:
        raise IntegrityError(f"{where}: the record at {at} does not match its checksum")
    return head


class RecordDecoder:
    """Reads records. Holds a decompression context: one decoder per thread."""

    def __init__(self) -> None:
        self._decompressor = zstandard.ZstdDecompressor()

    def decode(self, data: bytes | memoryview, at: int, where: str) -> list[bytes]:
        """The objects of the record at *at*: checksum first, then bounded decompression.

        Raises `FormatError` for what is no record, `IntegrityError` for a wrong checksum.
        The objects' own digests are the caller's to verify.
        """
        head = check_record(data, at, where)
        end, body_at = at + head.total, at + RECORD_HEAD_BYTES
        lengths = struct.unpack_from(f"<{head.objects}I", data, body_at)
        if sum(lengths) != head.plain:
            raise FormatError(f"{where}: the lengths in the record at {at} do not add up")
        plain = self._plain(head, bytes(data[body_at + 4 * head.objects : end]), at, where)
        if head.objects == 1:
            return [plain]
        objects: list[bytes] = []
        start = 0
        for length in lengths:
            objects.append(plain[start : start + length])
            start += length
        return objects

    def _plain(self, head: RecordHead, stored: bytes, at: int, where: str) -> bytes:
        if head.codec == _PLAIN:
            if head.stored != head.plain:
                raise FormatError(f"{where}: the record at {at} has impossible lengths")
            return stored
        try:
            if zstandard.frame_content_size(stored) != head.plain:
                raise FormatError(f"{where}: the record at {at} states two sizes")
            plain = self._decompressor.decompress(stored, max_output_size=head.plain, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise IntegrityError(f"{where}: the record at {at} cannot be decompressed: {error}") from None
        if len(plain) != head.plain:
            raise FormatError(f"{where}: the record at {at} states a wrong size")
        return plain


def pack_table_entry(digest: bytes, offset: int, size: int, kind: int) -> bytes:
    """The 40 bytes of one table entry; entries sort as bytes."""
    return _TABLE_ENTRY.pack(digest, offset, size.to_bytes(3, "little"), kind)


def unpack_table_entry(table: bytes | memoryview, at: int) -> TableEntry:
    """The entry at byte *at* of a table."""
    digest, offset, size, kind = _TABLE_ENTRY.unpack_from(table, at)
    return TableEntry(digest, offset, int.from_bytes(size, "little"), kind)


def footer(table_offset: int, table: bytes) -> bytes:
    """The last bytes of a pack."""
    count = len(table) // TABLE_ENTRY_BYTES
    return _FOOTER.pack(table_offset, count, 0, xxh3_64_intdigest(table), _END)


class Footer(NamedTuple):
    """Where the table lies and what its checksum is."""

    table_offset: int
    entries: int
    checksum: int


def decode_footer(tail: bytes, pack_bytes: int, where: str) -> Footer:
    """Read the last 32 bytes of a pack of *pack_bytes* bytes; raises `FormatError`."""
    if len(tail) != FOOTER_BYTES or tail[-8:] != _END:
        raise FormatError(f"{where}: the pack has no end: it is truncated or no pack")
    table_offset, entries, zero, checksum, _ = _FOOTER.unpack(tail)
    if zero or not 0 < entries <= PACK_OBJECTS_LIMIT or table_offset < HEADER_BYTES:
        raise FormatError(f"{where}: the pack's footer is impossible")
    if table_offset + entries * TABLE_ENTRY_BYTES + FOOTER_BYTES != pack_bytes or pack_bytes > PACK_BYTES_LIMIT:
        raise FormatError(f"{where}: the pack's size is not the one that its footer states")
    return Footer(table_offset, entries, checksum)


def check_table(table: bytes, foot: Footer, pack_class: int, where: str) -> None:
    """Raise unless *table* is the one of *foot*: checksum, order, kinds, sizes, offsets.

    That the records fill the pack without gap or overlap is for those to check who read them all.
    """
    if len(table) != foot.entries * TABLE_ENTRY_BYTES or xxh3_64_intdigest(table) != foot.checksum:
        raise IntegrityError(f"{where}: the pack's table does not match its checksum")
    digests = [digest for (digest,) in _TABLE_DIGEST.iter_unpack(table)]
    if not all(map(lt, digests, digests[1:])):
        raise FormatError(f"{where}: the pack's table is not in order")
    if not set(table[39::TABLE_ENTRY_BYTES]) <= KINDS_OF_CLASS[pack_class]:
        raise FormatError(f"{where}: the pack holds a kind that its class must not hold")
    if max(table[38::TABLE_ENTRY_BYTES]) >= RECORD_PLAIN_LIMIT >> 16 and any(
        unpack_table_entry(table, at).size > RECORD_PLAIN_LIMIT for at in range(0, len(table), TABLE_ENTRY_BYTES)
    ):
        raise FormatError(f"{where}: the pack's table states an impossible size")
    offsets = sorted(set(_offsets(table, foot.entries)))
    starts, ends = offsets, [*offsets[1:], foot.table_offset]
    if offsets[0] != HEADER_BYTES or any(end - start < _SMALLEST_RECORD for start, end in zip(starts, ends)):
        raise FormatError(f"{where}: the pack's table states offsets where no records can lie")


def _offsets(table: bytes, count: int) -> tuple[int, ...]:
    # Four strided copies and one unpack: 1 ms for 50,000 entries, a loop over the entries takes 15.
    packed = bytearray(4 * count)
    for byte in range(4):
        packed[byte::4] = table[32 + byte :: TABLE_ENTRY_BYTES]
    return struct.unpack(f"<{count}I", packed)
