"""A collection over an S3 server: what the keep rules drop goes, what else was pushed stays, undo brings back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.table import open_remote
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.transfer.collect.types import CollectContext
from dvtool.transfer.collect.types import Times
from dvtool.transfer.collect.types import times_for
from dvtool.transfer.collect.undo import undo_collection
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from tests.support.cloudgc import collect
from tests.support.cloudgc import selection
from tests.support.datasets import COMMIT
from tests.support.datasets import REPOSITORY
from tests.support.datasets import content
from tests.support.datasets import many_files
from tests.support.datasets import store_directory
from tests.support.seaweed import Seaweed

OLD = "01" * 20
KEEP_NEW = selection(commits=[COMMIT], known=[OLD])


@pytest.fixture
def remote(seaweed: Seaweed) -> Iterator[Remote]:
    remote = open_remote(Address("origin", seaweed.new_url(), seaweed.settings, b"/", {}))
    yield remote
    remote.close()


@pytest.mark.s3
def test_doom_undo_and_delete(remote: Remote, tmp_path: Path) -> None:
    def cache(name: str) -> Cache:
        return Cache(os.fsencode(tmp_path / name), Settings(durable=False))

    here = cache("here")
    shared = many_files(20, 1_000)
    old = store_directory(here, {**shared, "old": content("old", 200_000)}, b"old")
    new = store_directory(here, {**shared, "large": content("large", 5_000_000)}, b"new")
    for wanted, commit in ((old, OLD), (new, COMMIT)):
        context = PushContext(REPOSITORY, (commit,), "", os.fsencode(tmp_path / "journal"), 0.0)
        push(here, remote, [wanted], context)
    doomed = collect(here, remote, KEEP_NEW, Times(0, 0, 1_000_000))
    assert [item.key for item in remote.list("dead/")] == [doomed.dead_list]
    assert undo_collection(cache("third"), remote, doomed.dead_list, CollectContext(b"", 0.0)).records == 1
    everything = selection(commits=[COMMIT, OLD])
    assert collect(here, remote, everything, times_for(0)).finished.lists == (doomed.dead_list,)
    for wanted in (old, new):
        assert fetch(cache(f"clone of {os.fsdecode(wanted.path)}"), [remote], [wanted]).missing == ()
    done = collect(here, remote, KEEP_NEW, times_for(0))
    assert done.kept_back == ()
    assert [*remote.list("dead/"), *remote.list("clock/")] == []
    assert len([*remote.list("roots/")]) == 1
    assert fetch(cache("last"), [remote], [new]).missing == ()
    assert fetch(cache("gone"), [remote], [old]).missing != ()
