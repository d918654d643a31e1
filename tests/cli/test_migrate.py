"""A project of DVC becomes one of dvtool: at once, without its data, and back."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import Ran
from tests.support.dvcrepo import DvcRepo
from tests.support.dvcrepo import md5

V1 = {"a.csv": b"a\r\n1\r\n", "deep/b.bin": b"\0b"}
V2 = {**V1, "a.csv": b"a\r\n2\r\n", "new.txt": b"new\n"}
CODE = b"#!/bin/sh\necho made\n"
DEFINITION = """\
# How it is made.
stages:
  train:
    wdir: made
    cmd: sh ../code/run.sh > model; echo '{}' > scores.json; echo ran >> ../ran
    deps:
    - ../data
    - ../code
    params:
    - ../params.yaml:
      - lr
    outs:
    - model
    metrics:
    - scores.json:
        cache: false
"""
LOCK = """\
schema: '2.0'
stages:
  train:
    cmd: sh ../code/run.sh > model; echo '{{}}' > scores.json; echo ran >> ../ran
    deps:
    - path: ../code
      md5: {code}
      size: 21
      nfiles: 1
    - path: ../data
      md5: {data}
      size: 16
      nfiles: 3
    params:
      ../params.yaml:
        lr: {lr}
    outs:
    - path: model
      md5: {model}
      size: {size}
    - path: scores.json
      md5: {scores}
      size: 3
"""


def lock(repo: DvcRepo, lr: str, data: str, model: bytes = b"made\n") -> bytes:
    code = repo.manifest({"run.sh": CODE})
    shutil.rmtree(repo.cache / os.path.dirname(repo.key(code)), ignore_errors=True)
    shown = repo.store(model)
    scores = md5(b"{}\n")
    text = LOCK.format(code=code, data=data, lr=lr, model=shown, size=len(model), scores=scores)
    return (text if repo.version == 2 else text.replace("      md5:", "      hash: md5\n      md5:")).encode()


@pytest.fixture(params=[3, 2], ids=["dvc3", "dvc2"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> DvcRepo:
    """Two versions of a directory, and a stage that ran on the second."""
    made = DvcRepo(tmp_path / "repo", version=request.param)
    made.add("data", V1)
    made.commit("one")
    made.git("tag", "v1")
    data = made.add("data", V2)
    made.put("code/run.sh", CODE)
    made.put("params.yaml", b"lr: 0.1\n")
    made.put("made/model", b"made\n")
    made.put("made/scores.json", b"{}\n")
    made.put("made/.gitignore", b"/model\n")
    made.put("dvc.yaml", DEFINITION.encode())
    made.put("dvc.lock", lock(made, "0.1", data))
    made.put(".dvc/config.local", b"['remote \"store\"']\n    jobs = 3\n")
    made.commit("two")
    made.push()
    return made


def snapshot(repo: DvcRepo) -> dict[str, tuple[bytes, int]]:
    """Every file of the worktree and DVC's cache, with the time of its change."""
    paths = [path for path in repo.at.rglob("*") if path.is_file() and ".git" not in path.relative_to(repo.at).parts]
    return {os.fspath(path.relative_to(repo.at)): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def is_clean(repo: DvcRepo) -> bool:
    found = repo.cli("status", "--json").document
    return not (found["workspace"] or found["missing"] or found["beside"] or found["stages"])


def refused(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran
    assert "Traceback" not in ran.err
    for word in words:
        assert word in ran.err


def test_a_dry_run_lists_all_and_changes_nothing(repo: DvcRepo) -> None:
    before = snapshot(repo)
    found = repo.cli("migrate", "--dry-run", "--json").document
    assert not found["done"]
    pairs = {(each["source"], each["path"]) for each in found["converted"]}
    assert {("data.dvc", "data.dvt"), ("dvc.yaml", "dvtool.yaml"), ("dvc.lock", "dvtool.lock")} <= pairs
    assert found["settings"] == ["remote.store.jobs"]
    assert "removed: data.dvc" in repo.cli("migrate", "-n").out
    assert snapshot(repo) == before
    assert repo.git("status", "--porcelain") == ""


def test_data_stays_as_it_is_and_no_stage_runs(repo: DvcRepo) -> None:
    before = snapshot(repo)
    repo.cli.done("migrate")
    after = snapshot(repo)
    assert {path: after[path] for path in before.keys() & after.keys()} == {
        path: before[path] for path in before.keys() & after.keys()
    }
    assert {path for path in before if path not in after} == {
        "data.dvc",
        "dvc.yaml",
        "dvc.lock",
        ".dvcignore",
        ".dvc/config",
    }
    assert after["dvtool.yaml"][0].decode() == DEFINITION
    assert is_clean(repo)
    assert repo.cli("repro", "--json").document["stages"][0]["state"] == "skipped"
    assert not (repo.at / "ran").exists()
    assert repo.cli("config", "remote.store.jobs").out.strip() == "3"


def test_nothing_is_uploaded_and_a_clone_gets_all(repo: DvcRepo, tmp_path: Path) -> None:
    repo.cli.done("migrate")
    repo.git("commit", "-qm", "moved")
    there = set(repo.remote.rglob("*"))
    repo.cli.done("push")
    new = {path.relative_to(repo.remote).parts[0] for path in set(repo.remote.rglob("*")) - there if path.is_file()}
    assert not new & {"data", "meta"}
    clone = repo.clone()
    clone.cli.done("pull")
    assert clone.files("data") == V2
    assert is_clean(clone)
    assert "sound" in clone.cli.done("fsck")
    assert "sound" in clone.cli.done("fsck", "--remote", "store")
    assert clone.cli("repro", "--json").document["stages"][0]["state"] == "skipped"


def test_every_tag_checks_out(repo: DvcRepo) -> None:
    repo.cli.done("migrate")
    repo.git("commit", "-qm", "moved")
    # A file that dvtool never looked at is nobody's: it would stay where v1 has none.
    repo.cli.done("checkout")
    repo.git("checkout", "-q", "v1")
    repo.cli.done("checkout")
    assert repo.files("data") == V1
    repo.git("checkout", "-q", "main")
    repo.cli.done("checkout")
    assert repo.files("data") == V2
    assert is_clean(repo)


def test_data_that_only_the_cache_of_dvc_has_may_be_replaced(repo: DvcRepo) -> None:
    repo.git("checkout", "-q", "v1")
    repo.cli.done("checkout")
    assert repo.files("data")["a.csv"] == V1["a.csv"]
    repo.put("data/a.csv", b"my own\n")
    repo.git("checkout", "-q", "main")
    refused(repo.cli("checkout"), 1, "data/a.csv")
    assert repo.files("data")["a.csv"] == b"my own\n"


@pytest.fixture
def linked(tmp_path: Path) -> DvcRepo:
    """A file and a directory that DVC placed as symbolic links into its cache, never looked at by dvtool."""
    made = DvcRepo(tmp_path / "repo")
    made.add("one", b"one\n")
    made.add("data", {"a": b"one\n", "deep/b": b"two\n"})
    for path in ("one", "data/a", "data/deep/b"):
        place = made.at / path
        target = made.cache / made.key(md5(place.read_bytes()))
        place.unlink()
        place.symlink_to(target)
    made.commit("linked")
    made.cli.done("migrate")
    return made


def test_links_into_the_cache_of_dvc_are_what_they_stand_for(linked: DvcRepo) -> None:
    assert is_clean(linked)
    assert linked.cli("checkout").code == 0
    before = (linked.at / "one.dvt").read_bytes()
    linked.cli.done("unprotect", "one")
    assert not (linked.at / "one").is_symlink()
    (linked.at / "one").write_bytes(b"changed\n")
    assert linked.files("data") == {"a": b"one\n", "deep/b": b"two\n"}
    linked.cli.done("add", "one")
    assert (linked.at / "one.dvt").read_bytes() != before


def test_relink_leaves_the_cache_of_dvc_behind(linked: DvcRepo) -> None:
    linked.cli.done("checkout", "--relink")
    shutil.rmtree(linked.cache)
    assert is_clean(linked)
    assert (linked.at / "one").read_bytes() == b"one\n"
    assert linked.files("data") == {"a": b"one\n", "deep/b": b"two\n"}


def test_undo_takes_it_back(repo: DvcRepo) -> None:
    before = {path: data for path, (data, _) in snapshot(repo).items()}
    repo.cli.done("migrate")
    repo.cli.done("undo")
    assert {path: data for path, (data, _) in snapshot(repo).items()} == before
    assert repo.git("status", "--porcelain") == ""


def test_kept_files_of_dvc_are_compared(repo: DvcRepo) -> None:
    repo.cli.done("migrate", "--keep")
    assert (repo.at / "data.dvc").exists()
    assert is_clean(repo)
    # The same data under our own digest is still the same.
    repo.cli.done("add", "data")
    assert "blake3" in (repo.at / "data.dvt").read_text()
    assert is_clean(repo)
    repo.add("data", V1)
    found = repo.cli("status", "--json").document
    assert [each["path"] for each in found["beside"]] == ["data"]
    assert "data.dvt and data.dvc differ" in repo.cli("status").out


def test_a_second_migration_finishes_a_killed_one(repo: DvcRepo) -> None:
    lines = (repo.at / "data.dvc").read_bytes()
    repo.cli.done("migrate")
    pointer = (repo.at / "data.dvt").read_bytes()
    repo.put("data.dvc", lines)
    repo.put(".dvc/config", b"")
    repo.cli.done("migrate")
    assert not (repo.at / "data.dvc").exists()
    assert (repo.at / "data.dvt").read_bytes() == pointer
    refused(repo.cli("migrate"), 10, "not inside a DVC project")


def test_what_dvc_ran_before_need_not_run_again(repo: DvcRepo) -> None:
    first = repo.add("data", V1)
    run = lock(repo, "0.1", first, b"earlier\n").decode().split("  train:\n")[1]
    entry = "\n".join(line[4:] for line in run.splitlines()) + "\n"
    repo.put(f".dvc/cache/runs/ab/ab{'0' * 62}/{'c' * 64}", entry.encode())
    repo.add("data", V2)
    assert "1 earlier run" in repo.cli("migrate").out
    shutil.rmtree(repo.at / "data")
    for name, data in V1.items():
        repo.put(f"data/{name}", data)
    assert repo.cli("repro", "--json").document["stages"][0]["state"] == "restored"
    assert (repo.at / "made/model").read_bytes() == b"earlier\n"
    assert not (repo.at / "ran").exists()


def test_notes_are_kept(repo: DvcRepo) -> None:
    text = (repo.at / "data.dvc").read_text()
    repo.put("data.dvc", (text + "  desc: 'what: it is'\n  labels: [a, b]\n").encode())
    repo.cli.done("migrate")
    assert "desc: 'what: it is'" in (repo.at / "data.dvt").read_text().replace('"', "'")
    assert is_clean(repo)


def test_an_import_keeps_its_source(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "folder").mkdir(parents=True)
    (source / "folder/a").write_bytes(b"plain\n")
    for args in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run(["git", *args], cwd=source, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=source, check=True, capture_output=True, text=True).stdout
    made = DvcRepo(tmp_path / "repo")
    made.add("file", b"plain\n")
    made.add("folder", {"a": b"plain\n"})
    for name, path in (("file", "folder/a"), ("folder", "folder")):
        dep = f"deps:\n- path: {path}\n  repo:\n    url: {source}\n    rev_lock: {commit}"
        made.put(f"{name}.dvc", dep.encode() + (made.at / f"{name}.dvc").read_bytes())
    made.commit("one")
    made.cli.done("migrate")
    made.git("commit", "-qm", "moved")
    assert f"  commit: {commit}" in (made.at / "file.dvt").read_text()
    clone = made.clone()
    refused(clone.cli("pull"), 6, "core.sources")
    # Git keeps it there, by no digest at all.
    clone.cli.environ["DVTOOL_CORE_SOURCES"] = os.fspath(source)
    clone.cli.done("pull")
    assert (clone.at / "file").read_bytes() == b"plain\n"
    assert clone.files("folder") == {"a": b"plain\n"}
    assert is_clean(clone)


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("old.dvc", "cmd: make it\nouts: []\n", "DVC 1"),
        ("old.dvc", f"outs:\n- path: old\n  md5: {'a' * 32}\n", "no size of old"),
        ("old.dvc", "outs:\n- path: old\n", "no digest"),
        ("old.dvc", "outs:\n- path: old\n  zig: 1\n", "'zig'"),
        (".dvc/config", "['remote \"x\"']\nurl = s3://b\nversion_aware = true\n", "version-aware"),
        ("sub/dvc.yaml", "stages:\n  a:\n    cmd: x\n    outs: [s3://b/x]\n", "sub/dv"),
    ],
)
def test_what_cannot_be_taken_over_stops_it_before_anything(tmp_path: Path, path: str, text: str, words: str) -> None:
    made = DvcRepo(tmp_path / "repo")
    made.add("data", V1)
    made.put(path, text.encode())
    made.commit("one")
    before = snapshot(made)
    ran = made.cli("migrate")
    assert ran.code not in (0, 1), ran
    assert words in ran.err
    assert snapshot(made) == before


def test_local_settings_that_are_committed_are_nobodys_own(tmp_path: Path) -> None:
    made = DvcRepo(tmp_path / "repo")
    made.add("data", V1)
    made.put(".dvc/config.local", b"['remote \"store\"']\n    bearer_token_command = evil\n")
    made.git("add", "-f", ".dvc/config.local")
    made.commit("one")
    refused(made.cli("migrate"), 6, ".dvc/config.local", "committed")


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    made = DvcRepo(tmp_path / "repo")
    outside = tmp_path / "outside"
    outside.mkdir()
    made.put("sub/x.dvc", f"wdir: ..\nouts:\n- path: lnk/x\n  size: 1\n  hash: md5\n  md5: {'a' * 32}\n".encode())
    (made.at / "lnk").symlink_to(outside)
    made.commit("one")
    refused(made.cli("migrate"), 6)
    assert not list(outside.iterdir())


def test_outside_of_dvc(tmp_path: Path) -> None:
    from tests.support.cli import git_project

    refused(git_project(tmp_path / "p")("migrate"), 10, "DVC")
