"""What a collection keeps, and what makes it stop."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import MissingData
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.formats.lock import encode_lock
from dvtool.formats.pointer import encode_pointer
from dvtool.hashing.digests import object_id
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.project.adoption import Adoption
from dvtool.project.environment import Environment
from dvtool.project.init import init_project
from dvtool.project.keeping import Keep
from dvtool.project.keeping import KeepRules
from dvtool.project.keeping import roots_to_keep
from dvtool.project.named import named_roots
from dvtool.project.open import open_project
from tests.support.workbench import Workbench

DATE = 1_700_000_000


def pointer_text(content: bytes, name: bytes = b"a") -> bytes:
    return encode_pointer(Pointer(name, Kind.FILE, Digest(Algorithm.BLAKE3, object_id(content)), len(content)))


class Repo(Workbench):
    """Pointers without data: one file ``a.dvt`` whose content is a word."""

    def write(self, word: str, path: str = "a") -> None:
        full = self.root / f"{path}.dvt"
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(pointer_text(word.encode(), os.fsencode(full.name[:-4])))

    def version(self, word: str, when: int = DATE) -> str:
        self.write(word)
        self.git("add", "-A")
        self.git("-c", "user.name=A", "commit", "-q", "-m", word, "--date", f"{when} +0000")
        return self.git("rev-parse", "HEAD").strip()

    def kept(self, *rules: KeepRules) -> dict[str, str]:
        """Each word of the tests that is kept, and who says so."""
        found = {}
        for keep in self.keeps(*rules):
            for word in WORDS:
                if keep.root.oid == object_id(word.encode()):
                    found[word] = keep.commit
        return found

    def keeps(self, *rules: KeepRules) -> list[Keep]:
        return roots_to_keep(self.project, rules[0] if rules else KeepRules())

    def words(self, *rules: KeepRules) -> set[str]:
        return set(self.kept(*rules))


WORDS = ("one", "two", "three", "four", "five", "staged", "file", "stash", "branch", "tag", "side", "other")


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


def test_files_index_and_head_are_always_kept(repo: Repo) -> None:
    first = repo.version("one")
    second = repo.version("two")
    repo.write("staged")
    repo.git("add", "a.dvt")
    repo.write("file")
    assert repo.kept() == {"file": "", "staged": "index", "two": second}
    repo.git("checkout", "-q", "-f", first)
    assert repo.kept() == {"one": ""}, "a detached HEAD"
    (repo.root / "a.dvt").unlink()
    repo.git("rm", "-q", "--cached", "a.dvt")
    assert repo.kept() == {"one": first}


def test_a_pointer_that_only_the_index_has(repo: Repo) -> None:
    repo.write("staged", "deep/b")
    repo.git("add", "deep")
    shutil.rmtree(repo.root / "deep")
    assert [(keep.path, keep.commit) for keep in repo.keeps()] == [(b"deep/b", "index")]


def test_stashes_are_kept_with_their_index_and_untracked_files(repo: Repo) -> None:
    head = repo.version("one")
    repo.write("staged")
    repo.git("add", "a.dvt")
    repo.write("file")
    repo.write("other", "untracked")
    repo.git("stash", "-q", "--include-untracked")
    repo.write("stash")
    repo.git("stash", "-q")
    assert repo.kept() == {"one": "", "staged": "stash", "file": "stash", "other": "stash", "stash": "stash"}
    repo.git("stash", "drop", "-q", "stash@{1}")
    assert repo.words() == {"one", "stash"}
    assert head


def test_a_stash_that_is_popped_meanwhile_is_seen(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.version("one")
    repo.write("stash")
    repo.git("stash", "-q")

    def popped(*_: object) -> list[str]:
        repo.git("stash", "pop", "-q")
        return []

    monkeypatch.setattr("dvtool.git.revisions.stashes", popped)
    assert repo.words() == {"one", "stash"}


def test_rules_select_commits(repo: Repo) -> None:
    first = repo.version("one")
    repo.git("tag", "-a", "-m", "x", "v1")
    second = repo.version("two")
    repo.git("branch", "kept")
    third = repo.version("three")
    repo.git("update-ref", "refs/dvtool/exps/x", third)
    repo.version("four")
    repo.git("checkout", "-q", "-b", "topic")
    repo.version("five")
    assert repo.words() == {"five"}
    assert repo.words(KeepRules(all_branches=True)) == {"five", "four", "two"}
    assert repo.words(KeepRules(all_tags=True)) == {"five", "one"}
    assert repo.words(KeepRules(all_experiments=True)) == {"five", "three"}
    assert repo.words(KeepRules(revs=("v1", "HEAD~2"))) == {"five", "one", "three"}
    assert repo.words(KeepRules(last=2)) == {"five", "four"}
    assert repo.words(KeepRules(revs=("kept",), last=2)) == {"five", "two", "one"}
    assert repo.words(KeepRules(last=-1)) == {"five", "four", "three", "two", "one"}
    assert repo.words(KeepRules(all_branches=True, all_tags=True)) == {"five", "four", "two", "one"}
    assert repo.kept(KeepRules(revs=(first, second)))["one"] == first
    with pytest.raises(UsageError, match="no revision 'nothing'"):
        repo.words(KeepRules(revs=("nothing",)))
    with pytest.raises(UnsafeInput):
        repo.words(KeepRules(revs=("--all",)))


def test_by_date(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, word in enumerate(("one", "two", "three")):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"{DATE + number} +0000")
        repo.version(word)
    repo.write("file")
    assert repo.words(KeepRules(since=DATE + 1.0)) == {"file", "two", "three"}
    assert repo.words(KeepRules(since=DATE + 2.5)) == {"file", "three"}, "HEAD is kept in any case"


def test_all_commits_reach_what_a_merge_threw_away(repo: Repo) -> None:
    repo.version("one")
    repo.git("checkout", "-q", "-b", "topic")
    side = repo.version("side")
    repo.git("checkout", "-q", "-")
    repo.git("merge", "-q", "--no-ff", "-s", "ours", "-m", "not theirs", "topic")
    repo.git("branch", "-q", "-D", "topic")
    assert repo.words() == {"one"}
    assert repo.kept(KeepRules(all_commits=True)) == {"one": "", "side": side}


def test_linked_worktrees_are_kept_with_index_and_head(repo: Repo, tmp_path: Path) -> None:
    repo.version("one")
    other = tmp_path / "other"
    repo.git("worktree", "add", "-q", "--detach", str(other))
    repo.version("two")
    repo.git("-C", str(other), "rm", "-q", "--cached", "a.dvt")
    (other / "a.dvt").write_bytes(pointer_text(b"staged"))
    repo.git("-C", str(other), "add", "a.dvt")
    (other / "a.dvt").write_bytes(pointer_text(b"file"))
    kept = repo.kept()
    assert kept.keys() == {"two", "one", "staged", "file"}
    assert (kept["file"], kept["staged"]) == (f"worktree {other}", f"index of {other}")
    shutil.rmtree(other)
    with pytest.raises(MissingData, match="linked worktree") as caught:
        repo.keeps()
    assert "git worktree prune" in str(caught.value.hint)
    repo.git("worktree", "prune")
    assert repo.words() == {"two"}


def test_both_sides_of_a_conflict_are_kept(repo: Repo) -> None:
    repo.version("one")
    repo.git("checkout", "-q", "-b", "topic")
    repo.version("side")
    repo.git("checkout", "-q", "-")
    repo.version("two")
    _halt(repo, "merge", "topic")
    with pytest.raises(FormatError, match="conflict markers"):
        repo.keeps()
    repo.write("two")
    assert repo.words() == {"one", "two", "side"}, "base and sides are in the index"
    repo.git("add", "-A")
    assert repo.words() == {"two", "side"}, "MERGE_HEAD"


def test_a_stopped_rebase_keeps_what_it_has_yet_to_apply(repo: Repo) -> None:
    repo.version("one")
    repo.git("checkout", "-q", "-b", "topic")
    repo.version("two")
    repo.version("three")
    repo.git("checkout", "-q", "-")
    repo.version("four")
    repo.git("checkout", "-q", "topic")
    _halt(repo, "rebase", "-")
    repo.write("five")
    repo.git("add", "-A")
    assert repo.words() == {"two", "three", "four", "five"}


def test_other_projects_of_the_repository_share_the_cache(repo: Repo) -> None:
    repo.version("one")
    (repo.root / "inner").mkdir()
    init_project(b"inner", repo.environment, subdir=True)
    repo.write("two", "inner/b")
    repo.commit()
    assert {(keep.path, keep.commit) for keep in repo.keeps()} == {(b"a", ""), (b"inner/b", "")}
    inner = open_project(b"inner", repo.environment)
    assert {keep.path for keep in roots_to_keep(inner, KeepRules())} == {b"b", b"../a"}
    assert len(roots_to_keep(inner, KeepRules(all_commits=True))) == 2


def test_directories_and_adopted_digests(repo: Repo) -> None:
    directory = Pointer(b"d", Kind.DIRECTORY, Digest(Algorithm.BLAKE3, object_id(b"tree")), 5, 1)
    adopted = Pointer(b"m", Kind.FILE, Digest(Algorithm.MD5, bytes(16)), 5)
    (repo.root / "d.dvt").write_bytes(encode_pointer(directory))
    (repo.root / "m.dvt").write_bytes(encode_pointer(adopted))
    found = {keep.path: keep.root for keep in repo.keeps()}
    assert (found[b"d"].directory, found[b"d"].oid) == (True, object_id(b"tree"))
    # Nothing is here of what nobody knows.
    assert b"m" not in found
    with Adoption(open_project(b".", repo.environment)) as adoption:
        adoption.aliases.put(adopted.digest.oid, object_id(b"bytes"), 5)
    found = {keep.path: keep.root for keep in repo.keeps()}
    assert (found[b"m"].directory, found[b"m"].oid) == (False, object_id(b"bytes"))


@pytest.mark.parametrize("text", [b"", b"dvtool: 1\n", pointer_text(b"x")[:-9], b"garbage\n"])
def test_a_pointer_that_cannot_be_read_stops(repo: Repo, text: bytes) -> None:
    good = repo.version("one")
    (repo.root / "b.dvt").write_bytes(text)
    with pytest.raises(DvtoolError, match=r"b\.dvt"):
        repo.keeps()
    repo.git("add", "-A")
    (repo.root / "b.dvt").unlink()
    with pytest.raises(DvtoolError, match=r"b\.dvt in index"):
        repo.keeps()
    repo.git("commit", "-q", "-m", "bad")
    bad = repo.git("rev-parse", "HEAD").strip()
    with pytest.raises(DvtoolError, match=rf"b\.dvt in (index|{bad[:10]})"):
        repo.keeps()
    repo.git("checkout", "-q", "-f", good)
    assert repo.words() == {"one"}
    with pytest.raises(DvtoolError, match=rf"b\.dvt in {bad[:10]}"):
        repo.keeps(KeepRules(revs=(bad,)))
    repo.git("stash", "store", bad)
    with pytest.raises(DvtoolError, match=r"b\.dvt in stash"):
        repo.keeps()


def test_a_pointer_behind_a_link_stops(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(pointer_text(b"one"))
    (repo.root / "a.dvt").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafeInput):
        repo.keeps()


def test_git_that_fails_stops(repo: Repo) -> None:
    repo.version("one")
    (repo.root / ".git" / "index").write_bytes(b"no index")
    with pytest.raises(DvtoolError, match="git"):
        repo.keeps()


def test_a_head_that_cannot_be_read_stops(repo: Repo) -> None:
    repo.version("one")
    gitdir = repo.root / ".git"
    (gitdir / "HEAD").write_text("f" * 40 + "\n")
    with pytest.raises(DvtoolError):
        repo.keeps()


def test_without_commits_or_without_git(repo: Repo, tmp_path: Path) -> None:
    repo.git("checkout", "-q", "--orphan", "fresh")
    repo.git("rm", "-q", "-r", "--cached", ".")
    assert repo.keeps() == []
    assert repo.keeps(KeepRules(last=3)) == []
    plain = tmp_path / "plain"
    plain.mkdir()
    environment = Environment(dict(os.environ), os.fsencode(tmp_path), os.fsencode(plain))
    init_project(b".", environment, no_scm=True)
    (plain / "a.dvt").write_bytes(pointer_text(b"one"))
    project = open_project(b".", environment)
    assert [(keep.path, keep.commit) for keep in roots_to_keep(project, KeepRules())] == [(b"a", "")]
    with pytest.raises(UsageError, match="without Git"):
        roots_to_keep(project, KeepRules(all_branches=True))


def _halt(repo: Repo, *args: str) -> None:
    done = subprocess.run(["git", *args], cwd=repo.root, capture_output=True, check=False)
    assert done.returncode != 0


def lock_text(*words: str) -> bytes:
    outs = {f"out/{word}".encode(): _content(word) for word in words}
    return encode_lock({"s": LockedStage(outs=outs, storing={b"out/side": Storing(cache=False)})})


def _content(word: str) -> Content:
    return Content(Kind.FILE, Digest(Algorithm.BLAKE3, object_id(word.encode())), len(word))


def test_outputs_that_only_a_lock_names_are_kept(repo: Repo) -> None:
    repo.root.joinpath("dvtool.lock").write_bytes(lock_text("tag", "side"))
    repo.version("one")
    repo.git("tag", "v1")
    repo.root.joinpath("dvtool.lock").write_bytes(lock_text("staged"))
    repo.git("add", "dvtool.lock")
    repo.root.joinpath("dvtool.lock").write_bytes(lock_text("file"))
    assert {"staged", "file"} <= repo.words()
    repo.git("-c", "user.name=A", "commit", "-q", "-a", "-m", "later")
    assert "tag" not in repo.words()
    for rules in (KeepRules(all_tags=True), KeepRules(all_commits=True), KeepRules(revs=("v1",))):
        assert "tag" in repo.words(rules)
        assert "side" not in repo.words(rules), "an output that is not in the cache"
    assert {root.oid for root in named_roots(repo.project)} >= {object_id(b"tag"), object_id(b"file")}


def test_a_lock_that_cannot_be_read_stops_it(repo: Repo) -> None:
    repo.root.joinpath("dvtool.lock").write_bytes(b"{")
    with pytest.raises(FormatError, match=r"dvtool\.lock"):
        repo.keeps()
