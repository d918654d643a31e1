"""Push and fetch over each kind of remote, with the requests that they may cost."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.counting import CountingRemote
from dvtool.remote.table import open_remote
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.transfer.cloudstatus import remote_status
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from tests.support.datasets import COMMIT
from tests.support.datasets import REPOSITORY
from tests.support.datasets import content
from tests.support.datasets import many_files
from tests.support.datasets import read_directory
from tests.support.datasets import store_directory
from tests.support.seaweed import Seaweed

Open = Callable[[], CountingRemote]


class TransferSuite:
    @pytest.fixture
    def opened(self) -> Iterator[list[Remote]]:
        remotes: list[Remote] = []
        yield remotes
        for one in remotes:
            one.close()

    def cache(self, tmp_path: Path, name: str) -> Cache:
        return Cache(os.fsencode(tmp_path / name), Settings(durable=False))

    def test_there_and_back(self, open_client: Open, tmp_path: Path) -> None:
        files = {
            **many_files(2_000, 500),
            "sub": {"loose": content("loose", 300_000), "large": content("large", 20 << 20), "empty": b""},
        }
        here, there = self.cache(tmp_path, "here"), self.cache(tmp_path, "there")
        wanted = store_directory(here, files)
        context = PushContext(REPOSITORY, (COMMIT,), "Test", os.fsencode(tmp_path / "journal"), 0.0)
        assert len(remote_status(here, open_client(), [wanted])) >= 2_003
        first = open_client()
        push(here, first, [wanted], context)
        assert sum(first.calls.values()) < 30
        [record] = list(open_client().list("roots/"))
        assert record.modified is not None
        again = open_client()
        assert push(here, again, [wanted], context._replace(now=record.modified)).up_to_date
        assert again.sent == 0
        assert sum(again.calls.values()) < 16
        assert remote_status(here, open_client(), [wanted]) == ()
        second = open_client()
        result = fetch(there, [second], [wanted])
        assert (result.missing, result.damaged) == ((), ())
        assert sum(second.calls.values()) < 20
        assert read_directory(there, wanted) == files

    def test_a_pack_that_was_deleted_is_sent_again(self, open_client: Open, tmp_path: Path) -> None:
        here, there = self.cache(tmp_path, "here"), self.cache(tmp_path, "there")
        files = many_files(100)
        wanted = store_directory(here, files)
        context = PushContext(REPOSITORY, (), "", os.fsencode(tmp_path / "journal"), 0.0)
        push(here, open_client(), [wanted], context)
        remote = open_client()
        for item in [*remote.list("data/")]:
            remote.delete(item.key)
        assert remote_status(here, open_client(), [wanted])
        push(here, open_client(), [wanted], context)
        assert fetch(there, [open_client()], [wanted]).missing == ()
        assert read_directory(there, wanted) == files


class TestDirectory(TransferSuite):
    @pytest.fixture
    def open_client(self, tmp_path: Path, opened: list[Remote]) -> Open:
        (tmp_path / "remote").mkdir()

        def another() -> CountingRemote:
            opened.append(open_remote(Address("origin", os.fspath(tmp_path / "remote"), {}, b"/", {})))
            return CountingRemote(opened[-1])

        return another


@pytest.mark.s3
class TestS3(TransferSuite):
    @pytest.fixture
    def open_client(self, seaweed: Seaweed, opened: list[Remote]) -> Open:
        url = seaweed.new_url()

        def another() -> CountingRemote:
            opened.append(open_remote(Address("origin", url, seaweed.settings, b"/", {})))
            return CountingRemote(opened[-1])

        return another
