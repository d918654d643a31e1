from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Special
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.trees import create_tree
from tests.support.trees import normal
from tests.support.trees import tree_of

TREE: Tree = {
    "plain.txt": "grüße\n",
    "raw.bin": b"\x00\xff",
    b"not-utf8-\xff": b"",
    "run": Executable("#!/bin/sh\n"),
    "dangling": Link("../nowhere"),
    "empty": {},
    "deep": {"er": {"file": b"x"}},
}


def test_a_declared_tree_comes_back(tmp_path: Path) -> None:
    create_tree(tmp_path / "t", TREE)
    assert tree_of(tmp_path / "t") == normal(TREE)
    assert_tree(tmp_path / "t", TREE)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "plain.txt").write_bytes(b"other"),
        lambda root: (root / "run").chmod(0o644),
        lambda root: (root / "empty").rmdir(),
        lambda root: (root / "new").touch(),
        lambda root: (root / "dangling").unlink(),
    ],
)
def test_any_difference_fails(tmp_path: Path, change: object) -> None:
    create_tree(tmp_path, TREE)
    assert callable(change)
    change(tmp_path)
    with pytest.raises(AssertionError):
        assert_tree(tmp_path, TREE)


def test_bookkeeping_counts_only_at_the_top(tmp_path: Path) -> None:
    create_tree(tmp_path, {".git": {"HEAD": "x"}, "sub": {".git": {"HEAD": "x"}}})
    assert_tree(tmp_path, {"sub": {".git": {"HEAD": "x"}}})
    assert set(tree_of(tmp_path, without=())) == {b".git", b"sub"}


def test_a_link_in_the_way_is_replaced_not_followed(tmp_path: Path) -> None:
    create_tree(tmp_path, {"outside": "kept", "in": {"file": Link("../outside")}})
    create_tree(tmp_path / "in", {"file": "new"})
    assert_tree(tmp_path, {"outside": "kept", "in": {"file": "new"}})


def test_a_fifo_is_seen(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert isinstance(tree_of(tmp_path)[b"pipe"], Special)
