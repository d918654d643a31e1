from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dvtool.git.discover import find_git
from dvtool.git.run import GitRepo
from dvtool.git.staged import files_between
from dvtool.git.staged import own_files_at
from dvtool.git.staged import own_files_staged
from dvtool.git.staged import sizes
from dvtool.git.staged import staged_files


def git(at: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=at, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    git(tmp_path, "init", "-q")
    for path in (".dvtool/config", "sub/.dvtool/config", "a", "a.dvt", "sub/dvtool.lock", ".dvt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(path)
    (tmp_path / "link").symlink_to("a")
    git(tmp_path, "add", "-A")
    found = find_git(str(tmp_path).encode(), {})
    assert found is not None
    return found


def test_before_the_first_commit_everything_is_new(repo: GitRepo) -> None:
    files = staged_files(repo)
    assert [file.path for file in files] == [
        b".dvt",
        b".dvtool/config",
        b"a",
        b"a.dvt",
        b"sub/.dvtool/config",
        b"sub/dvtool.lock",
    ]
    assert {file.before for file in files} == {None}


def test_what_changed_with_its_sizes(repo: GitRepo) -> None:
    at = Path(repo.worktree.decode())
    git(at, "commit", "-q", "-m", "one")
    (at / "a").write_text("longer")
    (at / "b").write_text("b")
    git(at, "add", "-A")
    git(at, "rm", "-q", "--cached", "a.dvt")
    new = {file.path: file for file in staged_files(repo)}
    assert set(new) == {b"a", b"b"}
    before = new[b"a"].before
    assert before is not None
    assert sizes(repo, [new[b"a"].blob, before, "0" * 40]) == {new[b"a"].blob: 6, before: 1}
    git(at, "commit", "-q", "-m", "two")
    assert staged_files(repo) == []
    assert {file.path: file for file in files_between(repo, "HEAD~1", "HEAD")} == new


def test_own_files_of_the_index_and_of_a_commit(repo: GitRepo) -> None:
    at = Path(repo.worktree.decode())
    git(at, "commit", "-q", "-m", "one")
    found = own_files_staged(repo)
    assert found == own_files_at(repo, "HEAD")
    assert found.roots == [b"", b"sub"]
    assert list(found.pointers) == [b"a.dvt"], "`.dvt` alone is none"
    assert list(found.locks) == [b"sub/dvtool.lock"]
