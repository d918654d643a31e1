"""Caches whose packs are merged early, or only by the test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.store import cachewriter
from dvtool.store import consolidate


@pytest.fixture
def root(tmp_path: Path) -> bytes:
    return os.fsencode(tmp_path / "cache")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three small packs are too many."""
    monkeypatch.setattr(consolidate, "SMALL_PACKS", 2)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands do not merge, only the test does."""
    monkeypatch.setattr(cachewriter, "consolidate_if_due", lambda cache: 0)
