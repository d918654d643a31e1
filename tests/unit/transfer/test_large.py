"""Large files: cut, sent once, put together again, and never assembled from what does not add up."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.recipe import FIXED
from dvtool.formats.recipe import PIECE
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.hashing.digests import object_id
from dvtool.model.ports import Remote
from dvtool.remote.counting import CountingRemote
from dvtool.store.cachewriter import CacheWriter
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.stream import push_stream
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from tests.support.datasets import content
from tests.support.datasets import packs_of
from tests.support.datasets import store_directory
from tests.support.datasets import store_file
from tests.unit.transfer.conftest import NewCache

MIB = 1 << 20


def test_an_insert_sends_the_pieces_around_it_only(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    cache = new_cache()
    data = content("large", 24 * MIB)
    first = store_file(cache, data)
    push(cache, remote, [first], context)
    second = store_file(cache, data[: 12 * MIB] + b"x" * 1024 + data[12 * MIB :])
    counting = CountingRemote(remote)
    push(cache, counting, [second], context)
    assert counting.sent < 9 * MIB
    clone = new_cache("clone")
    fetch(clone, [remote], [first])
    counting = CountingRemote(remote)
    assert fetch(clone, [counting], [second]).missing == ()
    assert counting.received < 9 * MIB
    clone.forget()
    assert clone.has_blob(second.oid)


def test_the_same_piece_many_times_travels_once(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    cache, clone = new_cache(), new_cache("clone")
    wanted = store_file(cache, bytes(40 * MIB) + b"end")
    result = push(cache, remote, [wanted], context)
    assert result.objects < 5
    got = fetch(clone, [remote], [wanted])
    assert got.missing == ()
    assert got.bytes_received < 100_000


def test_a_recipe_is_cut_once(new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path) -> None:
    cache = new_cache()
    wanted = store_file(cache, content("large", 6 * MIB))
    push(cache, remote, [wanted], context)
    cache.forget()
    assert cache.has_meta(wanted.oid, RECIPE)
    other = context._replace(journal_dir=context.journal_dir + b"2")
    assert push(cache, remote, [wanted], other).up_to_date
    for key in packs_of(tmp_path / "remote"):
        (tmp_path / "remote" / key).unlink()
    push(cache, remote, [wanted], context)
    assert fetch(new_cache("clone"), [remote], [wanted]).missing == ()


@pytest.mark.parametrize("size", [0, 10, 4 * MIB - 1, 4 * MIB, 11 * MIB])
@pytest.mark.parametrize("chunk", [True, False])
def test_a_stream_is_sent_without_a_copy(
    new_cache: NewCache, remote: Remote, context: PushContext, size: int, chunk: bool
) -> None:
    cache, clone = new_cache(), new_cache("clone")
    data = content("stream", size)
    result = push_stream(cache, remote, io.BytesIO(data), context._replace(chunk=chunk))
    assert (result.oid, result.size) == (object_id(data), size)
    cache.forget()
    assert not cache.has_blob(result.oid)
    assert not os.listdir(cache.tmp)
    fetch(clone, [remote], [Wanted(False, result.oid, size, 1, b"stream")])
    clone.forget()
    assert clone.read_blob(result.oid) == data
    assert push_stream(cache, remote, io.BytesIO(data), context._replace(chunk=chunk)).bytes_sent == 0


@pytest.mark.parametrize("lie", ["order", "length", "piece"])
def test_a_recipe_that_lies_is_found_out(new_cache: NewCache, remote: Remote, context: PushContext, lie: str) -> None:
    cache, clone = new_cache(), new_cache("clone")
    halves = [content("one", 3 * MIB), content("two", 2 * MIB)]
    blob = object_id(b"".join(halves))
    size = 5 * MIB
    if lie == "order":
        halves.reverse()
    pieces = [Piece(object_id(half), len(half), PIECE) for half in halves]
    if lie == "length":
        size -= 1
    if lie == "piece":
        pieces[1] = Piece(object_id(b"nowhere"), 2 * MIB, PIECE)
    store_directory(cache, {"one": halves[0], "two": halves[1]})
    with CacheWriter(cache, what="test") as writer:
        writer.put_keyed(blob, RECIPE, encode_recipe(Recipe(blob, 5 * MIB, FIXED, tuple(pieces))))
        writer.commit()
    # A remote that somebody else filled.
    both = store_directory(cache, {"one": halves[0], "two": halves[1]})
    push(cache, remote, [both], context)
    place = cache.packs.find(blob, META)
    assert place is not None
    path = cache.packs.path(place.pack)
    remote.put_file(f"meta/{place.pack.id.hex()[:2]}/{place.pack.id.hex()}-00000001", path)
    result = fetch(clone, [remote], [Wanted(False, blob, size, 1, b"large")])
    assert result.objects == 0
    assert [*(item.path for item in result.missing), *(item.path for item in result.damaged)] == [b"large"]
    clone.forget()
    assert not clone.has_blob(blob)
    assert not os.listdir(clone.tmp)
