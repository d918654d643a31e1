"""``dvtool push --verify`` reads back what it has sent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.model.ports import Remote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.transfer.push import push
from dvtool.transfer.pushverify import verify_push
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import PushResult
from tests.support.datarepo import DataRepo
from tests.support.datasets import COMMIT
from tests.support.datasets import REPOSITORY
from tests.support.datasets import content
from tests.support.datasets import damage
from tests.support.datasets import packs_of
from tests.support.datasets import store_file


def test_the_verb(repo: DataRepo, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    repo.cli.done("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    sent, verified = repo.cli.done("push", "--verify").splitlines()
    assert sent.startswith("sent ")
    assert verified.startswith("read back and hashed ")
    assert repo.json("push", "--verify")["read_back"] == 0
    assert repo.json("push")["read_back"] is None


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return LocalRemote("origin", os.fsencode(tmp_path / "remote"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(os.fsencode(tmp_path / "cache"), Settings(durable=False))


@pytest.fixture
def pushed(cache: Cache, remote: Remote, tmp_path: Path) -> PushResult:
    """The second push relies on the first one's pack."""
    context = PushContext(REPOSITORY, (COMMIT,), "Test", os.fsencode(tmp_path / "journal"), 0.0)
    first = store_file(cache, content("first", 5_000), b"first")
    push(cache, remote, [first], context)
    return push(cache, remote, [first, store_file(cache, content("second", 5_000), b"second")], context)


def test_what_was_sent_is_read_whole_and_what_it_relies_on_by_its_table(
    cache: Cache, remote: Remote, pushed: PushResult, tmp_path: Path
) -> None:
    assert verify_push(cache, remote, pushed) == pushed.bytes_sent
    for key in packs_of(tmp_path / "remote"):
        is_new = key.rpartition("-")[2] == pushed.sent[0].suffix.hex()
        for at, is_seen in ((2_000, is_new), (-50, True)):
            damage(tmp_path / "remote" / key, at)
            if is_seen:
                with pytest.raises(IntegrityError) as raised:
                    verify_push(cache, remote, pushed)
                assert [getattr(cause, "path", None) for cause in raised.value.causes] == [key]
            else:
                verify_push(cache, remote, pushed)
            damage(tmp_path / "remote" / key, at)


def test_a_pack_that_is_gone(cache: Cache, remote: Remote, pushed: PushResult, tmp_path: Path) -> None:
    (tmp_path / "remote" / packs_of(tmp_path / "remote")[0]).unlink()
    with pytest.raises(MissingData):
        verify_push(cache, remote, pushed)
