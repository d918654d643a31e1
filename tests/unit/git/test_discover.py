from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dvtool.git.discover import find_git
from dvtool.git.run import GitRepo
from tests.unit.git.conftest import GIT_ENVIRON
from tests.unit.git.conftest import Sandbox


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)


def paths(repo: GitRepo | None) -> tuple[bytes, bytes, bytes]:
    assert repo is not None
    return repo.worktree, repo.git_dir, repo.common_dir


@pytest.mark.usefixtures("no_process")
def test_outside_of_any_repository_costs_no_process(tmp_path: Path) -> None:
    assert find_git(os.fsencode(tmp_path), GIT_ENVIRON) is None


def test_plain_repository_from_a_subdirectory_costs_no_process(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.makedirs(sandbox.top + b"/a/b")
    monkeypatch.setattr(subprocess, "Popen", None)
    git_dir = sandbox.top + b"/.git"
    assert paths(find_git(sandbox.top + b"/a/b", sandbox.environ)) == (sandbox.top, git_dir, git_dir)


def test_both_ways_of_discovery_agree(sandbox: Sandbox) -> None:
    asked = find_git(sandbox.top, {**sandbox.environ, "GIT_DISCOVERY_ACROSS_FILESYSTEM": "1"})
    assert paths(asked) == paths(find_git(sandbox.top, sandbox.environ))


def test_start_through_a_symbolic_link_gives_the_real_place(sandbox: Sandbox, tmp_path: Path) -> None:
    os.symlink(sandbox.top, tmp_path / "link")
    assert paths(find_git(os.fsencode(tmp_path / "link"), sandbox.environ))[0] == sandbox.top


def test_linked_worktree_shares_the_common_directory(sandbox: Sandbox) -> None:
    sandbox.commit()
    linked = os.path.dirname(sandbox.top) + b"/linked"
    sandbox.git("worktree", "add", "-q", "--detach", linked)
    expected = (linked, sandbox.top + b"/.git/worktrees/linked", sandbox.top + b"/.git")
    assert paths(find_git(linked, sandbox.environ)) == expected


def test_submodule_has_its_own_git_directory(make_sandbox: Callable[..., Sandbox]) -> None:
    inner = make_sandbox("inner")
    inner.commit({b"f": b"1"})
    outer = make_sandbox("outer")
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.top, "sub")
    git_dir = outer.top + b"/.git/modules/sub"
    assert paths(find_git(outer.top + b"/sub", outer.environ)) == (outer.top + b"/sub", git_dir, git_dir)


def test_worktree_with_a_line_feed_in_its_name(make_sandbox: Callable[..., Sandbox]) -> None:
    main = make_sandbox()
    main.commit()
    linked = os.path.dirname(main.top) + b"/a\nb"
    main.git("worktree", "add", "-q", "--detach", linked)
    assert paths(find_git(linked, main.environ))[0] == linked


def test_git_dir_from_the_environment_wins(make_sandbox: Callable[..., Sandbox], tmp_path: Path) -> None:
    sandbox = make_sandbox()
    commit = sandbox.commit({b"f": b"1"})
    environ = {**sandbox.environ, "GIT_DIR": os.fsdecode(sandbox.top + b"/.git"), "GIT_WORK_TREE": str(tmp_path)}
    repo = find_git(os.fsencode(tmp_path), environ)
    assert paths(repo)[:2] == (os.path.realpath(os.fsencode(tmp_path)), sandbox.top + b"/.git")
    assert repo is not None
    assert repo.run("rev-parse", "HEAD").stdout.decode().strip() == commit
    outside = os.path.dirname(os.path.realpath(os.fsencode(tmp_path)))
    assert find_git(outside, environ) is None


def test_core_worktree_is_left_to_git(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    os.mkdir(sandbox.top + b"/inner")
    os.rename(sandbox.top + b"/.git", sandbox.top + b"/inner/.git")
    sandbox.git("config", "--file", b"inner/.git/config", "core.worktree", "../..")
    assert paths(find_git(sandbox.top + b"/inner", sandbox.environ))[0] == sandbox.top
    sandbox.git("config", "--file", b"inner/.git/config", "core.worktree", "/nonexistent")
    assert find_git(sandbox.top + b"/inner", sandbox.environ) is None


def test_bare_repository_and_git_directory_have_no_worktree(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    sandbox.git("init", "-q", "--bare", "bare.git")
    assert find_git(sandbox.top + b"/bare.git", sandbox.environ) is None
    assert find_git(sandbox.top + b"/.git", sandbox.environ) is None


def test_broken_git_directory_is_skipped_as_git_does(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    os.makedirs(sandbox.top + b"/sub/.git")
    assert paths(find_git(sandbox.top + b"/sub", sandbox.environ))[0] == sandbox.top
