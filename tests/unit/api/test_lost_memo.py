"""The memo is gone, or its disk fails while a command is at work."""

from __future__ import annotations

import shutil
from pathlib import Path

from dvtool.state.memo import Memo
from tests.support.cli import git_project
from tests.support.trees import create_tree


def test_a_directory_that_took_the_place_of_a_file_is_added(tmp_path: Path) -> None:
    cli = git_project(tmp_path)
    create_tree(tmp_path / "data", {"swap": "a file", "turn": {"x": "in a directory"}})
    cli.done("add", "data")
    shutil.rmtree(tmp_path / "data")
    create_tree(tmp_path / "data", {"swap": {"y": "in a directory"}, "turn": "a file"})
    for file in (tmp_path / ".git/dvtool").glob("memo.sqlite*"):
        file.unlink()
    cli.done("add", "data")
    assert cli.done("list", "-R", "data").split() == ["swap/y", "turn"]


def test_what_was_applied_is_known_to_the_end_of_the_command(tmp_path: Path) -> None:
    path = bytes(tmp_path / "memo.sqlite")
    memo = Memo(path)
    memo.put_applied(b"data", b"entry")
    memo.close()
    again = Memo(path)
    assert again.applied(b"data") == b"entry"
    again._give_up(OSError())
    assert again.applied(b"data") == b"entry"
    assert again.applied_paths() == [b"data"]
    again.drop_applied(b"data")
    assert again.applied(b"data") is None
