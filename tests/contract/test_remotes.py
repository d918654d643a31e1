"""The remotes of dvtool against `RemoteSuite`, bare and behind each wrapper."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.model.ports import Capabilities
from dvtool.remote.address import Address
from dvtool.remote.counting import CountingRemote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.remote.drivers.s3.driver import S3Remote
from dvtool.remote.drivers.s3.options import parse_s3
from dvtool.remote.fsspec_driver import FsspecLayout
from dvtool.remote.fsspec_driver import FsspecRemote
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.retry import RetryingRemote
from tests.contract.remote_suite import OpenClient
from tests.contract.remote_suite import RemoteSuite
from tests.contract.remote_suite import Wrap
from tests.support.seaweed import Seaweed

WRAPPERS: dict[str, Wrap] = {"bare": lambda remote: remote, "retry": RetryingRemote, "counting": CountingRemote}


class Wrapped(RemoteSuite):
    @pytest.fixture(params=WRAPPERS)
    def wrap(self, request: pytest.FixtureRequest) -> Wrap:
        return WRAPPERS[request.param]


class TestDirectory(Wrapped):
    @pytest.fixture
    def open_client(self, tmp_path: Path) -> OpenClient:
        (tmp_path / "remote").mkdir()
        return lambda: LocalRemote("origin", os.fsencode(tmp_path / "remote"))


class TestFsspec(Wrapped):
    @pytest.fixture(params=["direct", "staged", "no ranges"])
    def open_client(self, tmp_path: Path, request: pytest.FixtureRequest) -> OpenClient:
        from fsspec.implementations.memory import MemoryFileSystem

        # The plain class keeps its files for the whole process.
        memory = type("Memory", (MemoryFileSystem,), {"store": {}, "pseudo_dirs": [""], "cachable": False})
        memory().makedirs("/bucket/prefix")
        layout = FsspecLayout(root="/bucket/prefix", container="/bucket", staged=request.param == "staged")
        capabilities = Capabilities(ranges=request.param != "no ranges")
        place = Place("origin", "memory")
        return lambda: FsspecRemote(place, "memory://bucket/prefix", memory, layout, capabilities)


class S3Suite(RemoteSuite):
    @pytest.fixture
    def open_client(self, seaweed: Seaweed) -> OpenClient:
        url = f"{seaweed.new_url()}/some/prefix"
        return lambda: S3Remote("origin", parse_s3(Address("origin", url, seaweed.settings, b"/", {})))


@pytest.mark.s3
class TestS3(S3Suite):
    @pytest.fixture
    def wrap(self) -> Wrap:
        return WRAPPERS["bare"]


@pytest.mark.s3
class TestS3Wrapped(S3Suite):
    many = 16

    @pytest.fixture
    def wrap(self) -> Wrap:
        return lambda remote: CountingRemote(RetryingRemote(remote))
