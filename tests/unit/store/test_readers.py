"""Readers beside those who merge packs: whatever is there is found."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from dvtool.disk.lock import Waiting
from dvtool.errors import Locked
from dvtool.formats.pack import META
from dvtool.hashing.digests import object_id
from dvtool.store.cache import Cache
from dvtool.store.consolidate import consolidate_if_due
from tests.support.smallpacks import add
from tests.support.smallpacks import expect_all
from tests.support.smallpacks import keys
from tests.support.smallpacks import new_cache
from tests.support.smallpacks import page
from tests.support.smallpacks import text


def test_a_reader_with_an_old_listing_looks_again(root: bytes, few: None, by_hand: None) -> None:
    for number in range(10):
        add(root, number)
    single, in_order, trees = new_cache(root), new_cache(root), new_cache(root)
    assert single.has_blob(object_id(text(0)))
    packed, other = in_order.in_pack_order([object_id(text(number)) for number in range(10)])
    pages = {object_id(page(number)): page(number) for number in range(10)}
    places = [(trees.packs.find(oid, META), oid) for oid in pages]
    for cache in (single, in_order, trees):
        cache.packs._open.clear()
    before = keys(root)
    assert consolidate_if_due(new_cache(root)) > 0
    assert not before & keys(root)
    expect_all(single, range(10))
    assert other == []
    assert dict(in_order.read_packed(packed)) == {object_id(text(number)): text(number) for number in range(10)}
    found = sorted((place, oid) for place, oid in places if place is not None)
    assert dict(trees.read_packed(found)) == pages


def test_readers_find_everything_while_packs_are_merged(root: bytes, few: None) -> None:
    add(root, 0)
    added = 0
    is_over = threading.Event()

    def keep_adding() -> None:
        nonlocal added
        try:
            for number in range(1, 40):
                add(root, number)
                added = number
        finally:
            is_over.set()

    thread = threading.Thread(target=keep_adding)
    thread.start()
    try:
        kept = new_cache(root)
        while not is_over.is_set():
            there = range(added + 1)
            fresh = new_cache(root)
            expect_all(fresh, there)
            expect_all(kept, range(1))
    finally:
        thread.join()
    assert added == 39
    expect_all(new_cache(root), range(40))


def test_what_a_listing_missed_is_found_by_one_under_the_lock(root: bytes, few: None, by_hand: None) -> None:
    """The new pack lies in a folder that was already passed, the old ones in folders that come later."""
    for number in range(3):
        add(root, number)
    cache = new_cache(root)
    listing = cache.packs._list_packs
    held: list[int] = []

    def missed_everything() -> object:
        held.append(cache.lock.held)
        if held[-1]:
            return listing()
        assert consolidate_if_due(new_cache(root)) > 0
        return iter(())

    cache.packs._list_packs = missed_everything  # type: ignore[method-assign, assignment]
    expect_all(cache, range(3))
    assert held == [0, 1, 1]
    assert not cache.has_blob(object_id(b"nowhere"))
    assert held == [0, 1, 1]
    assert cache.lock.held == 0


def test_a_reader_that_holds_the_lock_lists_under_it_at_once(root: bytes) -> None:
    add(root, 0)
    cache = new_cache(root)
    with cache.lock.acquire(shared=True):
        assert not cache.has_blob(object_id(b"nowhere"))
        assert cache.lock.held == 1
    with cache.lock.acquire(shared=False):
        cache.forget()
        assert not cache.has_blob(object_id(b"nowhere"))


def test_where_nobody_ever_wrote_nothing_is_made_to_prove_an_absence(root: bytes) -> None:
    assert not new_cache(root).has_blob(object_id(b"nowhere"))
    assert not os.path.lexists(root)


def test_a_reader_waits_for_a_merge_before_it_calls_an_object_absent(root: bytes) -> None:
    add(root, 0)
    heard: list[str] = []
    with new_cache(root).lock.acquire(shared=False, what="merging small packs") as merging:

        def on_wait(line: str) -> None:
            heard.append(line)
            merging.release()

        waiting = Cache(root, waiting=Waiting(on_wait=on_wait))
        assert waiting.has_blob(object_id(text(0)))
        assert heard == []
        assert not waiting.has_blob(object_id(b"nowhere"))
    assert len(heard) == 1
    assert "merging small packs" in heard[0]
    with (
        new_cache(root).lock.acquire(shared=False),
        pytest.raises(Locked, match="in use by pid"),
    ):
        Cache(root, waiting=Waiting(timeout=0)).has_blob(object_id(b"nowhere"))


def test_a_pack_that_the_server_deleted_while_it_was_open_is_looked_for_again(
    root: bytes, few: None, by_hand: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        add(root, number)
    cache = new_cache(root)
    expect_all(cache, range(3))
    gone = {cache.packs.open(key)._fd for key in keys(root)}
    assert consolidate_if_due(new_cache(root)) > 0
    real = os.pread

    def pread(fd: int, *args: int) -> bytes:
        if fd in gone:
            gone.discard(fd)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return real(fd, *args)

    monkeypatch.setattr(os, "pread", pread)
    expect_all(cache, range(3))
