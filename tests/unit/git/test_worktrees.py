"""Work trees of one repository, and operations that stopped halfway."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

from dvtool.errors import DvtoolError
from dvtool.git.discover import find_git
from dvtool.git.history import pointer_blobs_of
from dvtool.git.revisions import commits_since
from dvtool.git.revisions import last_commits
from dvtool.git.revisions import parents
from dvtool.git.revisions import stashes
from dvtool.git.worktree import staged_pointers
from dvtool.git.worktrees import under_way
from dvtool.git.worktrees import worktrees
from tests.unit.git.conftest import Sandbox


def halt(sandbox: Sandbox, *args: str) -> None:
    done = subprocess.run(["git", *args], cwd=sandbox.top, env=sandbox.environ, capture_output=True, check=False)
    assert done.returncode != 0


def test_linked_worktrees_know_each_other_and_the_main_one(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox("main")
    sandbox.commit({b"a": b"1"})
    other = os.path.dirname(sandbox.top) + b"/odd\nname"
    third = os.path.dirname(sandbox.top) + b"/third"
    for path in (other, third):
        sandbox.git("worktree", "add", "-q", "--detach", path)
    expected = {sandbox.top, other, third}
    for place in expected:
        repo = find_git(place, sandbox.environ)
        assert repo is not None
        found = worktrees(repo)
        assert found.open[0] == repo
        assert {each.worktree for each in found.open} == expected
        assert {each.run("rev-parse", "--show-toplevel").stdout[:-1] for each in found.open} == expected
        assert found.gone == ()
    shutil.rmtree(third)
    assert worktrees(sandbox.repo).gone == (third,)


def test_a_bare_repository_has_linked_worktrees_only(make_sandbox: Callable[..., Sandbox]) -> None:
    source = make_sandbox("source")
    source.commit({b"a": b"1"})
    folder = os.path.dirname(source.top)
    source.git("clone", "-q", "--bare", source.top, folder + b"/bare.git")
    source.git("worktree", "add", "-q", "--detach", folder + b"/w", cwd=folder + b"/bare.git")
    repo = find_git(folder + b"/w", source.environ)
    assert repo is not None
    assert worktrees(repo).open == (repo,)


def test_a_main_worktree_that_cannot_be_known_is_an_error(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox("main")
    sandbox.commit({b"a": b"1"})
    folder = os.path.dirname(sandbox.top)
    sandbox.git("init", "-q", "--separate-git-dir", folder + b"/elsewhere")
    sandbox.git("worktree", "add", "-q", "--detach", folder + b"/w")
    repo = find_git(folder + b"/w", sandbox.environ)
    assert repo is not None
    with pytest.raises(DvtoolError, match="main work tree"):
        worktrees(repo)
    sandbox.git("config", "core.worktree", sandbox.top)
    assert {each.worktree for each in worktrees(repo).open} == {sandbox.top, folder + b"/w"}


def test_stopped_operations_name_their_commits(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox("main")
    base = sandbox.commit({b"a": b"0\n"})
    sandbox.git("checkout", "-q", "-b", "topic")
    topics = [sandbox.commit({b"a": b"topic %d\n" % number}) for number in range(3)]
    sandbox.git("checkout", "-q", "main")
    main = sandbox.commit({b"a": b"main\n"})
    assert under_way(sandbox.repo) == ((), ())
    halt(sandbox, "merge", "topic")
    assert topics[2] in under_way(sandbox.repo).commits
    sandbox.git("merge", "--abort")
    halt(sandbox, "cherry-pick", topics[0], topics[2])
    named = under_way(sandbox.repo).commits
    assert {topics[0], main} <= set(named)
    assert any(topics[2].startswith(name) for name in named)
    sandbox.git("cherry-pick", "--abort")
    sandbox.git("checkout", "-q", "topic")
    halt(sandbox, "rebase", "main")
    assert {*topics, main} <= set(under_way(sandbox.repo).commits)
    sandbox.git("rebase", "--abort")
    sandbox.git("checkout", "-q", topics[1])
    sandbox.git("bisect", "start", topics[2], base)
    assert topics[1] in under_way(sandbox.repo).commits


def test_a_rebase_keeps_its_autostash(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox("main")
    base = sandbox.commit({b"a": b"0\n", b"b": b"0\n"})
    sandbox.git("checkout", "-q", "-b", "topic")
    sandbox.commit({b"a": b"topic\n"})
    sandbox.git("checkout", "-q", "main")
    sandbox.commit({b"a": b"main\n"})
    sandbox.write(b"b", b"not committed\n")
    halt(sandbox, "rebase", "--autostash", "topic")
    [stash] = under_way(sandbox.repo).autostashes
    assert base not in parents(sandbox.repo, [stash])[stash]
    assert sandbox.git("show", f"{stash}:b") == "not committed"


def test_pointers_of_many_commits(sandbox: Sandbox) -> None:
    commits = [
        sandbox.commit({b"a.dvt": b"1", b"d/b.dvt": b"1", b"d/.dvt": b"no", b"x.txt": b"no"}),
        sandbox.commit({b"a.dvt": b"2", b":c.dvt": b"1"}),
        sandbox.commit({b"x.txt": b"again"}),
    ]
    sandbox.git("rm", "-q", "a.dvt")
    commits.append(sandbox.commit({b"d/b.dvt": b"2"}))

    def content(blob: str) -> str:
        return sandbox.git("cat-file", "blob", blob)

    for order in (commits, commits[::-1], [commits[1], commits[3], commits[0], commits[3]]):
        found = {(path, content(blob)) for _, path, blob in pointer_blobs_of(sandbox.repo, order)}
        wanted = {(b"a.dvt", "1"), (b"a.dvt", "2"), (b"d/b.dvt", "1"), (b"d/b.dvt", "2"), (b":c.dvt", "1")}
        assert found == wanted
    assert {path for _, path, _ in pointer_blobs_of(sandbox.repo, [commits[3]])} == {b"d/b.dvt", b":c.dvt"}
    assert list(pointer_blobs_of(sandbox.repo, [])) == []


def test_a_commit_that_is_not_there_is_an_error(sandbox: Sandbox) -> None:
    commits = [sandbox.commit({b"a.dvt": b"%d" % number}) for number in range(3)]
    lost = os.path.join(sandbox.repo.git_dir, b"objects", os.fsencode(commits[1][:2]), os.fsencode(commits[1][2:]))
    os.chmod(lost, 0o600)
    os.unlink(lost)
    for order in (commits, [commits[1]], [commits[0], commits[1]]):
        with pytest.raises(DvtoolError):
            list(pointer_blobs_of(sandbox.repo, order))


def test_last_commits_and_those_since(sandbox: Sandbox) -> None:
    commits = []
    for number in range(4):
        sandbox.environ = {**sandbox.environ, "GIT_COMMITTER_DATE": f"{1_700_000_000 + number} +0000"}
        commits.append(sandbox.commit({b"a": b"%d" % number}))
    repo = sandbox.repo
    assert last_commits(repo, "HEAD", 2) == [commits[3], commits[2]]
    assert last_commits(repo, commits[1], -1) == [commits[1], commits[0]]
    assert set(commits_since(repo, 1_700_000_002.0)) == {commits[2], commits[3]}
    assert parents(repo, commits[:2]) == {commits[0]: [], commits[1]: [commits[0]]}


def test_every_stash_is_found_also_without_its_log(sandbox: Sandbox) -> None:
    sandbox.commit({b"a": b"0"})
    for text in (b"1", b"2"):
        sandbox.write(b"a", text)
        sandbox.git("stash")
    newest = sandbox.git("rev-parse", "refs/stash")
    older = sandbox.git("rev-parse", "stash@{1}")
    assert stashes(sandbox.repo) == [newest, older]
    os.unlink(os.path.join(sandbox.repo.common_dir, b"logs/refs/stash"))
    assert stashes(sandbox.repo) == [newest]


def test_what_is_only_intended_to_be_added_is_not_staged(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.dvt": b"1"})
    sandbox.write(b"intended.dvt")
    sandbox.git("add", "-N", "intended.dvt")
    assert set(staged_pointers(sandbox.repo)) == {b"a.dvt"}
    sandbox.write(b"empty.dvt", b"")
    sandbox.git("add", "empty.dvt")
    assert set(staged_pointers(sandbox.repo)) == {b"a.dvt", b"empty.dvt"}
