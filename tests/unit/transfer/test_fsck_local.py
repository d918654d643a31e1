"""Which tracked paths suffer from what is wrong in the cache."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dvtool.formats.pack import DATA
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.tree import file_entry
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.fsck.choice import STRUCTURE
from dvtool.store.fsck.choice import Choice
from dvtool.store.fsck.packs import check_loose
from dvtool.store.fsck.packs import check_pack
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.fsck.values import Severity
from dvtool.store.localpacks import PackKey
from dvtool.transfer.fsck.local import check_cache
from dvtool.transfer.types import Wanted
from tests.support.datasets import content
from tests.support.datasets import damage
from tests.support.datasets import many_files
from tests.support.datasets import store_directory
from tests.support.datasets import store_file
from tests.unit.transfer.conftest import NewCache

DEEP = Choice(deep=True)


@pytest.fixture
def cache(new_cache: NewCache) -> Cache:
    return new_cache()


def findings(cache: Cache, wanted: Sequence[Wanted], choice: Choice = DEEP) -> list[Finding]:
    fresh = Cache(cache.root, cache.settings)
    return list(check_cache(fresh, wanted, choice, os.path.join(cache.root, b"../state")).findings)


def pack_with(cache: Cache, data: bytes) -> Path:
    place = Cache(cache.root).packs.find(object_id(data), DATA)
    assert place is not None
    return Path(os.fsdecode(cache.packs.path(place.pack)))


def test_nothing_stored_and_nothing_wanted(cache: Cache) -> None:
    assert findings(cache, []) == []
    assert not os.path.exists(cache.root)


def test_a_pack_that_nothing_wanted_lies_in_affects_no_path(cache: Cache) -> None:
    wanted = store_directory(cache, many_files(10))
    store_file(cache, content("other", 500))
    damage(pack_with(cache, content("other", 500)), 30)
    (finding,) = findings(cache, [wanted])
    assert (finding.kind, finding.severity, finding.paths) == (Kind.PACK, Severity.DAMAGE, ())


def test_what_another_pack_has_too_is_not_affected(cache: Cache, new_cache: NewCache) -> None:
    """The same bytes lie in two packs, as two writers at once leave them."""
    wanted = store_directory(cache, {"a": content("a", 500), "b": content("b", 500)})
    twin = new_cache("twin")
    store_file(twin, content("a", 500))
    (copy,) = Path(os.fsdecode(twin.root), "data").rglob("?" * 64)
    target = Path(os.fsdecode(cache.root), "data", copy.parent.name)
    target.mkdir(exist_ok=True)
    copy.rename(target / copy.name)
    damage(next(path for path in pack_paths(cache) if path.name != copy.name), 40)
    (finding,) = findings(cache, [wanted])
    assert (finding.kind, finding.paths) == (Kind.PACK, (b"data/b",))


def pack_paths(cache: Cache) -> list[Path]:
    return [path for path in Path(os.fsdecode(cache.root), "data").rglob("*") if path.is_file()]


def test_a_pack_that_cannot_be_opened_affects_all_that_it_held(cache: Cache) -> None:
    wanted = store_directory(cache, {"a": content("a", 500), "b": content("b", 500)})
    damage(pack_with(cache, content("a", 500)), -1)
    (finding,) = findings(cache, [wanted], STRUCTURE)
    assert (finding.kind, finding.affected, finding.paths) == (Kind.PACK, 2, (b"data/a", b"data/b"))


def test_a_loose_file_of_the_wrong_length_is_found_by_its_size(cache: Cache) -> None:
    wanted = store_file(cache, content("large", 300_000), b"large")
    path = Path(os.fsdecode(cache.loose_path(wanted.oid)))
    path.chmod(0o600)
    os.truncate(path, 299_999)
    path.chmod(0o444)
    (finding,) = findings(cache, [wanted], STRUCTURE)
    assert (finding.kind, finding.digest, finding.paths) == (Kind.LOOSE, wanted.oid, (b"large",))


def test_a_tree_that_lies_about_a_size_is_wrong_and_not_the_file(cache: Cache) -> None:
    large = store_file(cache, content("large", 300_000))
    with CacheWriter(cache, what="test") as writer:
        oid = writer.put_tree(encode_leaf([file_entry(b"f", large.oid, 7, False)]))
        writer.commit()
    found = findings(cache, [Wanted(True, oid, 7, 1, b"data")], STRUCTURE)
    assert [(finding.kind, finding.paths) for finding in found] == [(Kind.TREE, (b"data/f",))]
    found = findings(cache, [Wanted(True, oid, 8, 1, b"data")], STRUCTURE)
    assert [(finding.kind, finding.paths) for finding in found] == [(Kind.TREE, (b"data",))]


def test_what_is_missing_is_grouped_by_tracked_path(cache: Cache, new_cache: NewCache) -> None:
    wanted = [store_directory(cache, many_files(5), b"data"), store_file(cache, b"x", b"one")]
    other = new_cache("other")
    found = findings(other, wanted)
    assert [(finding.place, finding.paths) for finding in found] == [(b"data", (b"data",)), (b"one", (b"one",))]
    assert {finding.severity for finding in found} == {Severity.MISSING}


def test_at_most_a_thousand_paths_are_named_and_all_are_counted(cache: Cache) -> None:
    wanted = store_directory(cache, many_files(1_100, 20))
    for path in pack_paths(cache):
        path.unlink()
    (finding,) = findings(cache, [wanted])
    assert (len(finding.paths), finding.affected) == (1_000, 1_100)


@pytest.mark.skipif(sys.platform != "linux", reason="a file that answers with an I/O error")
def test_a_medium_that_fails_is_damage() -> None:
    oid = object_id(b"")
    assert check_loose(b"/proc/self/mem", oid, lambda _: None) == "/proc/self/mem: Input/output error"
    for whole in (False, True):
        why, _ = check_pack(b"/proc/self/mem", PackKey(DATA, oid), 0, whole=whole)
        assert why == "/proc/self/mem: Input/output error"
