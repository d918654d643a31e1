from __future__ import annotations

import os
import sys

import pytest

from dvtool.errors import DvtoolError
from dvtool.errors import UnsafeInput
from dvtool.git import worktree
from dvtool.git.run import Argument
from dvtool.git.run import GitRepo
from dvtool.git.run import Output
from tests.unit.git.conftest import Sandbox

ODD = [
    b"line\nfeed.dvt",
    b"quo\"te'.dvt",
    b"-rf.dvt",
    b":(top)x.dvt",
    b"[a]*?.dvt",
    b"tab\t.dvt",
    b"back\\slash.dvt",
    b"d [x]\n/deep er/y.dvt",
]
if sys.platform != "darwin":
    ODD.append(b"latin\xe9\xff.dvt")


def test_odd_names_come_back_as_they_are(sandbox: Sandbox) -> None:
    for path in ODD:
        sandbox.write(path)
    repo = sandbox.repo
    assert worktree.pointers_in_worktree(repo) == sorted(ODD)
    worktree.stage(repo, ODD)
    assert set(worktree.staged_pointers(repo)) == set(ODD)
    commit = sandbox.commit()
    assert worktree.pointers_at(repo, commit) == {path: sha for path, [sha] in worktree.staged_pointers(repo).items()}
    assert worktree.tracked(repo, [*ODD, b"no", b"d [x]\n"]) == {*ODD, b"d [x]\n"}
    for path in ODD:
        sandbox.write(path, b"other\n")
    assert {change.path for change in worktree.changed_pointers(repo)} == set(ODD)


def test_worktree_pointers_exist_and_are_not_ignored(sandbox: Sandbox) -> None:
    sandbox.commit({b"kept.dvt": b"1", b"gone.dvt": b"1", b"x.dvtool": b"", b".dvt": b""})
    os.unlink(sandbox.top + b"/gone.dvt")
    sandbox.write(b".gitignore", b"/ignored\n")
    sandbox.write(b"ignored/a.dvt")
    sandbox.write(b"new.dvt")
    os.symlink(b"nowhere", sandbox.top + b"/link.dvt")
    sandbox.write(b"directory.dvt/file")
    sandbox.git("update-index", "--add", "--cacheinfo", f"160000,{sandbox.git('rev-parse', 'HEAD')},sub.dvt")
    os.mkdir(sandbox.top + b"/sub.dvt")
    assert worktree.pointers_in_worktree(sandbox.repo) == [b"kept.dvt", b"link.dvt", b"new.dvt"]


def test_conflict_lists_a_pointer_once_with_all_its_blobs(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.dvt": b"base\n"})
    sandbox.git("checkout", "-q", "-b", "side")
    sandbox.commit({b"a.dvt": b"side\n"})
    sandbox.git("checkout", "-q", "main")
    sandbox.commit({b"a.dvt": b"main\n"})
    with pytest.raises(AssertionError):
        sandbox.git("merge", "-q", "side")
    assert worktree.pointers_in_worktree(sandbox.repo) == [b"a.dvt"]
    assert len(worktree.staged_pointers(sandbox.repo)[b"a.dvt"]) == 3


def test_subdirectory_is_literal_and_inner_projects_are_left_out(sandbox: Sandbox) -> None:
    files = [b"p[1]/a.dvt", b"p[1]/deep/b.dvt", b"p1/c.dvt", b"p[1]/inner/.dvtool/config", b"p[1]/inner/d.dvt"]
    sandbox.commit(dict.fromkeys([*files, b"p[1]/.dvtool/config"], b"x\n"))
    repo = sandbox.repo
    own = [b"p[1]/a.dvt", b"p[1]/deep/b.dvt"]
    assert worktree.pointers_in_worktree(repo, b"p[1]") == own
    assert sorted(worktree.pointers_at(repo, "HEAD", b"p[1]")) == own
    assert worktree.pointers_in_worktree(repo) == [b"p1/c.dvt"]
    assert worktree.pointers_in_worktree(repo, b"p[1]/inner") == [b"p[1]/inner/d.dvt"]
    assert sorted(worktree.staged_pointers(repo, b"p1")) == [b"p1/c.dvt"]
    assert sorted(worktree.staged_pointers(repo, b"p[1]")) == own
    for path in files:
        sandbox.write(path, b"longer\n")
    assert [change.path for change in worktree.changed_pointers(repo, subdir=b"p[1]")] == own
    assert [change.path for change in worktree.changed_pointers(repo)] == [b"p1/c.dvt"]


def test_links_and_submodules_are_no_pointers_of_a_commit(sandbox: Sandbox) -> None:
    os.symlink(b"target", sandbox.top + b"/link.dvt")
    commit = sandbox.commit({b"real.dvt": b"1"})
    sandbox.git("update-index", "--add", "--cacheinfo", f"160000,{commit},sub.dvt")
    sandbox.git("commit", "-q", "-m", "sub")
    assert set(worktree.pointers_at(sandbox.repo, "HEAD")) == {b"real.dvt"}
    assert set(worktree.staged_pointers(sandbox.repo)) == {b"real.dvt"}


def test_changes_against_a_commit(sandbox: Sandbox) -> None:
    sandbox.commit({b"same.dvt": b"0\n", b"edited.dvt": b"1\n", b"gone.dvt": b"2\n", b"staged.dvt": b"3\n"})
    sandbox.write(b"edited.dvt", b"more than before\n")
    os.unlink(sandbox.top + b"/gone.dvt")
    sandbox.write(b"new.dvt")
    sandbox.write(b"staged.dvt", b"also more\n")
    repo = sandbox.repo
    worktree.stage(repo, [b"new.dvt", b"staged.dvt"])
    changes = {change.path: change for change in worktree.changed_pointers(repo)}
    assert {path: change.status for path, change in changes.items()} == {
        b"edited.dvt": "M",
        b"gone.dvt": "D",
        b"new.dvt": "A",
        b"staged.dvt": "M",
    }
    assert changes[b"edited.dvt"].new is None
    assert changes[b"new.dvt"].old is None
    assert changes[b"staged.dvt"].new == worktree.staged_pointers(repo)[b"staged.dvt"][0]


def test_stage_adds_updates_and_removes(sandbox: Sandbox) -> None:
    sandbox.commit({b"a.dvt": b"1", b"b.dvt": b"1", b".gitignore": b"c.dvt\n"})
    os.unlink(sandbox.top + b"/b.dvt")
    sandbox.write(b"a.dvt", b"changed")
    sandbox.write(b"c.dvt")
    worktree.stage(sandbox.repo, [b"a.dvt", b"b.dvt", b"c.dvt", b"never-was.dvt"])
    assert sandbox.git("diff", "--cached", "--name-status").split() == ["M", "a.dvt", "D", "b.dvt", "A", "c.dvt"]
    worktree.stage(sandbox.repo, [])


def test_unborn_branch_has_pointers_in_the_index_and_no_commit(sandbox: Sandbox) -> None:
    sandbox.write(b"a.dvt")
    sandbox.git("add", "a.dvt")
    assert list(worktree.staged_pointers(sandbox.repo)) == [b"a.dvt"]
    with pytest.raises(DvtoolError):
        worktree.pointers_at(sandbox.repo, "HEAD")


def test_revision_like_an_option_is_refused(sandbox: Sandbox) -> None:
    sandbox.commit()
    for call in (worktree.pointers_at, worktree.changed_pointers):
        with pytest.raises(UnsafeInput):
            call(sandbox.repo, "--output=marker")
    assert not os.path.exists(sandbox.top + b"/marker")


def test_many_paths_are_asked_for_at_once(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ODD:
        sandbox.write(path)
    repo, asked = sandbox.repo, []
    worktree.stage(repo, ODD)
    run = GitRepo.run

    def counted(self: GitRepo, *args: Argument) -> Output:
        asked.append(args)
        return run(self, *args)

    monkeypatch.setattr(GitRepo, "run", counted)
    absent = [b"no/%d" % number for number in range(1_000)]
    assert worktree.tracked(repo, [*absent, *ODD, b"d [x]\n"]) == {*ODD, b"d [x]\n"}
    assert len(asked) == 1
