from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator

import pytest

from dvtool.errors import IntegrityError
from dvtool.errors import StorageError
from dvtool.formats.pack import BYTES
from dvtool.hashing.digests import object_id
from dvtool.model.ports import Capabilities
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.remote.counting import CountingRemote
from dvtool.store.names import CATALOG
from dvtool.transfer.catalog import read_catalog
from dvtool.transfer.catalog import renew_catalog
from dvtool.transfer.catalog import write_catalog
from dvtool.transfer.copies import Asked
from dvtool.transfer.copies import CopyProofs
from dvtool.transfer.fetch import fetch
from dvtool.transfer.fsck.doom import doom_keys
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from tests.support.datasets import content
from tests.support.datasets import read_directory
from tests.support.datasets import store_directory
from tests.unit.transfer.conftest import NewCache


class Unlisted(CountingRemote):
    """A remote as a plain web server shows it."""

    @property
    def capabilities(self) -> Capabilities:
        return dataclasses.replace(super().capabilities, listing=False, write=False, delete=False)

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        raise AssertionError(f"{prefix} is listed")


class Disturbed(CountingRemote):
    """A remote where somebody else is at work whenever the catalog is written."""

    def __init__(self, inner: Remote, others: list[Callable[[], object]]) -> None:
        super().__init__(inner)
        self._others = others

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        if key == CATALOG and self._others:
            self._others.pop()()
        return super().put(key, data, create_only=create_only)


def test_pushes_keep_a_catalog_that_is_there(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    here = new_cache()
    push(here, remote, [store_directory(here, {"a": b"one"})], context)
    assert remote.stat(CATALOG) is None
    write_catalog(remote)
    wanted = store_directory(here, {"a": b"two", "b": content("b", 300_000)})
    push(here, remote, [wanted], context)
    assert {f"index/{name}" for name in read_catalog(remote).index} == {
        item.key for item in remote.list("index/") if item.key != CATALOG
    }
    there = new_cache("other")
    got = fetch(there, [Unlisted(remote)], [wanted])
    assert (got.missing, got.damaged) == ((), ())
    assert read_directory(there, wanted) == {"a": b"two", "b": content("b", 300_000)}


def test_without_a_catalog_nothing_can_be_read(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    here = new_cache()
    wanted = store_directory(here, {"a": b"one"})
    remote.put("unrelated", b"x")
    with pytest.raises(StorageError, match="no store"):
        fetch(new_cache("other"), [Unlisted(remote)], [wanted])
    push(here, remote, [wanted], context)
    with pytest.raises(StorageError, match="no catalog"):
        fetch(new_cache("other"), [Unlisted(remote)], [wanted])
    write_catalog(remote)
    remote.put(CATALOG, remote.get(CATALOG).replace(b"catalog", b"catalof"))
    with pytest.raises(IntegrityError, match="checksum"):
        fetch(new_cache("other"), [Unlisted(remote)], [wanted])


def test_a_push_there_is_refused(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    here = new_cache()
    wanted = store_directory(here, {"a": b"one"})
    unlisted = Unlisted(remote)
    with pytest.raises(StorageError, match="can only be read"):
        push(here, unlisted, [wanted], context)
    assert not sum(unlisted.calls.values())


def test_of_two_writers_the_last_has_seen_the_other(remote: Remote) -> None:
    first, second = "1" * 64, "2" * 64
    remote.put(f"index/{first}", b"x")
    write_catalog(Disturbed(remote, [lambda: remote.put(f"index/{second}", b"x")]))
    assert read_catalog(remote).index == (first, second)


def test_a_list_of_dead_packs_renews_it(remote: Remote) -> None:
    doom_keys(remote, [f"data/ab/{'ab' * 32}-00112233"])
    assert remote.stat(CATALOG) is None
    write_catalog(remote)
    doom_keys(remote, [f"data/cd/{'cd' * 32}-00112233"])
    assert {f"dead/{name}" for name in read_catalog(remote).dead} == {item.key for item in remote.list("dead/")}
    assert len(read_catalog(remote).dead) == 2


def test_it_is_not_made_by_renewing(remote: Remote) -> None:
    remote.put("index/" + "1" * 64, b"x")
    renew_catalog(remote)
    assert remote.stat(CATALOG) is None


def test_what_a_catalog_says_is_no_proof_of_a_copy(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    here = new_cache()
    data = content("b", 300_000)
    wanted = store_directory(here, {"b": data})
    push(here, remote, [wanted], context)
    write_catalog(remote)
    asked = [Asked(object_id(data), BYTES, len(data))]
    with CopyProofs(here, [Unlisted(remote)]) as proofs:
        assert list(proofs.each(asked)) == [(asked[0], ())]
    with CopyProofs(here, [remote]) as proofs:
        assert list(proofs.each(asked)) == [(asked[0], ("origin",))]
