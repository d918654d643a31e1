from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.model.ports import Remote
from dvtool.remote.counting import CountingRemote
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from tests.support.datasets import Files
from tests.support.datasets import content
from tests.support.datasets import many_files
from tests.support.datasets import packs_of
from tests.support.datasets import read_directory
from tests.support.datasets import store_directory
from tests.support.datasets import store_file
from tests.unit.transfer.conftest import NewCache

NESTED: Files = {
    "a": b"",
    "b": b"bee",
    "deep": {"er": {"x": content("x", 70_000)}, "empty": {}},
    "loose": content("loose", 200_000),
    "twin": b"bee",
}


def test_a_directory_comes_back(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    here, there = new_cache(), new_cache("other")
    wanted = store_directory(here, NESTED)
    result = push(here, remote, [wanted], context)
    assert not result.up_to_date
    got = fetch(there, [remote], [wanted])
    assert (got.missing, got.damaged) == ((), ())
    assert read_directory(there, wanted) == NESTED


def test_a_wide_directory_comes_back(new_cache: NewCache, remote: Remote, context: PushContext) -> None:
    here, there = new_cache(), new_cache("other")
    files = many_files(3_000)
    wanted = store_directory(here, files)
    push(here, remote, [wanted], context)
    counting = CountingRemote(remote)
    got = fetch(there, [counting], [wanted])
    assert (got.missing, got.damaged) == ((), ())
    assert read_directory(there, wanted) == files
    assert sum(counting.calls.values()) < 10


@pytest.mark.parametrize("chunk", [True, False])
def test_a_large_file_comes_back(new_cache: NewCache, remote: Remote, context: PushContext, chunk: bool) -> None:
    here, there = new_cache(), new_cache("other")
    data = content("large", 9_000_000)
    wanted = store_file(here, data)
    push(here, remote, [wanted], context._replace(chunk=chunk))
    got = fetch(there, [remote], [wanted])
    assert (got.missing, got.damaged, got.objects) == ((), (), 1)
    there.forget()
    assert there.read_blob(wanted.oid) == data


def test_a_second_push_sends_nothing(new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path) -> None:
    here = new_cache()
    wanted = store_directory(here, NESTED)
    now = os.stat(tmp_path).st_mtime
    push(here, remote, [wanted], context._replace(now=now))
    before = packs_of(tmp_path / "remote")
    counting = CountingRemote(remote)
    result = push(here, counting, [wanted], context._replace(now=now))
    assert result.up_to_date
    assert packs_of(tmp_path / "remote") == before
    assert counting.calls["put"] == counting.calls["put_file"] == 0
    assert sum(counting.calls.values()) <= 7
