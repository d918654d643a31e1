from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dvtool.model.ports import Remote
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.transfer.types import PushContext
from tests.support.datasets import COMMIT
from tests.support.datasets import REPOSITORY

NewCache = Callable[..., Cache]


@pytest.fixture
def new_cache(tmp_path: Path) -> NewCache:
    """Makes empty caches that do not sync: these tests are not about power loss."""

    def make(name: str = "cache", **settings: bool) -> Cache:
        return Cache(os.fsencode(tmp_path / name), Settings(**{"durable": False, **settings}))

    return make


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    return LocalRemote("origin", os.fsencode(tmp_path / "remote"))


@pytest.fixture
def context(tmp_path: Path) -> PushContext:
    return PushContext(REPOSITORY, (COMMIT,), "Test <test@example.org>", os.fsencode(tmp_path / "journal"), 0.0)
