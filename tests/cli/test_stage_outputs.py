"""Outputs that a `dvtool.lock` names are tracked paths for checkout, fetch, pull and push."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dvtool.formats.lock import Storing
from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo
from tests.support.outputs import AS_ALL
from tests.support.outputs import made_by
from tests.support.outputs import record

HERE = Storing(push=False)
GITS = Storing(cache=False)


@pytest.fixture
def pipeline(repo: DataRepo, tmp_path: Path) -> DataRepo:
    """Two stages with outputs of every way of storing; committed, and a remote."""
    repo.write({"out": {"a": "1", "deep": {"b": "2"}}, "models": {"m.bin": "model", "log": "log"}, "scores.json": "{}"})
    made_by(repo, "prepare", {"out": AS_ALL})
    made_by(repo, "train", {"models/m.bin": AS_ALL, "models/log": HERE, "scores.json": GITS}, lock="models/dvtool.lock")
    for name in ("store", "other"):
        (tmp_path / name).mkdir()
        repo.cli.done("remote", "add", "-q", name, str(tmp_path / name))
    repo.cli.done("remote", "default", "-q", "store")
    repo.commit("pipeline")
    repo.git("tag", "made")
    return repo


def clone_of(repo: DataRepo, tmp_path: Path) -> DataRepo:
    subprocess.run(["git", "clone", "-q", str(repo.at), str(tmp_path / "clone")], check=True)
    return DataRepo(tmp_path / "clone", CommandLine(tmp_path / "clone"))


def objects_on(place: Path) -> int:
    return sum(1 for path in place.rglob("data/*/*") if path.is_file())


def test_a_clone_pulls_what_stages_made(pipeline: DataRepo, tmp_path: Path) -> None:
    pipeline.cli.done("push", "-q")
    clone = clone_of(pipeline, tmp_path)
    clone.cli.done("pull", "-q")
    assert (clone.at / "out/deep/b").read_text() == "2"
    assert (clone.at / "models/m.bin").read_text() == "model"
    assert not (clone.at / "models/log").exists()
    assert (clone.at / "data/a.txt").exists()
    assert clone.git("status", "--porcelain") == ""


def test_what_is_not_pushed_stays_here(pipeline: DataRepo, tmp_path: Path) -> None:
    pipeline.cli.done("push", "-q", "-A")
    ran = pipeline.cli("push", "models/log")
    assert ran.code == 0
    assert "left out: models/log: by `push: false` of stage train in models/dvtool.lock no remote has it" in ran.err
    (pipeline.at / "models/log").unlink()
    pipeline.cli.done("checkout", "-q")
    assert (pipeline.at / "models/log").read_text() == "log"
    clone = clone_of(pipeline, tmp_path)
    clone.cli.done("fetch", "-q", "-A")
    left = clone.cli("checkout")
    assert left.code != 0
    assert "dvtool repro" in left.err
    assert clone.cli("pull").code == 0


def test_an_output_goes_to_the_remote_that_it_states(repo: DataRepo, tmp_path: Path) -> None:
    for name in ("store", "other"):
        (tmp_path / name).mkdir()
        repo.cli.done("remote", "add", "-q", name, str(tmp_path / name))
    repo.cli.done("remote", "default", "-q", "store")
    repo.write({"o": "elsewhere"})
    made_by(repo, "s", {"o": Storing(remote="other")})
    repo.commit("made")
    repo.cli.done("push", "-q", "o")
    assert (objects_on(tmp_path / "store"), objects_on(tmp_path / "other")) == (0, 1)
    repo.lose_cache()
    (repo.at / "o").unlink()
    repo.cli.done("pull", "-q", "o")
    assert (repo.at / "o").read_text() == "elsewhere"


@pytest.mark.parametrize("target", ["out", "out/deep", "prepare", "dvtool.yaml:prepare", "dvtool.lock", "."])
def test_targets(pipeline: DataRepo, target: str) -> None:
    shutil.rmtree(pipeline.at / "out")
    pipeline.cli.done("checkout", "-q", target)
    assert (pipeline.at / "out/deep/b").read_text() == "2"
    assert (pipeline.at / "out/a").exists() == (target != "out/deep")


def test_a_stage_of_a_directory_and_of_a_group(pipeline: DataRepo) -> None:
    pipeline.write({"g1": "1", "g2": "2"})
    made_by(pipeline, "each@1", {"g1": AS_ALL})
    made_by(pipeline, "each@2", {"g2": AS_ALL})
    for name in ("g1", "g2", "models/m.bin"):
        (pipeline.at / name).unlink()
    pipeline.cli.done("checkout", "-q", "each@2", "models/train")
    assert (pipeline.at / "models/m.bin").exists()
    assert not (pipeline.at / "g1").exists()
    pipeline.cli.done("checkout", "-q", "each")
    assert (pipeline.at / "g1").exists()


def test_another_revision_brings_its_outputs(pipeline: DataRepo) -> None:
    (pipeline.at / "models/m.bin").write_text("better")
    record(pipeline, {"prepare": None})
    made_by(pipeline, "train", {"models/m.bin": AS_ALL}, lock="models/dvtool.lock")
    pipeline.commit("second")
    pipeline.cli.done("checkout", "-q")
    assert not (pipeline.at / "out").exists()
    assert not (pipeline.at / "models/log").exists()
    pipeline.git("checkout", "-q", "made")
    pipeline.cli.done("checkout", "-q")
    assert (pipeline.at / "models/m.bin").read_text() == "model"
    assert (pipeline.at / "out/a").read_text() == "1"


def test_what_is_handed_over_to_git_is_left_alone(pipeline: DataRepo) -> None:
    made_by(pipeline, "train", {"models/m.bin": GITS, "models/log": HERE}, lock="models/dvtool.lock")
    record(pipeline, {"prepare": None})
    (pipeline.at / ".gitignore").write_text("")
    pipeline.git("add", "-f", "out/a")
    pipeline.cli.done("checkout", "-q")
    assert (pipeline.at / "models/m.bin").read_text() == "model"


def test_a_file_that_git_took_over_is_left_alone(repo: DataRepo) -> None:
    (repo.at / "model.bin.dvt").unlink()
    repo.git("add", "-f", "model.bin")
    repo.cli.done("checkout", "-q")
    assert (repo.at / "model.bin").read_text() == "m1"


def test_an_output_that_git_tracks_is_refused(pipeline: DataRepo) -> None:
    pipeline.git("add", "-f", "models/m.bin")
    ran = pipeline.cli("checkout")
    assert ran.code == 6
    assert "stage train in models/dvtool.lock stands for models/m.bin, which Git tracks as well" in ran.err


def test_my_own_changes_are_left_alone(pipeline: DataRepo) -> None:
    (pipeline.at / "models/m.bin").write_text("mine")
    assert pipeline.cli("checkout").code == 1
    assert (pipeline.at / "models/m.bin").read_text() == "mine"
    pipeline.cli.done("checkout", "-q", "-f")
    assert (pipeline.at / "models/m.bin").read_text() == "model"
    assert "models/m.bin" in pipeline.cli.done("recover")


@pytest.mark.parametrize("path", ["out", "out/a", "dvtool.lock", "x.dvt", "sub/dvtool.yaml", "../x", ".git/x"])
def test_paths_that_overlap_or_are_no_data_are_refused(pipeline: DataRepo, path: str) -> None:
    text = (pipeline.at / "models/dvtool.lock").read_text().replace("models/m.bin", path)
    (pipeline.at / "models/dvtool.lock").write_text(text)
    ran = pipeline.cli("checkout")
    assert ran.code == 6
    assert "models/dvtool.lock" in ran.err
