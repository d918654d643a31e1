"""Real Git repositories in temporary directories."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dvtool.git.discover import find_git
from dvtool.git.run import GitRepo

GIT_ENVIRON = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada Ågren",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "2024-02-29T12:00:00+0100",
    "GIT_COMMITTER_NAME": "Bo",
    "GIT_COMMITTER_EMAIL": "bo@example.org",
    "GIT_COMMITTER_DATE": "2024-03-01T12:00:00+0100",
}


class Sandbox:
    """A repository and hands to work on it."""

    def __init__(self, top: bytes, environ: dict[str, str] | None = None) -> None:
        self.top = top
        self.environ = environ or dict(GIT_ENVIRON)

    def git(self, *args: str | bytes, cwd: bytes | None = None) -> str:
        done = subprocess.run(
            ["git", *args], cwd=cwd or self.top, env=self.environ, capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def write(self, path: bytes, text: bytes = b"x\n") -> bytes:
        full = os.path.join(self.top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(text)
        return path

    def read(self, path: bytes) -> bytes:
        with open(os.path.join(self.top, path), "rb") as file:
            return file.read()

    def commit(self, files: dict[bytes, bytes] | None = None, message: str = "change") -> str:
        for path, text in (files or {}).items():
            self.write(path, text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def repo(self) -> GitRepo:
        found = find_git(self.top, self.environ)
        assert found is not None
        return found


@pytest.fixture
def make_sandbox(tmp_path: Path) -> Callable[..., Sandbox]:
    def make(name: str = "work tree", *options: str) -> Sandbox:
        top = os.path.realpath(os.fsencode(tmp_path / name))
        os.makedirs(top)
        sandbox = Sandbox(top)
        sandbox.git("init", "-q", "-b", "main", *options)
        return sandbox

    return make


@pytest.fixture(params=["sha1", "sha256"])
def sandbox(request: pytest.FixtureRequest, make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox("work tree", f"--object-format={request.param}")
