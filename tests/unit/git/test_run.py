from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import Locked
from dvtool.errors import NotInRepository
from dvtool.errors import UnsafeInput
from dvtool.git import worktree
from dvtool.git.history import all_pointer_blobs
from dvtool.git.run import Output
from dvtool.git.run import git_environment
from dvtool.git.run import git_failed
from tests.unit.git.conftest import Sandbox


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox()


def test_environment_is_the_given_one_and_safe() -> None:
    given = {"PATH": "/bin", "LC_ALL": "de_DE", "GIT_EXTERNAL_DIFF": "touch x", "GIT_GLOB_PATHSPECS": "1"}
    safe = {"PATH": "/bin", "LC_ALL": "C", "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh"}
    assert git_environment(given) == {**safe, "GIT_OPTIONAL_LOCKS": "0"}
    assert git_environment(given, writing=True) == safe
    assert git_environment({"GIT_ALLOW_PROTOCOL": "file"})["GIT_ALLOW_PROTOCOL"] == "file"


def test_environment_of_the_user_is_never_shown(sandbox: Sandbox) -> None:
    assert "ada@example.org" not in repr(sandbox.repo)


def test_pathspec_variables_of_the_user_change_nothing(sandbox: Sandbox) -> None:
    sandbox.commit({b"deep/a.dvt": b"1"})
    for name in ("GIT_LITERAL_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS"):
        repo = replace(sandbox.repo, environ={**sandbox.environ, name: "1"})
        assert worktree.pointers_in_worktree(repo) == [b"deep/a.dvt"]


def test_index_that_a_hook_names_is_used(sandbox: Sandbox) -> None:
    sandbox.write(b"a.dvt")
    repo = replace(sandbox.repo, environ={**sandbox.environ, "GIT_INDEX_FILE": ".git/next-index"})
    worktree.stage(repo, [b"a.dvt"])
    assert list(worktree.staged_pointers(repo)) == [b"a.dvt"]
    assert worktree.staged_pointers(sandbox.repo) == {}


def test_reading_never_writes_the_index(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.dvt": b"1"})
    sandbox.write(b"a.dvt", b"2")
    index = sandbox.top + b"/.git/index"
    before = os.stat(index).st_mtime_ns
    worktree.changed_pointers(sandbox.repo)
    worktree.pointers_in_worktree(sandbox.repo)
    assert os.stat(index).st_mtime_ns == before


def test_programs_named_in_settings_are_not_started_by_reads(sandbox: Sandbox) -> None:
    marker = sandbox.top + b"/../started"
    for key in ("core.fsmonitor", "diff.external", "core.pager", "gpg.program", "filter.x.clean", "diff.x.textconv"):
        sandbox.git("config", key, f"touch '{os.fsdecode(marker)}'; true")
    sandbox.write(b".gitattributes", b"* filter=x diff=x\n")
    sandbox.git("-c", "filter.x.clean=cat", "-c", "core.fsmonitor=false", "add", "-A")
    sandbox.git("-c", "core.fsmonitor=false", "commit", "-q", "-m", "x")
    if os.path.exists(marker):
        os.unlink(marker)
    repo = sandbox.repo
    sandbox.write(b"a.dvt")
    assert worktree.pointers_in_worktree(repo) == [b"a.dvt"]
    worktree.changed_pointers(repo)
    list(all_pointer_blobs(repo))
    assert not os.path.exists(marker)


def test_busy_index_says_so(sandbox: Sandbox) -> None:
    sandbox.write(b"a.dvt")
    sandbox.write(b".git/index.lock", b"")
    with pytest.raises(Locked):
        worktree.stage(sandbox.repo, [b"a.dvt"])


def test_repository_that_vanished(sandbox: Sandbox) -> None:
    repo = sandbox.repo
    os.rename(sandbox.top + b"/.git", sandbox.top + b"/not-git")
    with pytest.raises(NotInRepository):
        worktree.staged_pointers(repo)


def test_git_that_is_not_installed(sandbox: Sandbox) -> None:
    repo = replace(sandbox.repo, environ={"PATH": os.fsdecode(sandbox.top)})
    with pytest.raises(ConfigError, match="git"):
        worktree.staged_pointers(repo)


def test_failure_in_a_stream_is_raised_at_its_end(sandbox: Sandbox) -> None:
    with pytest.raises(DvtoolError, match="git log failed"):
        list(all_pointer_blobs(sandbox.repo, ["no-such-revision"]))


def test_foreign_owner_is_explained_with_gits_own_remedy() -> None:
    stderr = b"fatal: detected dubious ownership in repository at '/srv/repo'\nTo add an exception ...\n"
    error = git_failed(("ls-files",), Output(128, b"", stderr))
    assert isinstance(error, UnsafeInput)
    assert "safe.directory '/srv/repo'" in (error.hint or "")


def test_other_failures_carry_gits_last_word() -> None:
    stderr = b"warning: noise\nfatal: bad object HEAD\n"
    error = git_failed(("-c", "a=b", "ls-tree"), Output(128, b"", stderr))
    assert error.message == "git ls-tree failed: bad object HEAD"
