"""Repositories of DVC as sources, and imports that DVC has written."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.dvcrepo import DvcRepo

FILES = {"a.csv": b"a,1\n", "deep/b.bin": b"\0b"}


@pytest.fixture(params=[3, 2])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> DvcRepo:
    made = DvcRepo(tmp_path / "source", version=request.param)
    made.add("data", FILES)
    made.add("model.bin", b"model")
    made.commit("one")
    made.push()
    made.git("config", "uploadpack.allowFilter", "true")
    return made


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    made = git_project(tmp_path / "project")
    return CommandLine(made.at, {"DVTOOL_CORE_SOURCES": str(tmp_path)})


@pytest.mark.parametrize("form", ["../source", "file"])
def test_data_of_dvc_is_imported_and_comes_again(source: DvcRepo, cli: CommandLine, form: str) -> None:
    url = form if form != "file" else f"file://{source.at}"
    cli.done("import", url, "data")
    cli.done("import", url, "model.bin")
    assert "digest: blake3:" in (cli.at / "data.dvt").read_text()
    shutil.rmtree(cli.at / ".git/dvtool/cache")
    shutil.rmtree(cli.at / "data")
    (cli.at / "model.bin").unlink()
    cli.done("pull")
    assert {path: (cli.at / "data" / path).read_bytes() for path in FILES} == FILES
    assert (cli.at / "model.bin").read_bytes() == b"model"
    assert "up to date" in cli.done("update")


def test_a_part_of_a_directory_of_dvc(source: DvcRepo, cli: CommandLine) -> None:
    url = f"file://{source.at}"
    assert {"data/a.csv", "data/deep/b.bin", "model.bin"} <= set(cli.done("list", url, "-R").splitlines())
    cli.done("get", url, "data/deep/b.bin")
    assert (cli.at / "b.bin").read_bytes() == b"\0b"
    cli.done("import", url, "data/deep", "-o", "part")
    assert (cli.at / "part/b.bin").read_bytes() == b"\0b"


def test_an_import_that_dvc_has_written_comes_from_its_source(source: DvcRepo, tmp_path: Path) -> None:
    theirs = DvcRepo(tmp_path / "theirs")
    text = (source.at / "data.dvc").read_text()
    dep = f"deps:\n- path: data\n  repo:\n    url: {source.at}\n    rev_lock: {source.git('rev-parse', 'HEAD')}\n"
    theirs.put("data.dvc", f"frozen: true\n{dep}{text}".encode())
    theirs.put(".gitignore", b"/data\n")
    theirs.commit("imported")
    cli = CommandLine(theirs.at)
    assert cli("pull").code == 6
    allowed = CommandLine(theirs.at, {"DVTOOL_CORE_SOURCES": str(source.at)})
    allowed.done("pull")
    assert {path: (theirs.at / "data" / path).read_bytes() for path in FILES} == FILES
