"""Index files: lookups, one encoding, and what no writer would write."""

from __future__ import annotations

import struct

import pytest
from xxhash import xxh3_64_intdigest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.index import ENTRY_BYTES
from dvtool.formats.index import IndexedPack
from dvtool.formats.index import IndexReader
from dvtool.formats.index import Location
from dvtool.formats.index import encode_index
from dvtool.formats.index import fanout_bits
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import TREE
from dvtool.formats.pack import pack_table_entry
from dvtool.hashing.digests import object_id

Covered = tuple[IndexedPack, bytes]


def covered(name: bytes, digests: list[bytes], *, pack_class: int = DATA, suffix: bytes = bytes(4)) -> Covered:
    kind = BYTES if pack_class == DATA else TREE
    table = b"".join(pack_table_entry(digest, 16, 5, kind) for digest in sorted(digests))
    return IndexedPack(object_id(name), suffix, pack_class, 16 + 1_000 + len(table) + 32), table


def digests(count: int, salt: bytes = b"") -> list[bytes]:
    return [bytes(object_id(salt + b"%d" % number)) for number in range(count)]


def sealed(data: bytes) -> bytes:
    return data[:-16] + struct.pack("<Q", xxh3_64_intdigest(data[:-16])) + data[-8:]


ONE = covered(b"one", digests(5))
TWO = covered(b"two", digests(3, b"x"), pack_class=META, suffix=b"abcd")
DATA_OF_TWO = encode_index([ONE, TWO])
PACKS_AT, FANOUT_AT = 16, 16 + 2 * 48
ENTRIES_AT = FANOUT_AT + 4 * 256


@pytest.mark.parametrize("count", [1, 300, 20_000])
def test_every_object_is_found_and_nothing_else(count: int) -> None:
    known = digests(count)
    reader = IndexReader(encode_index([covered(b"p", known)]), "index")
    assert all(reader.find(digest) == [Location(0, 16, 5, BYTES)] for digest in known)
    assert not any(reader.find(digest) for digest in digests(100, b"other"))
    reader.verify()


def test_rows_are_numbered_by_digest() -> None:
    reader = IndexReader(encode_index([covered(b"a", digests(300)), covered(b"b", digests(200))]), "index")
    rows = list(reader.rows())
    assert len(rows) == reader.entry_count == 500
    assert [row.digest for row in rows] == sorted(digests(300) + digests(200))
    for digest in digests(300):
        found = reader.find_rows(digest)
        assert [place for _, place in found] == reader.find(digest)
        assert all(tuple(rows[number]) == (digest, *place) for number, place in found)
    assert reader.find_rows(bytes(32)) == []


def test_an_object_in_two_packs_is_found_in_both() -> None:
    rows = [covered(b"a", digests(5)), covered(b"b", digests(7))]
    reader = IndexReader(encode_index(rows), "index")
    assert [place.pack for place in reader.find(digests(1)[0])] == [0, 1]


def test_a_digest_that_stands_across_two_rows_is_not_found() -> None:
    first, second = bytes(31) + b"\1", bytes(31) + b"\2"
    reader = IndexReader(encode_index([covered(b"p", [first, second])]), "index")
    data = encode_index([covered(b"p", [first, second])])
    at = data.index(first)
    across = data[at + 1 : at + 33]
    assert not reader.find(across)
    assert reader.find(second)


def test_equal_packs_in_any_order_give_equal_bytes() -> None:
    assert encode_index([TWO, ONE]) == DATA_OF_TWO


def test_tables_come_back() -> None:
    reader = IndexReader(DATA_OF_TWO, "index")
    assert sorted(zip(reader.packs, reader.tables())) == sorted([ONE, TWO])


@pytest.mark.parametrize(("entries", "bits"), [(0, 8), (16_384, 8), (16_385, 12), (262_144, 12), (262_145, 16)])
def test_the_fanout_grows(entries: int, bits: int) -> None:
    assert fanout_bits(entries) == bits


def test_a_flipped_bit_is_an_integrity_error() -> None:
    data = bytearray(DATA_OF_TWO)
    data[-20] ^= 1
    with pytest.raises(IntegrityError):
        IndexReader(bytes(data), "index").verify()


def test_a_newer_index_says_so() -> None:
    with pytest.raises(FormatError, match="newer"):
        IndexReader(b"DVTINDX2" + DATA_OF_TWO[8:], "index")


@pytest.mark.parametrize(
    ("at", "new"),
    [
        (0, b"DVTPACK1"),
        (8, struct.pack("<I", 3)),
        (8, struct.pack("<I", 2**32 - 1)),
        (12, struct.pack("<I", 9)),
        (12, struct.pack("<I", 2**32 - 1)),
        (PACKS_AT + 36, b"\0"),
        (PACKS_AT + 36, b"\3"),
        (PACKS_AT + 37, b"\1"),
        (PACKS_AT + 40, struct.pack("<Q", (128 << 20) + 1)),
        (PACKS_AT, DATA_OF_TWO[PACKS_AT + 48 : PACKS_AT + 96]),
        (PACKS_AT, b"\xff"),
        (FANOUT_AT, struct.pack("<I", 9)),
        (FANOUT_AT + 4 * 255, struct.pack("<I", 7)),
        (len(DATA_OF_TWO) - 8, b"DVTIEND2"),
    ],
)
def test_a_wrong_structure_is_refused_at_once(at: int, new: bytes) -> None:
    data = sealed(DATA_OF_TWO[:at] + new + DATA_OF_TWO[at + len(new) :])
    with pytest.raises(FormatError, match=r"^index: "):
        IndexReader(data, "index")


@pytest.mark.parametrize("length", [0, 8, 31, 32, len(DATA_OF_TWO) - 1, len(DATA_OF_TWO) + 1])
def test_other_lengths_are_refused(length: int) -> None:
    with pytest.raises(FormatError):
        IndexReader((DATA_OF_TWO + b"\0")[:length], "index")


def with_entry(number: int, at: int, new: bytes) -> bytes:
    start = ENTRIES_AT + number * ENTRY_BYTES + at
    return sealed(DATA_OF_TWO[:start] + new + DATA_OF_TWO[start + len(new) :])


@pytest.mark.parametrize(
    "data",
    [
        with_entry(3, 0, bytes(32)),
        with_entry(0, 0, DATA_OF_TWO[ENTRIES_AT + ENTRY_BYTES : ENTRIES_AT + 2 * ENTRY_BYTES]),
        with_entry(0, 32, struct.pack("<I", 2)),
        with_entry(0, 36, struct.pack("<I", 2**32 - 1)),
        with_entry(0, 36, struct.pack("<I", 15)),
        with_entry(0, 40, b"\xff\xff\xff"),
        with_entry(0, 43, b"\x09"),
        sealed(DATA_OF_TWO[:FANOUT_AT] + struct.pack("<256I", *[0] * 255, 8) + DATA_OF_TWO[ENTRIES_AT:]),
        encode_index([(ONE[0], b"")]),
        encode_index([(ONE[0]._replace(size=100), ONE[1])]),
    ],
)
def test_wrong_entries_are_refused_when_the_file_is_taken_whole(data: bytes) -> None:
    reader = IndexReader(data, "index")
    reader.verify()
    with pytest.raises(FormatError, match=r"^index: "):
        reader.tables()


def test_an_entry_that_names_no_pack_is_refused_when_it_is_found() -> None:
    data = with_entry(0, 32, struct.pack("<I", 2))
    with pytest.raises(FormatError, match="does not list"):
        IndexReader(data, "index").find(data[ENTRIES_AT : ENTRIES_AT + 32])
