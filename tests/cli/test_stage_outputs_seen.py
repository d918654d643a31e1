"""Outputs that a `dvtool.lock` names, to verbs that look, check and record."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dvtool.formats.lock import Storing
from dvtool.formats.lock import decode_lock
from dvtool.project import runfiles
from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo
from tests.support.outputs import AS_ALL
from tests.support.outputs import made_by
from tests.support.outputs import record

HERE = Storing(push=False)
GITS = Storing(cache=False)


@pytest.fixture
def made(repo: DataRepo, tmp_path: Path) -> DataRepo:
    """v1 has a pointer for what becomes an output in v2 and another one in v3; committed and pushed."""
    (tmp_path / "store").mkdir()
    repo.cli.done("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    repo.write({"out": {"a": "1", "deep": {"b": "2"}}})
    repo.add("out")
    repo.commit("as a pointer")
    (repo.at / "out.dvt").unlink()
    (repo.at / "out/a").write_text("one")
    repo.write({"here": {"h": "h"}, "scores.json": "{}"})
    made_by(repo, "train", {"out": AS_ALL, "here": HERE, "scores.json": GITS})
    repo.commit("as an output")
    repo.git("tag", "v2")
    repo.write({"side": "s"})
    made_by(repo, "side", {"side": AS_ALL})
    repo.commit("another stage")
    (repo.at / "out/deep/b").write_text("two")
    made_by(repo, "train", {"out": AS_ALL, "here": HERE, "scores.json": GITS})
    repo.commit("run again")
    repo.git("tag", "v3")
    repo.cli.done("push", "-q", "-A")
    return repo


def clone_of(repo: DataRepo, tmp_path: Path) -> DataRepo:
    subprocess.run(["git", "clone", "-q", str(repo.at), str(tmp_path / "clone")], check=True)
    return DataRepo(tmp_path / "clone", CommandLine(tmp_path / "clone"))


def differences(repo: DataRepo, kind: str, *targets: str) -> set[tuple[str, str]]:
    return {(each["change"], each["path"]) for each in repo.json("status", *targets)[kind]}


def test_status(made: DataRepo) -> None:
    assert made.cli("status", "--exit-code").code == 0
    (made.at / "out/a").write_text("mine")
    (made.at / "scores.json").write_text('{"a": 1}')
    shutil.rmtree(made.at / "here")
    assert differences(made, "workspace") == {("modified", "out/a")}
    assert differences(made, "missing") == {("missing", "here")}
    assert "record with: dvtool commit" in made.cli.done("status", "out")
    assert "keep them with `dvtool commit PATH`" in made.cli("checkout").err
    assert differences(made, "workspace", "train") == {("modified", "out/a")}
    made_by(made, "side", {"side": GITS})
    assert differences(made, "committed") == {("deleted", "side")}


def test_status_of_the_remotes(made: DataRepo) -> None:
    made.write({"out": {"new": "n"}})
    made_by(made, "train", {"out": AS_ALL, "here": HERE})
    lacking = {each["path"] for each in made.json("status", "--cloud")["cloud"]}
    assert lacking == {"out", "out/new"}


def test_diff(made: DataRepo) -> None:
    (made.at / "out/a").write_text("mine")
    found = made.json("diff", "v2", "v3")
    assert [each["path"] for each in found["added"]] == ["side"]
    assert [each["path"] for each in found["modified"]] == ["out/deep/b"]
    assert [each["path"] for each in made.json("diff", "v1", "v2", "out")["added"]] == ["out/a", "out/deep/b"]
    assert [each["path"] for each in made.json("diff")["modified"]] == ["out/a"]
    assert [each["path"] for each in made.json("diff", "v2", "--targets", "train")["modified"]] == [
        "out/a",
        "out/deep/b",
    ]


def test_list_and_du(made: DataRepo) -> None:
    listed = {each["path"] for each in made.json("list", "-R", "--tracked")["entries"]}
    assert {"out/deep/b", "here/h", "side"} <= listed
    assert "scores.json" not in listed
    at_v2 = {each["path"] for each in made.json("list", "-R", "--tracked", "--rev", "v2")["entries"]}
    assert "out/a" in at_v2
    assert "side" not in at_v2
    sizes = {each["path"]: each["bytes"] for each in made.json("du", "out", "side")["paths"]}
    assert sizes == {"out": 6, "side": 1}
    assert {each["path"] for each in made.json("du", "--rev", "v2")["paths"]} >= {"out", "here", "model.bin"}


def changes(repo: DataRepo, path: str) -> list[tuple[str, str]]:
    return [(each["change"], each["subject"]) for each in repo.json("log", path)["versions"]]


def test_log(made: DataRepo) -> None:
    assert changes(made, "out") == [
        ("modified", "run again"),
        ("modified", "as an output"),
        ("added", "as a pointer"),
    ]
    assert changes(made, "out/a") == [("modified", "as an output"), ("added", "as a pointer")]
    assert changes(made, "side") == [("added", "another stage")]
    record(made, {"side": None})
    made.commit("without")
    assert changes(made, "side") == [("deleted", "without"), ("added", "another stage")]
    assert made.cli("log", "nowhere").code == 2


def test_where_it_is_and_where_it_is_used(made: DataRepo) -> None:
    out, here = made.json("whereis", "--check", "out", "here")["paths"]
    assert out["remotes"][0]["state"] == "all"
    assert out["belongs_to"] == "store"
    assert here["remotes"][0]["state"] == "nothing"
    assert here["belongs_to"] is None
    assert here["recorded"]["commit"] == made.git("rev-parse", "v2")
    digest = next(each["digest"] for each in made.json("list", "--show-hash", "side")["entries"])
    use = made.json("whereused", digest)["uses"][0]
    assert use["path"] == "side"
    assert use["commits"] == [made.git("rev-parse", "v3^")]
    assert {"main", "v3"} <= set(use["refs"])
    assert "v2" not in use["refs"]
    assert use["in_worktree"]


def test_checks(made: DataRepo, tmp_path: Path) -> None:
    made.cli.done("fsck", "--deep")
    made.cli.done("fsck", "--remote", "store", "--deep", "-A")
    clone = clone_of(made, tmp_path)
    clone.cli.done("pull", "-q")
    clone.cli.done("fsck", "--deep")
    made.lose_cache()
    ran = made.cli("fsck")
    assert ran.code == 4
    for path in ("out", "here", "side"):
        assert f"missing: {path}: 1 object not in the cache" in ran.out
    fixes = {each["place"]: each["fix"] for each in made.cli("fsck", "--json").document["findings"]}
    assert (fixes["out"], fixes["here"]) == ("dvtool fetch out", "dvtool fsck --repair")
    made.cli.done("fsck", "--repair")
    shutil.rmtree(made.at / "here")
    made.cli.done("checkout", "-q")
    assert (made.at / "here/h").read_text() == "h"


def test_dropped_and_pulled_again(made: DataRepo) -> None:
    made.cli.done("drop", "-q", "out")
    assert not (made.at / "out").exists()
    assert "dropped" in made.cli.done("status")
    made.cli.done("pull", "-q")
    assert (made.at / "out/a").read_text() == "one"
    ran = made.cli("drop", "here")
    assert ran.code == 4
    assert "by `push: false` of stage train in dvtool.lock no remote has it" in ran.err
    assert (made.at / "here/h").exists()


def test_commit_records_what_i_changed(made: DataRepo) -> None:
    before = (made.at / "dvtool.lock").read_bytes()
    (made.at / "out/a").write_text("by hand")
    (made.at / "here/h").write_text("too")
    shutil.rmtree(made.at / "data/img")
    ran = made.cli("commit")
    assert ran.code == 0, ran
    assert "dvtool.lock" in ran.err + ran.out
    assert made.json("status")["workspace"] == []
    lock = decode_lock((made.at / "dvtool.lock").read_bytes(), "x")
    old = decode_lock(before, "x")
    assert lock["train"].outs[b"out"] != old["train"].outs[b"out"]
    assert lock["train"]._replace(outs={}) == old["train"]._replace(outs={})
    assert lock["side"] == old["side"]
    made.cli.done("undo", "-q")
    assert (made.at / "dvtool.lock").read_bytes() == before
    assert (made.at / "out/a").read_text() == "by hand"
    assert differences(made, "workspace") >= {("modified", "out/a"), ("modified", "here/h")}
    made.cli.done("commit", "-q")
    shutil.rmtree(made.at / "out")
    made.cli.done("checkout", "-q")
    assert (made.at / "out/a").read_text() == "by hand"


def test_commit_with_nothing_changed_writes_nothing(made: DataRepo) -> None:
    before = os.stat(made.at / "dvtool.lock")
    made.cli.done("commit", "-q")
    assert os.stat(made.at / "dvtool.lock").st_mtime_ns == before.st_mtime_ns


def test_a_part_of_an_output_is_committed(made: DataRepo) -> None:
    (made.at / "out/a").write_text("by hand")
    (made.at / "out/deep/b").write_text("not this")
    made.cli.done("commit", "-q", "out/a")
    assert differences(made, "workspace") == {("modified", "out/deep/b")}


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        (("add", "out"), "out is an output of stage train in dvtool.lock"),
        (("add", "out/a"), "out/a lies in out, an output of stage train in dvtool.lock"),
        (("remove", "out"), "out is an output of stage train in dvtool.lock"),
        (("remove", "out/a"), "out/a lies in out, an output of stage train in dvtool.lock"),
        (("move", "out", "elsewhere"), "out is an output of stage train in dvtool.lock"),
        (("move", "out/a", "elsewhere"), "out/a lies in out, an output of stage train in dvtool.lock"),
        (("move", "model.bin", "out"), "out/model.bin lies in out, an output of stage train in dvtool.lock"),
        (("add", "-o", "out/x", "model.bin"), "out/x lies in out, an output of stage train in dvtool.lock"),
        (("add", "--to-remote", "-o", "side", "model.bin"), "side is an output of stage side in dvtool.lock"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_only_the_stage_may_do_that(made: DataRepo, argv: tuple[str, ...], what: str) -> None:
    before = made.git("status", "--porcelain", "--ignored")
    ran = made.cli(*argv)
    assert ran.code == 2
    assert what in ran.err
    assert made.git("status", "--porcelain", "--ignored") == before


def test_a_directory_around_an_output_is_not_added(made: DataRepo) -> None:
    made.write({"dir": {"o": "o"}})
    made_by(made, "inner", {"dir/o": AS_ALL})
    ran = made.cli("add", "dir")
    assert ran.code == 6
    assert "take it out of the stage in dvtool.lock first" in ran.err


def test_unprotect(made: DataRepo) -> None:
    made.cli.done("config", "-q", "cache.type", "hardlink")
    made.cli.done("checkout", "-q", "--relink")
    made.cli.done("unprotect", "-q", "train", "side")
    for name in ("out/a", "side"):
        assert os.access(made.at / name, os.W_OK)
    assert made.json("status")["workspace"] == []


def test_definitions_are_not_needed(made: DataRepo) -> None:
    made.cli.done("status")
    (made.at / "dvtool.yaml").write_text("stages: [broken")
    for argv in (("diff",), ("list", "-R"), ("du",), ("log", "out"), ("fsck",), ("push",), ("pull",)):
        assert made.cli(*argv).code == 0, argv


def test_a_lock_that_is_too_large_to_be_kept_twice(made: DataRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runfiles, "MOST_BYTES", 100)
    (made.at / "out/a").write_text("by hand")
    made.cli.done("commit", "-q")
    ran = made.cli("undo")
    assert ran.code != 0
    assert "dvtool.lock is too large to be kept twice: go back with Git, then `dvtool checkout`" in ran.err + ran.out
    made.git("checkout", "-q", "dvtool.lock")
    made.cli.done("checkout", "-q")
    assert (made.at / "out/a").read_text() == "one"
