"""Large files: cut, sent once, put together again, and never assembled from what does not add up."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from xxhash import xxh3_64_digest

from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import RECORD_HEAD_BYTES
from dvtool.formats.recipe import FIXED
from dvtool.formats.recipe import PIECE
from dvtool.formats.recipe import Piece
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import decode_recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.formats.records import ChunkerSettings
from dvtool.hashing.digests import object_id
from dvtool.model.ports import Remote
from dvtool.remote.counting import CountingRemote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.store.chunker import FIXED_PIECES
from dvtool.store.chunker import cut
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.remotesink import remote_sink
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from tests.support.datasets import content
from tests.support.datasets import packs_of
from tests.support.datasets import read_directory
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


def pieces_of(cache: Cache, wanted: Wanted) -> dict[bytes, int]:
    recipe = decode_recipe(cache.read_meta(wanted.oid, RECIPE), "test")
    return {piece.digest: piece.length for piece in recipe.pieces}


def test_a_clone_with_the_version_before_reads_the_pieces_that_differ(
    new_cache: NewCache, remote: Remote, context: PushContext
) -> None:
    cache, clone = new_cache(), new_cache("clone")
    data = content("large", 48 * MIB)
    changed = data[: 7 * MIB] + b"x" * 1024 + data[7 * MIB : 30 * MIB] + data[31 * MIB :] + b"end"
    versions = [store_file(cache, each) for each in (data, changed)]
    for each in versions:
        push(cache, remote, [each], context)
    fetch(clone, [remote], versions[:1])
    counting = CountingRemote(remote)
    got = fetch(clone, [counting], versions[1:])
    known, wanted = (pieces_of(cache, each) for each in versions)
    lacking = sum(length for digest, length in wanted.items() if digest not in known)
    assert 0 < lacking < 16 * MIB
    assert lacking < got.bytes_received < lacking + MIB
    # Index files and the recipe come with it.
    assert counting.received < lacking + MIB
    clone.forget()
    assert clone.read_blob(versions[1].oid) == changed


def test_paths_that_are_not_cut_at_their_content(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    cache = new_cache()
    plain, packed = store_file(cache, content("a", 9 * MIB)), store_file(cache, content("b", 9 * MIB), b"b.zip")
    context = context._replace(unchunked=lambda path: path.endswith(b".zip"))
    push(cache, remote, [plain, packed], context)
    assert [*pieces_of(cache, packed).values()] == [4 * MIB, 4 * MIB, MIB]
    assert len(pieces_of(cache, plain)) != 3
    # What the store says is for those that are cut at their content, and the first push does not decide for others.
    other = store_file(cache, content("c", 9 * MIB))
    push(cache, remote, [other], context._replace(chunk=False))
    assert [*pieces_of(cache, other).values()] == [4 * MIB, 4 * MIB, MIB]
    assert fetch(new_cache("clone"), [remote], [plain, packed, other]).missing == ()


def test_pushing_fixed_pieces_first_makes_no_store_of_them(
    new_cache: NewCache, remote: Remote, context: PushContext
) -> None:
    cache = new_cache()
    first, second = store_file(cache, content("a", 9 * MIB)), store_file(cache, content("b", 9 * MIB))
    push(cache, remote, [first], context._replace(chunk=False))
    push(cache, remote, [second], context)
    assert len(pieces_of(cache, first)) == 3 != len(pieces_of(cache, second))


def test_the_same_piece_many_times_travels_once(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    cache, clone = new_cache(), new_cache("clone")
    wanted = store_file(cache, bytes(40 * MIB) + b"end")
    result = push(cache, remote, [wanted], context)
    assert result.objects < 5
    got = fetch(clone, [remote], [wanted])
    assert got.missing == ()
    assert got.bytes_received < 100_000


@pytest.mark.parametrize("chunk", [True, False])
def test_files_that_are_pieces_of_another(
    new_cache: NewCache, remote: Remote, context: PushContext, chunk: bool
) -> None:
    cache, clone = new_cache(), new_cache("clone")
    data = content("whole", 11 * MIB)
    pieces = [*cut(io.BytesIO(data), ChunkerSettings() if chunk else FIXED_PIECES)]
    files = {f"part{number}": piece for number, piece in enumerate(pieces) if len(piece) < CHUNKED_FROM}
    wanted = store_directory(cache, {"whole": data, **files})
    push(cache, remote, [wanted], context._replace(chunk=chunk))
    assert fetch(clone, [remote], [wanted]).missing == ()
    clone.forget()
    assert read_directory(clone, wanted) == {"whole": data, **files}
    assert files


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
def test_a_file_is_sent_without_a_copy(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path, size: int, chunk: bool
) -> None:
    cache, clone = new_cache(), new_cache("clone")
    data = content("stream", size)
    (tmp_path / "file").write_bytes(data)

    def send() -> int:
        folder = os.open(tmp_path, os.O_RDONLY)
        try:
            with remote_sink(cache, remote, context._replace(chunk=chunk)) as sink:
                assert sink.large(folder, b"file", b"file")[0] == wanted.oid
                return sink.finish(wanted)
        finally:
            os.close(folder)

    wanted = Wanted(False, object_id(data), size, 1, b"file")
    assert send() > 0
    cache.forget()
    assert not cache.has_blob(wanted.oid)
    assert not os.listdir(cache.tmp)
    fetch(clone, [remote], [wanted])
    clone.forget()
    assert clone.read_blob(wanted.oid) == data
    assert send() == 0


def swap_piece(pack: Path, mine: bytes, theirs: bytes) -> None:
    """Other bytes of the same length for the one object of a record, with the checksum that is right for them."""
    data = bytearray(pack.read_bytes())
    at = data.index(mine)
    head = at - 4 - RECORD_HEAD_BYTES
    data[at : at + len(mine)] = theirs
    data[head + 24 : head + 32] = xxh3_64_digest(data[head : head + 24] + data[head + 32 : at + len(mine)])[::-1]
    pack.write_bytes(data)


@pytest.mark.parametrize("has_mirror", [True, False])
def test_a_piece_that_was_changed_with_its_checksum_is_found_out(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path, has_mirror: bool
) -> None:
    cache, clone = new_cache(), new_cache("clone")
    data = content("large", 12 * MIB)
    wanted = store_file(cache, data, b"large.bin")
    push(cache, remote, [wanted], context)
    mirror = LocalRemote("mirror", os.fsencode(tmp_path / "mirror"))
    push(cache, mirror, [wanted], context._replace(journal_dir=context.journal_dir + b"2"))
    last = [*pieces_of(cache, wanted).values()][-1]
    piece = data[-last:]
    (pack,) = [tmp_path / "remote" / key for key in packs_of(tmp_path / "remote") if key.startswith("data/")]
    swap_piece(pack, piece, bytes(len(piece)))
    result = fetch(clone, [remote, mirror] if has_mirror else [remote], [wanted])
    clone.forget()
    if has_mirror:
        assert not result.missing
        assert not result.damaged
        assert clone.read_blob(wanted.oid) == data
    else:
        assert [(item.path, item.key) for item in result.damaged] == [
            (b"large.bin", str(pack.relative_to(tmp_path / "remote")))
        ]
        assert not clone.has_blob(wanted.oid)
    assert not os.listdir(clone.tmp)


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
