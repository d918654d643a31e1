"""``dvtool fsck`` as it is typed: what it says, how it ends, and that a repair brings everything back."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dvtool.formats.records import decode_root_record
from tests.support.datarepo import DataRepo
from tests.support.datarepo import pushed_clone
from tests.support.datasets import content
from tests.support.datasets import damage
from tests.support.datasets import packs_of


@pytest.fixture
def repo(repo: DataRepo) -> DataRepo:
    """With a large file, so that the cache has a loose one."""
    (repo.at / "large").write_bytes(content("large", 300_000))
    repo.add("large")
    repo.commit("large")
    return repo


def cache_of(repo: DataRepo) -> Path:
    return repo.at / ".git/dvtool/cache"


def files(repo: DataRepo, *folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (cache_of(repo) / folder).rglob("*") if path.is_file())


def fsck(repo: DataRepo, *argv: str, code: int) -> Any:
    ran = repo.cli("fsck", "--json", *argv)
    assert ran.code == code, ran
    return ran.document


def kinds(document: Any) -> list[str]:
    return sorted(finding["kind"] for finding in document["findings"])


def paths(document: Any) -> set[str]:
    return {path["path"] for finding in document["findings"] for path in finding["paths"]}


def test_a_sound_cache(repo: DataRepo) -> None:
    ran = repo.cli("fsck", "--deep")
    assert ran.code == 0
    assert ran.out.startswith("cache: sound (")
    document = fsck(repo, code=0)
    assert (document["schema"], document["store"], document["findings"]) == ("dvtool/fsck/1", "cache", [])
    assert document["checked"]["tracked_files"] == 7


def test_what_is_damaged_which_paths_what_next(repo: DataRepo) -> None:
    (loose,) = files(repo, "objects")
    damage(loose, 1000)
    assert repo.cli("fsck").code == 0
    ran = repo.cli("fsck", "--deep")
    assert ran.code == 3
    lines = ran.out.splitlines()
    assert lines[0] == f"damaged: {loose}: the bytes are not what their name says"
    assert lines[1:3] == ["    large", "    next: dvtool fsck --deep --repair"]
    assert ran.err.splitlines()[0] == "error: the cache is damaged: 1 finding, 1 path affected"


def test_the_proposed_repair_looks_at_all_that_the_check_looked_at(repo: DataRepo) -> None:
    (loose,) = files(repo, "objects")
    damage(loose, 1000)
    ran = repo.cli("fsck", "-A", "--rev", "HEAD", "--subset", "100%", "large")
    assert ran.code == 3
    proposed = ran.err.splitlines()[1].removeprefix("hint: dvtool ")
    assert proposed == "fsck --deep -A --rev=HEAD large --repair"
    assert f"repaired: {loose}" in repo.cli.done(*proposed.split())
    assert fsck(repo, "--deep", code=0)["before"] is None


def test_damage_comes_before_what_is_missing(repo: DataRepo) -> None:
    for path in files(repo, "data"):
        path.unlink()
    assert kinds(fsck(repo, code=4)) == ["missing", "missing"]
    (loose,) = files(repo, "objects")
    damage(loose, 5)
    assert kinds(fsck(repo, "--deep", code=3)) == ["loose", "missing", "missing", "writable"]


def test_notes_alone_end_with_0(repo: DataRepo) -> None:
    (cache_of(repo) / "tmp/.dvtool-tmp-0011").write_bytes(b"x")
    (loose,) = files(repo, "objects")
    loose.chmod(0o644)
    document = fsck(repo, code=0)
    assert kinds(document) == ["leftover", "writable"]
    assert all(finding["severity"] == "note" for finding in document["findings"])
    fsck(repo, "--repair", code=0)
    assert not loose.stat().st_mode & 0o222


def test_targets_and_revisions(repo: DataRepo) -> None:
    (repo.at / "large").write_bytes(content("second", 300_000))
    repo.add("large")
    repo.commit("second")
    old, new = sorted(files(repo, "objects"), key=lambda path: path.stat().st_mtime_ns)
    old.unlink()
    fsck(repo, code=0)
    for argv in (["--rev", "HEAD~1"], ["-A"]):
        document = fsck(repo, *argv, code=4)
        assert paths(document) == {"large"}
        assert [finding["fix"] for finding in document["findings"]] == ["dvtool fetch -A large"]
    new.unlink()
    fsck(repo, "data", code=0)
    assert paths(fsck(repo, "large", code=4)) == {"large"}
    assert repo.cli("fsck", "nothing").code == 2


def test_versions_of_one_path_are_one_line(repo: DataRepo) -> None:
    for name in ("second", "third"):
        (repo.at / "large").write_bytes(content(name, 300_000))
        repo.add("large")
        repo.commit(name)
    for path in sorted(files(repo, "objects"), key=lambda path: path.stat().st_mtime_ns)[:2]:
        path.unlink()
    assert "    large  (2 versions)\n    next: dvtool fetch -A large\n" in repo.cli("fsck", "-A").out


def test_what_git_has_staged_counts(repo: DataRepo) -> None:
    (repo.at / "large").write_bytes(content("staged", 300_000))
    repo.add("large")
    repo.git("add", "large.dvt")
    repo.git("show", "HEAD:large.dvt")
    (repo.at / "large.dvt").write_text(repo.git("show", "HEAD:large.dvt") + "\n")
    fsck(repo, code=0)
    max(files(repo, "objects"), key=lambda path: path.stat().st_mtime_ns).unlink()
    assert paths(fsck(repo, code=4)) == {"large"}


@pytest.mark.parametrize("folder", ["data", "meta", "objects", "dvtool-store.json"])
def test_from_the_files_of_the_worktree_everything_comes_back(repo: DataRepo, folder: str) -> None:
    cache = cache_of(repo)
    for path in files(repo, folder) or [cache / folder]:
        damage(path, path.stat().st_size // 2)
    fsck(repo, "--deep", code=3)
    document = fsck(repo, "--deep", "--repair", code=0)
    assert document["before"]
    assert [finding["kind"] for finding in document["findings"]] == ["quarantine"]
    fsck(repo, "--deep", "-A", code=0)
    before = sorted(path.relative_to(cache) for path in cache.rglob("*"))
    fsck(repo, "--deep", "--repair", code=0)
    assert sorted(path.relative_to(cache) for path in cache.rglob("*")) == before


def test_an_empty_cache_comes_back_from_the_worktree(repo: DataRepo) -> None:
    shutil.rmtree(cache_of(repo))
    fsck(repo, "--repair", code=0)
    fsck(repo, "--deep", code=0)


def test_a_changed_file_heals_nothing_and_stays_as_it_is(repo: DataRepo) -> None:
    (loose,) = files(repo, "objects")
    loose.unlink()
    changed = content("mine", 300_000)
    (repo.at / "large").write_bytes(changed)
    fsck(repo, "--repair", code=4)
    assert (repo.at / "large").read_bytes() == changed


def test_what_the_worktree_does_not_have_comes_from_a_remote(repo: DataRepo, tmp_path: Path) -> None:
    clone = pushed_clone(repo, tmp_path)
    fsck(clone, code=4)
    assert paths(fsck(clone, "large", code=4)) == {"large"}
    document = fsck(clone, "--repair", code=0)
    assert document["findings"] == []
    assert clone.cli("checkout").code == 0
    for path in files(clone, "data", "meta", "objects"):
        damage(path, 50)
    shutil.rmtree(clone.at / "data")
    fsck(clone, "--deep", "--repair", code=0)
    clone.cli.done("checkout", "-q")
    assert fsck(clone, "--deep", code=0)["checked"]["tracked_files"] == 7


def test_without_any_source_the_rest_is_saved_and_named(repo: DataRepo) -> None:
    for path in files(repo, "data"):
        if b"p1" in path.read_bytes():
            damage(path, path.read_bytes().index(b"p1"))
    shutil.rmtree(repo.at / "data")
    fsck(repo, "--deep", code=3)
    assert paths(fsck(repo, "--deep", "--repair", code=4)) == {"data/img/1.png"}
    assert paths(fsck(repo, "--deep", code=4)) == {"data/img/1.png"}


def test_what_only_other_commits_need_is_told_of(repo: DataRepo, tmp_path: Path) -> None:
    pushed_clone(repo, tmp_path)
    (old,) = files(repo, "objects")
    (repo.at / "large").write_bytes(content("second", 300_000))
    repo.add("large")
    repo.commit("second")
    damage(old, 9)
    ran = repo.cli("fsck", "--deep", "--repair")
    assert (ran.code, "1 damaged object not brought back: `dvtool fsck -A --repair`" in ran.err) == (0, True)
    assert "not brought back" not in repo.cli("fsck", "-A", "--repair").err
    fsck(repo, "-A", "--deep", code=0)


def test_a_remote_is_checked_without_a_cache(repo: DataRepo, tmp_path: Path) -> None:
    clone = pushed_clone(repo, tmp_path)
    ran = clone.cli("fsck", "--remote", "store", "--deep")
    assert (ran.code, ran.out.partition(" (")[0]) == (0, "remote store: sound")
    assert fsck(clone, "--remote", "store", "--subset", "1/1", code=0)["store"] == "store"


def test_a_remote_that_nothing_was_pushed_to(repo: DataRepo, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    repo.cli.done("remote", "add", "-q", "-d", "empty", str(tmp_path / "empty"))
    document = fsck(repo, "--remote", "empty", code=4)
    assert {finding["fix"] for finding in document["findings"]} == {"dvtool push"}
    fsck(repo, "--remote", "empty", "--repair", code=0)
    fsck(repo, "--remote", "empty", "--deep", code=0)


def test_max_age_reads_each_file_once(repo: DataRepo) -> None:
    first = fsck(repo, "--max-age", "30d", code=0)["checked"]
    again = fsck(repo, "--max-age", "30d", code=0)["checked"]
    assert first["bytes_hashed"] > 300_000 > again["bytes_hashed"]
    fsck(repo, "--deep", code=0)
    (loose,) = files(repo, "objects")
    damage(loose, 7)
    fsck(repo, "--max-age", "30d", code=0)
    fsck(repo, "--max-age", "0s", code=3)


def test_a_remote_lost_three_packs(repo: DataRepo, tmp_path: Path) -> None:
    """What is gone is told by path; a repair sends it again from the cache, and a fresh clone gets everything."""
    clone = pushed_clone(repo, tmp_path)
    for number in range(3):
        (repo.at / f"part{number}").write_bytes(content(number, 30_000))
        repo.add(f"part{number}")
        repo.commit(f"part {number}")
        repo.cli.done("push", "-q")
    clone.git("pull", "-q")
    store = tmp_path / "store"
    lost = packs_of(store)[:2] + packs_of(store)[-1:]
    for key in lost:
        (store / key).unlink()
    document = fsck(repo, "--remote", "store", code=4)
    assert {finding["place"] for finding in document["findings"] if finding["kind"] == "missing"} <= set(lost)
    assert paths(document)
    assert fsck(repo, "--remote", "store", "--repair", code=0)["findings"] == []
    fsck(repo, "--remote", "store", "--deep", code=0)
    clone.cli.done("pull", "-q")
    assert (clone.at / "part2").read_bytes() == content(2, 30_000)
    assert os.listdir(clone.at / "data")


def test_a_damaged_memo_is_a_note_and_is_begun_anew(repo: DataRepo) -> None:
    memo = repo.at / ".git/dvtool/memo.sqlite"
    repo.cli.done("status")
    with closing(sqlite3.connect(memo)) as db:
        db.execute("UPDATE page SET size = size + 1")
        db.commit()
    assert kinds(fsck(repo, code=0)) == ["memo"]
    assert fsck(repo, "--repair", code=0)["findings"] == []
    assert repo.cli("status", "--exit-code").code == 0
    memo.write_bytes(b"SQLite format 3\0" + bytes(5000))
    assert kinds(fsck(repo, code=0)) in ([], ["memo"])


def test_the_root_file_of_this_workspace_is_written_again(repo: DataRepo, tmp_path: Path) -> None:
    """Those of other workspaces stay: only they know what they need."""
    shared = tmp_path / "shared"
    repo.cli.done("cache", "dir", "-q", str(shared))
    fsck(repo, "--repair", code=0)
    (own,) = (shared / "roots").iterdir()
    named = decode_root_record(own.read_bytes(), "").roots
    damage(own, 30)
    other = own.with_name("cd" * 16)
    other.write_bytes(b"rubbish")
    assert kinds(fsck(repo, code=3)) == ["roots", "roots"]
    assert kinds(fsck(repo, "--repair", code=3)) == ["quarantine", "roots"]
    assert set(named) <= set(decode_root_record(own.read_bytes(), "").roots)
    assert other.read_bytes() == b"rubbish"


def test_what_killed_commands_left_in_the_worktree_is_noted(repo: DataRepo) -> None:
    (repo.at / "src/.dvtool-part-0011").write_bytes(b"half")
    (repo.at / "src/.dvtool-tmp-0022").write_bytes(b"mine")
    document = fsck(repo, code=0)
    assert kinds(document) == ["leftover", "leftover"]
    assert paths(document) == {"src/.dvtool-part-0011", "src/.dvtool-tmp-0022"}
    assert "maybe the only copy" in repo.cli("fsck").out


@pytest.mark.parametrize("place", ["roots", "index", "dvtool-store.json"])
def test_the_documents_of_a_remote_are_written_again(repo: DataRepo, tmp_path: Path, place: str) -> None:
    clone = pushed_clone(repo, tmp_path)
    store = tmp_path / "store"
    documents = [path for path in (store / place).rglob("*") if path.is_file()] or [store / place]
    for path in documents:
        damage(path, 30)
    fsck(repo, "--remote", "store", "--deep", code=3)
    fsck(repo, "--remote", "store", "--deep", "--repair", code=0)
    assert fsck(repo, "--remote", "store", "--deep", code=0)["findings"] == []
    clone.cli.done("pull", "-q")
    assert clone.cli("fsck", "--deep").code == 0
    assert (clone.at / "large").read_bytes() == content("large", 300_000)
