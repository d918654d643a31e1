from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.git import revisions
from tests.unit.git.conftest import Sandbox


def test_resolve_reads_what_git_reads(sandbox: Sandbox) -> None:
    first = sandbox.commit(message="first of all")
    second = sandbox.commit(message="second")
    sandbox.git("tag", "-a", "v1", "-m", "annotated", first)
    repo = sandbox.repo
    for name in ("v1", "HEAD~1", first[:10], "main^", ":/first of", "refs/tags/v1"):
        assert revisions.resolve(repo, name) == first
    assert revisions.resolve(repo, "@") == second
    assert second.startswith(revisions.short(repo, second))


def test_unknown_revision_offers_similar_names(sandbox: Sandbox) -> None:
    sandbox.commit()
    sandbox.git("branch", "feature/images")
    with pytest.raises(UsageError) as error:
        revisions.resolve(sandbox.repo, "feature/image")
    assert "feature/images" in (error.value.hint or "")


@pytest.mark.parametrize("rev", ["main..other", "HEAD:file", "0" * 40])
def test_what_is_no_single_commit_is_refused(sandbox: Sandbox, rev: str) -> None:
    sandbox.commit({b"file": b"1"})
    sandbox.git("branch", "other")
    with pytest.raises(UsageError):
        revisions.resolve(sandbox.repo, rev)


@pytest.mark.parametrize("rev", ["", "--output=marker", "-h", "a\nb", "a\0b"])
def test_revisions_that_could_be_options_never_reach_git(sandbox: Sandbox, rev: str) -> None:
    with pytest.raises(UnsafeInput):
        revisions.resolve(sandbox.repo, rev)


def test_head_costs_no_process(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = sandbox.repo
    states: list[tuple[str, Callable[[], object]]] = [
        ("loose", lambda: None),
        ("packed", lambda: sandbox.git("pack-refs", "--all")),
        ("detached", lambda: sandbox.git("checkout", "-q", "--detach")),
    ]
    commit = sandbox.commit()
    sandbox.git("branch", "main2", commit)
    sandbox.git("branch", "ain")
    for name, reach in states:
        reach()
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", None)
            assert revisions.head(repo) == commit, name


def test_head_of_an_unborn_branch_is_none(sandbox: Sandbox) -> None:
    assert revisions.head(sandbox.repo) is None
    sandbox.commit()
    sandbox.git("pack-refs", "--all")
    sandbox.git("checkout", "-q", "--orphan", "other")
    assert revisions.head(sandbox.repo) is None


def test_head_of_a_linked_worktree_is_its_own(sandbox: Sandbox) -> None:
    first = sandbox.commit()
    linked = Sandbox(os.path.dirname(sandbox.top) + b"/linked")
    sandbox.git("worktree", "add", "-q", "-b", "side", linked.top)
    second = sandbox.commit()
    assert (revisions.head(linked.repo), revisions.head(sandbox.repo)) == (first, second)


def test_branches_are_local_and_tags_lead_to_commits(sandbox: Sandbox) -> None:
    first = sandbox.commit({b"f": b"1"})
    sandbox.git("tag", "light")
    sandbox.git("tag", "-a", "v1", "-m", "x")
    sandbox.git("-c", "advice.nestedTag=false", "tag", "-a", "nested", "-m", "x", "v1")
    sandbox.git("tag", "a-tree", "HEAD^{tree}")
    second = sandbox.commit()
    sandbox.git("update-ref", "refs/remotes/origin/main", first)
    repo = sandbox.repo
    assert revisions.branches(repo) == {"main": second}
    assert revisions.tags(repo) == {"light": first, "v1": first, "nested": first}
    assert sorted(revisions.refs_by_commit(repo)[first]) == ["light", "nested", "origin/main", "v1"]


def test_all_commits_include_every_ref_and_worktree(sandbox: Sandbox) -> None:
    base = sandbox.commit()
    sandbox.git("checkout", "-q", "--detach")
    lost = sandbox.commit(message="only in a linked work tree")
    sandbox.git("worktree", "add", "-q", "--detach", os.path.dirname(sandbox.top) + b"/linked")
    sandbox.git("checkout", "-q", "main")
    assert set(revisions.all_commits(sandbox.repo)) == {base, lost}


def test_nothing_in_an_empty_repository(sandbox: Sandbox) -> None:
    repo = sandbox.repo
    assert (revisions.branches(repo), revisions.tags(repo)) == ({}, {})
    assert (revisions.all_commits(repo), revisions.stashes(repo)) == ([], [])
