"""The isolation of the tests is itself tested: a trap that does not close is worse than none."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.conftest import LeftTheMachine


def test_home_and_temporary_files_lie_in_the_world(world: Path) -> None:
    for place in (Path.home(), Path(tempfile.gettempdir()), Path.cwd(), Path(os.environ["XDG_CONFIG_HOME"])):
        assert place.is_relative_to(world)


def test_git_knows_only_the_settings_of_the_world() -> None:
    listed = subprocess.run(
        ["git", "config", "--list", "--show-scope"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "command\tinit.defaultbranch=main" in listed
    assert {line.partition("\t")[0] for line in listed} == {"command"}


def test_commits_are_reproducible(tmp_path: Path) -> None:
    ids = set()
    for name in ("one", "two"):
        repository = tmp_path / name
        subprocess.run(["git", "init", "--quiet", repository], check=True)
        (repository / "file").write_text("x")
        subprocess.run(["git", "-C", repository, "add", "."], check=True)
        subprocess.run(["git", "-C", repository, "commit", "--quiet", "-m", "first"], check=True)
        head = subprocess.run(
            ["git", "-C", repository, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        ids.add(head.stdout)
    assert len(ids) == 1


def test_no_connection_leaves_the_machine() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client, pytest.raises(LeftTheMachine):
        client.connect(("192.0.2.1", 80))
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname(), timeout=5):
            pass
