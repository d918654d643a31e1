"""How a push finds out what it has to send."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import TREE
from dvtool.model.ports import Remote
from dvtool.store.localpacks import LocalPacks
from dvtool.store.localpacks import Place
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from tests.support.datasets import many_files
from tests.support.datasets import store_directory
from tests.support.datasets import store_file
from tests.unit.transfer.conftest import NewCache


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The class of every object that is looked up by itself in a cache."""
    classes: list[int] = []
    find = LocalPacks.find

    def counted(self: LocalPacks, oid: bytes, pack_class: int) -> Place | None:
        classes.append(pack_class)
        return find(self, oid, pack_class)

    monkeypatch.setattr(LocalPacks, "find", counted)
    return classes


def test_a_pack_that_is_lacking_whole_costs_one_look(
    new_cache: NewCache, remote: Remote, context: PushContext, looked_up: list[int]
) -> None:
    cache = new_cache()
    data = store_directory(cache, many_files(3_000))
    looked_up.clear()
    assert push(cache, remote, [data], context).objects > 3_000
    assert looked_up.count(DATA) == 1


def test_what_the_remote_has_of_a_pack_is_not_sent_again(
    new_cache: NewCache, remote: Remote, context: PushContext
) -> None:
    files = many_files(1_000)
    some = dict([*files.items()][:400])
    first, cache = new_cache("first"), new_cache()
    push(first, remote, [store_directory(first, some)], context)
    result = push(cache, remote, [data := store_directory(cache, files)], context)
    assert 600 <= result.objects < 620
    clone = new_cache("clone")
    assert fetch(clone, [remote], [data]).missing == ()


def test_the_same_file_twice_and_in_two_directories(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    cache = new_cache()
    files = many_files(50)
    wanted = [
        store_directory(cache, files, b"one"),
        store_directory(cache, {**files, "copy": files["file-000000"]}, b"two"),
    ]
    push(cache, remote, wanted, context)
    assert fetch(new_cache("clone"), [remote], wanted).missing == ()


def test_a_file_with_the_bytes_of_a_tree_is_sent_too(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    cache = new_cache()
    directory = store_directory(cache, many_files(3))
    file = store_file(cache, cache.read_meta(directory.oid, TREE))
    assert file.oid == directory.oid and cache.packs.find(file.oid, META) and cache.packs.find(file.oid, DATA)
    push(cache, remote, [directory, file], context)
    clone = new_cache("clone")
    assert fetch(clone, [remote], [directory, file]).missing == ()
    assert clone.read_blob(file.oid) == cache.read_blob(file.oid)
