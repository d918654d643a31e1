"""Where pages of a wide directory end."""

from __future__ import annotations

import pytest
from xxhash import xxh3_64_intdigest

from dvtool.errors import FormatError
from dvtool.model.digest import Algorithm
from dvtool.model.digest import ObjectId
from dvtool.model.digest import is_adopted
from dvtool.model.tree import CUT_LEVELS
from dvtool.model.tree import PAGE_LIMIT
from dvtool.model.tree import WIDE
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.model.tree import cut_pages
from dvtool.model.tree import directory_entry
from dvtool.model.tree import ends_page
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry

HASH_ZERO = b"B\xd5h\xe18\xd7'\xff"
"""Made by running xxh3_64 backwards; a legal file name."""


def names(count: int) -> list[bytes]:
    return [b"%08d" % number for number in range(count)]


def test_a_name_can_be_made_that_ends_pages_on_every_cut_level_and_no_higher() -> None:
    assert xxh3_64_intdigest(HASH_ZERO) == 0
    assert [ends_page(HASH_ZERO, level) for level in range(10)] == [level < CUT_LEVELS for level in range(10)]


@pytest.mark.parametrize("count", [0, 1, WIDE])
def test_a_small_directory_is_one_page(count: int) -> None:
    assert cut_pages(names(count)) == [count]


def test_a_wide_directory_is_cut_behind_names_with_eight_zero_bits() -> None:
    rows = names(20_000)
    ends = cut_pages(rows)
    assert ends[-1] == len(rows)
    assert ends[:-1] == [number for number, name in enumerate(rows, 1) if xxh3_64_intdigest(name) % 256 == 0]


def test_a_page_never_gets_longer_than_the_limit() -> None:
    rows = [name for name in names(12_000) if xxh3_64_intdigest(name) % 256]
    assert cut_pages(rows) == [PAGE_LIMIT, 2 * PAGE_LIMIT, len(rows)]


def test_a_stretch_of_a_wide_directory_is_cut_however_short_it_is() -> None:
    rows = names(1_000)
    assert cut_pages(rows, wide=True) == [*(end for end in cut_pages(names(20_000)) if end < 1_000), 1_000]


def test_entries_know_their_digest() -> None:
    oid = ObjectId(bytes(range(32)))
    assert file_entry(b"a", oid, 5, True).oid == oid
    assert directory_entry(b"d", TreeRef(oid, 5, 2)).oid == oid
    assert is_adopted(Entry(b"old", 1, False, Algorithm.MD5.code, bytes(16), 5).oid)
    with pytest.raises(FormatError):
        _ = link_entry(b"l", b"target").digest


def test_same_content_looks_at_all_but_the_name() -> None:
    one = file_entry(b"a", bytes(32), 5, False)
    assert one.same_content(file_entry(b"b", bytes(32), 5, False))
    assert not one.same_content(file_entry(b"a", bytes(32), 5, True))
    assert not one.same_content(link_entry(b"a", b"12345"))
