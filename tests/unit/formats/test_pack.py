"""Packs and records made by hand: what no writer would write is refused, and nothing takes memory."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import zstandard
from xxhash import xxh3_64_intdigest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats import pack

COMPRESSIBLE = b"0123456789" * 100


def record(
    stored: bytes, *, codec: int = 0, plain: int | None = None, lengths: tuple[int, ...] | None = None, **head: Any
) -> bytes:
    plain = len(stored) if plain is None else plain
    lengths = (plain,) if lengths is None else lengths
    first = struct.pack(
        "<4sB3sIIII",
        head.get("magic", b"DVR1"),
        codec,
        head.get("zero3", bytes(3)),
        head.get("count", len(lengths)),
        head.get("stated", len(stored)),
        plain,
        head.get("zero4", 0),
    )
    body = struct.pack(f"<{len(lengths)}I", *lengths) + stored
    return first + struct.pack("<Q", xxh3_64_intdigest(first + body)) + body


def decode(data: bytes, at: int = 0) -> list[bytes]:
    return pack.RecordDecoder().decode(data, at, "pack")


@pytest.mark.parametrize(
    "objects", [[b""], [b"a"], [b"", b"a", b""], [COMPRESSIBLE], [COMPRESSIBLE, b"x"], [bytes(8 << 20)], [b"a"] * 4_096]
)
def test_records_come_back(objects: list[bytes]) -> None:
    encoded = pack.RecordEncoder().encode(objects)
    assert decode(b"before" + encoded + b"behind", 6) == objects
    assert decode(encoded) == objects
    assert pack.decode_record_head(encoded, 0, "pack").total == len(encoded)


def test_only_what_pays_is_compressed() -> None:
    encoder = pack.RecordEncoder()
    assert encoder.encode([COMPRESSIBLE])[4] == 1
    assert encoder.encode([bytes(range(256))])[4] == 0
    assert encoder.encode([b"a" * 64])[4] == 0


ZSTD = zstandard.ZstdCompressor().compress(COMPRESSIBLE)
UNSIZED = zstandard.ZstdCompressor(write_content_size=False).compress(COMPRESSIBLE)
BOMB = zstandard.ZstdCompressor().compress(bytes(64 << 20))
SKIPPABLE = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        record(b"abc")[:31],
        record(b"abc")[:-1],
        record(b"abc", magic=b"DVR2"),
        record(b"abc", zero3=b"\0\1\0"),
        record(b"abc", zero4=1),
        record(b"abc", codec=2),
        record(b"", lengths=(), count=0),
        record(b"", lengths=(0,) * 4_097),
        record(b"abc", count=2**32 - 1),
        record(b"abc", stated=2**32 - 1),
        record(b"abc", plain=2),
        record(b"abc", plain=4),
        record(b"abc", lengths=(1, 1)),
        record(b"abc", lengths=(4, 2**32 - 1)),
        record(b"abc", plain=(8 << 20) + 1),
        record(ZSTD, codec=1, plain=len(COMPRESSIBLE) + 1),
        record(ZSTD, codec=1, plain=len(COMPRESSIBLE) - 1),
        record(UNSIZED, codec=1, plain=len(COMPRESSIBLE)),
        record(BOMB, codec=1, plain=8 << 20),
        record(ZSTD + ZSTD, codec=1, plain=len(COMPRESSIBLE)),
        record(ZSTD + SKIPPABLE, codec=1, plain=len(COMPRESSIBLE)),
        record(SKIPPABLE, codec=1, plain=100),
        record(b"not zstd", codec=1, plain=100),
        record(ZSTD[:-5], codec=1, plain=len(COMPRESSIBLE)),
        record(b"", codec=1, plain=0),
    ],
)
def test_malformed_records_are_refused(data: bytes) -> None:
    with pytest.raises((FormatError, IntegrityError), match=r"^pack: "):
        decode(data)


def test_encrypted_records_are_recognised() -> None:
    with pytest.raises(FormatError, match="encrypted") as caught:
        decode(record(b"abc", codec=0x80))
    assert caught.value.hint is not None


def test_a_wrong_checksum_is_an_integrity_error() -> None:
    data = bytearray(record(b"abc"))
    data[-1] ^= 1
    with pytest.raises(IntegrityError, match="checksum"):
        decode(bytes(data))


@pytest.mark.parametrize(
    "data", [b"", b"DVTPACK1", b"DVTPACK1\x00" + bytes(7), b"DVTPACK1\x03" + bytes(7), b"DVTPACK1\x01\1" + bytes(6)]
)
def test_malformed_headers_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        pack.check_header(data, "pack")


def test_a_newer_pack_says_so() -> None:
    with pytest.raises(FormatError, match="newer"):
        pack.check_header(b"DVTPACK2\x01" + bytes(7), "pack")


def row(digest: bytes, offset: int = 16, size: int = 5, kind: int = pack.BYTES) -> bytes:
    return pack.pack_table_entry(digest * 32, offset, size, kind)


def check(table: bytes, table_offset: int = 1_000, pack_class: int = pack.DATA) -> None:
    tail = pack.footer(table_offset, table)
    foot = pack.decode_footer(tail, table_offset + len(table) + len(tail), "pack")
    pack.check_table(table, foot, pack_class, "pack")


def test_a_table_of_several_records_passes() -> None:
    check(row(b"a") + row(b"b", 52) + row(b"c", 52) + row(b"d", 964, 8 << 20))


@pytest.mark.parametrize(
    "table",
    [
        row(b"b") + row(b"a"),
        row(b"a") + row(b"a", 52),
        row(b"a", kind=pack.TREE),
        row(b"a", kind=0),
        row(b"a", 0),
        row(b"a", 17),
        row(b"a") + row(b"b", 51),
        row(b"a") + row(b"b", 965),
        row(b"a") + row(b"b", 2**32 - 1),
        row(b"a", size=(8 << 20) + 1),
        row(b"a", size=2**24 - 1),
        b"",
    ],
)
def test_impossible_tables_are_refused(table: bytes) -> None:
    with pytest.raises(FormatError):
        check(table)


def test_a_meta_pack_holds_no_bytes() -> None:
    with pytest.raises(FormatError, match="kind"):
        check(row(b"a"), pack_class=pack.META)
    check(row(b"a", kind=pack.RECIPE), pack_class=pack.META)


@pytest.mark.parametrize(
    ("table_offset", "entries", "zero", "end", "size"),
    [
        (15, 1, 0, b"DVTPEND1", 15 + 72),
        (100, 0, 0, b"DVTPEND1", 132),
        (100, 65_537, 0, b"DVTPEND1", 132 + 40 * 65_537),
        (100, 1, 1, b"DVTPEND1", 172),
        (100, 1, 0, b"DVTPEND2", 172),
        (100, 1, 0, b"DVTPEND1", 173),
        (2**64 - 1, 1, 0, b"DVTPEND1", 172),
        (128 << 20, 1, 0, b"DVTPEND1", (128 << 20) + 72),
    ],
)
def test_impossible_footers_are_refused(table_offset: int, entries: int, zero: int, end: bytes, size: int) -> None:
    with pytest.raises(FormatError):
        pack.decode_footer(struct.pack("<QIIQ8s", table_offset, entries, zero, 0, end), size, "pack")


@pytest.mark.parametrize("tail", [b"", b"DVTPEND1", bytes(23) + b"DVTPEND1", bytes(25) + b"DVTPEND1"])
def test_a_footer_has_one_length(tail: bytes) -> None:
    with pytest.raises(FormatError):
        pack.decode_footer(tail, 100, "pack")
