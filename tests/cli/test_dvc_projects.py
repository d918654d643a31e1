"""Projects of DVC, read as they are."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.cli import Ran
from tests.support.dvcrepo import DvcRepo
from tests.support.dvcrepo import md5

V1 = {"a.csv": b"a\r\n1\r\n", "deep/b.bin": b"\0b", "deep/c.txt": b"c\n"}
V2 = {**V1, "a.csv": b"a\r\n2\r\n", "new.txt": b"new\n"}
LARGE = bytes(range(256)) * 1_000
HUGE = b"huge" * (9 << 18)

LOCK = """schema: '2.0'
stages:
  train:
    cmd: cp deep model
    deps:
    - path: ../model.bin
      hash: md5
      md5: {source}
      size: 256000
    outs:
    - path: out/weights.bin
      hash: md5
      md5: {weights}
      size: 7
    - path: scores.json
      hash: md5
      md5: {scores}
      size: 3
"""
DEFINITION = """stages:
  train:
    wdir: made
    cmd: cp deep model
    deps: [../model.bin]
    outs: [out/weights.bin]
    metrics:
    - scores.json:
        cache: false
"""


@pytest.fixture(params=[3, 2], ids=["dvc3", "dvc2"])
def repo(request: pytest.FixtureRequest, tmp_path: Path) -> DvcRepo:
    """Two versions of a directory, a large file, and the outputs of a stage; all on the remote."""
    made = DvcRepo(tmp_path / "repo", version=request.param)
    made.add("data", V1)
    made.add("model.bin", LARGE)
    made.put("made/out/weights.bin", b"weights")
    made.put("made/scores.json", b"{}\n")
    made.put("made/out/.gitignore", b"/weights.bin\n")
    weights = made.store(b"weights")
    lock = LOCK.format(source=md5(LARGE), weights=weights, scores=md5(b"{}\n"))
    made.put("dvc.lock", (lock if request.param == 3 else lock.replace("      hash: md5\n", "")).encode())
    made.put("dvc.yaml", DEFINITION.encode())
    made.commit("one")
    made.git("tag", "v1")
    made.add("data", V2)
    made.commit("two")
    made.push()
    return made


def is_clean(repo: DvcRepo) -> bool:
    found = repo.cli("status", "--json").document
    return not (found["workspace"] or found["committed"] or found["missing"])


def refused(ran: Ran, code: int, *words: str) -> None:
    assert ran.code == code, ran
    assert "Traceback" not in ran.err
    for word in words:
        assert word in ran.err, ran


def test_what_stands_there_is_up_to_date_though_nothing_was_ever_stored(repo: DvcRepo) -> None:
    before = sorted(repo.files("."))
    first = repo.cli("status", "--json").document
    assert is_clean(repo), first
    assert (first["files_seen"], first["files_hashed"]) == (6, 0)
    assert "Up to date" in repo.cli.done("status")
    assert [path for path in sorted(repo.files(".")) if not path.startswith(".git/")] == [
        path for path in before if not path.startswith(".git/")
    ]
    assert not (repo.at / ".git/dvtool/cache/data").exists() or not os.listdir(repo.at / ".git/dvtool/cache/data")


def test_what_the_user_changed_is_told_by_path(repo: DvcRepo) -> None:
    (repo.at / "data/deep/c.txt").write_bytes(b"changed\n")
    (repo.at / "data/more.txt").write_bytes(b"more\n")
    (repo.at / "data/passed.tmp").write_bytes(b"over\n")
    (repo.at / "data/none").mkdir()
    (repo.at / "model.bin").unlink()
    out = repo.cli.done("status")
    assert "record with: dvc " in out
    assert "modified  data/deep/c.txt" in out
    assert "added     data/more.txt" in out
    assert "passed" not in out
    assert "data/none" not in out
    assert "missing   model.bin" in out


def test_a_clone_pulls_from_the_remote_of_dvc_and_verifies(repo: DvcRepo) -> None:
    clone = repo.clone()
    assert clone.cli("checkout").code == 4
    assert clone.cli("pull", "--json").document["fetch"]["objects"] == 7
    assert clone.files("data") == V2
    assert (clone.at / "model.bin").read_bytes() == LARGE
    assert (clone.at / "made/out/weights.bin").read_bytes() == b"weights"
    assert is_clean(clone)
    assert "nothing to fetch" in clone.cli.done("pull")
    assert "sound" in clone.cli.done("fsck")


def test_every_tag_checks_out_equal(repo: DvcRepo) -> None:
    clone = repo.clone()
    clone.cli.done("fetch", "--all-tags")
    shutil.rmtree(repo.remote)
    clone.git("checkout", "-q", "v1")
    clone.cli.done("checkout")
    assert clone.files("data") == V1
    assert is_clean(clone)
    clone.git("checkout", "-q", "main")
    clone.cli.done("checkout")
    assert clone.files("data") == V2


def test_dvc_cache_on_this_disk_is_used_and_not_copied_needlessly(repo: DvcRepo) -> None:
    shutil.rmtree(repo.remote)
    shutil.rmtree(repo.at / "data")
    assert "nothing to fetch" in repo.cli.done("fetch")
    repo.cli.done("checkout")
    assert repo.files("data") == V2
    stored = repo.cli("du", "--json", "model.bin").document
    assert stored["paths"][0]["stored_bytes"] == 0, stored


def test_reading_verbs_know_the_history(repo: DvcRepo) -> None:
    diff = repo.cli("diff", "--json", "v1", "main").document
    found = {change: [each["path"] for each in diff[change]] for change in ("added", "modified", "deleted")}
    assert found == {"added": ["data/new.txt"], "modified": ["data/a.csv"], "deleted": []}
    assert "no differences" in repo.cli.done("diff")
    assert "data/deep/b.bin" in repo.cli.done("ls", "-R", "--rev", "v1")
    assert [each["change"] for each in repo.cli("log", "--json", "data").document["versions"]] == ["modified", "added"]
    assert "model.bin" in repo.cli.done("du")
    assert "Up to date" in repo.cli.done("status", "--cloud")


def test_verbs_that_write_refuse_and_name_migrate(repo: DvcRepo) -> None:
    before = repo.git("status", "--porcelain")
    (repo.at / "x").write_bytes(b"x")
    for argv in (
        ("add", "x"),
        ("commit",),
        ("push",),
        ("remove", "model.bin"),
        ("move", "model.bin", "m2"),
        ("drop", "model.bin"),
        ("repro",),
        ("stage", "add", "-n", "s", "true"),
        ("config", "core.remote", "other"),
        ("remote", "add", "other", "/tmp/x"),
    ):
        refused(repo.cli(*argv), 2, "DVC project", "dvtool migrate")
    (repo.at / "x").unlink()
    assert repo.git("status", "--porcelain") == before
    assert not (repo.at / ".dvtool").exists()


def test_settings_are_those_of_dvc_and_ours_go_before_them(repo: DvcRepo, tmp_path: Path) -> None:
    listed = repo.cli.done("remote", "list")
    assert str(repo.remote) in listed
    repo.put(".dvc/config.local", b"['remote \"store\"']\n    url = ../../moved\n    jobs = 3\n")
    repo.remote.rename(tmp_path / "moved")
    repo.clone()
    assert "Up to date" in repo.cli.done("status", "--cloud")
    repo.cli.done("config", "--local", "remote.store.url", str(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in repo.cli.done("remote", "list")


def test_a_damaged_object_is_not_taken(repo: DvcRepo) -> None:
    clone = repo.clone()
    digest = md5(b"new\n")
    (repo.remote / repo.key(digest)).chmod(0o644)
    (repo.remote / repo.key(digest)).write_bytes(b"nuw\n")
    refused(clone.cli("pull"), 3, "data/new.txt", "damaged on store")
    assert not (clone.at / "data/new.txt").exists()
    assert (clone.at / "data/deep/c.txt").read_bytes() == b"c\n"
    (repo.remote / repo.key(digest)).write_bytes(b"new\n")
    clone.cli.done("pull")
    assert clone.files("data") == V2


def test_damage_in_dvc_cache_is_found_and_fetched_instead(repo: DvcRepo) -> None:
    shutil.rmtree(repo.at / "data")
    broken = repo.cache / repo.key(md5(b"new\n"))
    broken.chmod(0o644)
    broken.write_bytes(b"nuw\n")
    refused(repo.cli("checkout"), 3, "the bytes are not what their name says")
    assert not (repo.at / "data/new.txt").exists()
    repo.cli("pull")
    assert repo.files("data") == V2


def test_what_the_remote_lacks_is_told_by_path_and_the_rest_comes(repo: DvcRepo) -> None:
    clone = repo.clone()
    (repo.remote / repo.key(md5(b"new\n"))).unlink()
    refused(clone.cli("pull"), 4, "data/new.txt is not on store")
    assert clone.files("data") == V1 | {"a.csv": V2["a.csv"]}
    status = clone.cli.done("status")
    assert "missing" in status
    assert "data" in status
    assert clone.cli("gc", "--workspace", "--grace", "0", "--force").code == 0
    assert clone.cli("checkout").code == 4
    repo.push()
    clone.cli.done("pull")
    assert clone.files("data") == V2


def test_fsck_looks_for_what_the_remote_of_dvc_must_have(repo: DvcRepo) -> None:
    clone = repo.clone()
    assert "sound" in clone.cli.done("fsck", "--remote", "store", "-A")
    (repo.remote / repo.key(md5(LARGE))).unlink()
    refused(clone.cli("fsck", "--remote", "store"), 4, "store does not hold all", "dvc push")
    assert "missing   model.bin" in clone.cli.done("status", "--cloud")


def test_gc_keeps_what_dvc_files_name(repo: DvcRepo) -> None:
    clone = repo.clone()
    clone.cli.done("fetch", "--all-tags")
    shutil.rmtree(repo.remote)
    clone.cli.done("gc", "--all-tags", "--grace", "0", "--force")
    clone.cli.done("checkout")
    clone.git("checkout", "-q", "v1")
    clone.cli.done("checkout")
    assert clone.files("data") == V1
    clone.cli.done("gc", "--workspace", "--grace", "0", "--force")
    clone.git("checkout", "-q", "main")
    assert clone.cli("checkout").code == 4


def test_what_is_remembered_may_be_lost_damaged_or_of_another(repo: DvcRepo) -> None:
    clone = repo.clone()
    clone.cli.done("pull")
    aliases = clone.at / ".git/dvtool/aliases.sqlite"
    for content in (None, b"", b"no database" * 999):
        aliases.unlink()
        if content is not None:
            aliases.write_bytes(content)
        clone.cli.done("pull")
        assert is_clean(clone)


def test_a_large_value_arrives_in_pieces(tmp_path: Path) -> None:
    repo = DvcRepo(tmp_path / "repo")
    repo.add("huge.bin", HUGE)
    repo.add("same.bin", HUGE)
    repo.commit("one")
    repo.push()
    clone = repo.clone()
    assert clone.cli("pull", "--json").document["fetch"]["objects"] == 1
    assert (clone.at / "same.bin").read_bytes() == HUGE


def test_a_project_below_the_top_and_one_without_git(tmp_path: Path) -> None:
    repo = DvcRepo(tmp_path / "repo")
    repo.add("data", V1)
    shutil.rmtree(repo.at / ".git")
    assert is_clean(repo)
    assert not (repo.at / ".dvtool").exists()
    top = tmp_path / "mono"
    (top / "sub").mkdir(parents=True)
    repo.at.rename(top / "sub/repo")
    repo.at = top
    repo.git("init", "-q")
    repo.commit("all")
    cli = repo.cli.__class__(top / "sub/repo")
    assert "Up to date" in cli.done("status")
    (top / "sub/repo/data/a.csv").write_bytes(b"other")
    assert "data/a.csv" in cli.done("status")


def test_what_is_stated_by_the_versions_of_a_cloud_is_refused_by_name(tmp_path: Path) -> None:
    repo = DvcRepo(tmp_path / "repo")
    repo.add("data.csv", b"1\n")
    repo.put(".dvc/config", repo.at.joinpath(".dvc/config").read_bytes() + b"    version_aware = true\n")
    repo.commit("one")
    clone = repo.clone()
    refused(clone.cli("pull"), 9, "remote store", "version_aware")
    clone.put("other.dvc", b"outs:\n- path: other\n  files:\n  - relpath: a\n    size: 1\n    version_id: x\n")
    refused(clone.cli("status"), 9, "other.dvc", "version_aware")


@pytest.mark.parametrize("relpath", ["../out", "/etc/out", "a/../../out", ".git/hooks/x", ""])
def test_a_hostile_manifest_is_refused_whole(tmp_path: Path, relpath: str) -> None:
    repo = DvcRepo(tmp_path / "repo")
    digest = repo.store(json.dumps([{"md5": repo.store(b"x"), "relpath": relpath}]).encode(), ".dir")
    repo.put("data.dvc", f"outs:\n- md5: {digest}\n  size: 1\n  hash: md5\n  path: data\n".encode())
    repo.commit("one")
    repo.push()
    clone = repo.clone()
    assert clone.cli("pull").code == 6
    for argv in (("fetch",), ("checkout",), ("status",), ("ls", "-R"), ("diff", "HEAD"), ("gc", "-w", "--dry-run")):
        ran = clone.cli(*argv)
        assert ran.code in (0, 4, 6), ran
        assert "Traceback" not in ran.err
    assert not (tmp_path / "out").exists()
    assert not (clone.at / "data").exists()


def test_a_committed_cache_directory_outside_of_the_project_is_not_read(tmp_path: Path) -> None:
    other = DvcRepo(tmp_path / "other")
    other.add("secret", b"secret\n")
    repo = DvcRepo(tmp_path / "repo")
    repo.add("data", b"secret\n")
    shutil.rmtree(repo.cache)
    (repo.at / "data").unlink()
    repo.put(".dvc/config", f"[cache]\n    dir = {other.cache}\n".encode())
    repo.commit("one")
    assert repo.cli("checkout").code == 4
    repo.put(".dvc/config.local", f"[cache]\n    dir = {other.cache}\n".encode())
    repo.git("add", "-f", ".dvc/config.local")
    assert repo.cli("checkout").code == 4
    repo.git("rm", "-q", "--cached", ".dvc/config.local")
    repo.cli.done("checkout")
    assert (repo.at / "data").read_bytes() == b"secret\n"


def test_a_cache_behind_a_link_in_the_project_is_not_read(tmp_path: Path) -> None:
    other = DvcRepo(tmp_path / "other")
    other.add("secret", b"secret\n")
    repo = DvcRepo(tmp_path / "repo")
    repo.add("data", b"secret\n")
    shutil.rmtree(repo.cache)
    (repo.at / "data").unlink()
    repo.cache.symlink_to(other.cache)
    repo.commit("one")
    assert repo.cli("checkout").code == 4
    assert not (repo.at / "data").exists()
    assert repo.cli("pull").code == 7
    assert not (repo.at / "data").exists()


@pytest.fixture
def moved_in(tmp_path: Path) -> DvcRepo:
    """A clone of a project that has moved to dvtool, where DVC's remote lacks one file of a directory."""
    repo = DvcRepo(tmp_path / "repo")
    repo.add("data", V1)
    repo.add("one.bin", b"one")
    repo.push()
    repo.commit("one")
    repo.cli.done("migrate", "-q")
    repo.commit("moved in")
    (repo.remote / repo.key(md5(b"c\n"))).unlink()
    clone = repo.clone()
    assert clone.cli("pull").code == 4
    return clone


def test_what_was_never_here_is_not_recorded_anew(moved_in: DvcRepo) -> None:
    before = (moved_in.at / "data.dvt").read_bytes()
    moved_in.put("data/new.txt", b"new\n")
    refused(moved_in.cli("add", "data/new.txt"), 4, "deep/c.txt", "dvtool fetch data")
    refused(moved_in.cli("add", "data"), 4, "deep/c.txt", "dvtool fetch data")
    refused(moved_in.cli("move", "data/a.csv", "data/b.csv"), 4, "deep/c.txt")
    assert (moved_in.at / "data.dvt").read_bytes() == before
    moved_in.cli.done("add", "--force", "data")
    assert b"files: 3" in (moved_in.at / "data.dvt").read_bytes()


def test_a_move_states_what_was_stated(moved_in: DvcRepo) -> None:
    before = (moved_in.at / "data.dvt").read_text()
    moved_in.cli.done("move", "data", "other")
    assert (moved_in.at / "other.dvt").read_text() == before.replace("path: data", "path: other")
    moved_in.cli.done("move", "one.bin", "two.bin")
    assert f"md5:{md5(b'one')}" in (moved_in.at / "two.bin.dvt").read_text()


def test_a_push_sends_nothing_that_dvc_has_stored_and_says_so(moved_in: DvcRepo) -> None:
    before = sorted(moved_in.remote.rglob("*"))
    ran = moved_in.cli("push")
    assert ran.code == 0, ran
    assert "left out: 2 paths" in ran.err
    assert sorted(moved_in.remote.rglob("*")) == before
    (moved_in.remote / moved_in.key(md5(b"one"))).unlink()
    refused(moved_in.cli("push"), 4, "one.bin", "dvc push", "dvtool add")
    moved_in.cli.done("add", "one.bin")
    moved_in.cli.done("push")
    moved_in.cli.done("status", "--cloud")


def test_a_clone_lists_and_compares_before_it_pulls(repo: DvcRepo) -> None:
    clone = repo.clone()
    assert clone.cli.done("list", "-R", "data").splitlines() == sorted(V2)
    other = repo.clone("other")
    out = other.cli.done("diff", "v1", "HEAD")
    assert "data/new.txt  size not known before a fetch" in out
    assert "data/a.csv" in out
    assert "data/deep" not in out
    assert out.rstrip().endswith("1 added, 0 deleted, 1 modified, 0 renamed")


@pytest.mark.parametrize("argv", [("dag",), ("plan",), ("why",), ("stage", "list")], ids=" ".join)
def test_stages_are_read_after_migrating(repo: DvcRepo, argv: tuple[str, ...]) -> None:
    refused(repo.cli(*argv), 2, "dvtool migrate --dry-run")
