"""A repository made by DVC itself, with an S3 remote: read as it is, moved over, and still DVC's beside it.

It needs a Python with DVC: ``DVTOOL_TEST_DVC=/path/to/its/python``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dvtool.remote.address import Address
from dvtool.remote.table import open_remote
from tests.support.cli import CommandLine
from tests.support.seaweed import Seaweed

DVC = os.environ.get("DVTOOL_TEST_DVC")
pytestmark = pytest.mark.skipif(DVC is None, reason="DVTOOL_TEST_DVC names no Python with DVC")

Made = tuple[Path, dict[str, dict[str, bytes]]]
TAGS = ("v1", "v2", "v3")


class Dvc:
    """DVC's own command line in one directory, with the server's credentials."""

    def __init__(self, at: Path, server: Seaweed, world: Path) -> None:
        self.at = at
        settings = {
            f"DVC_{name}": str(world / name) for name in ("GLOBAL_CONFIG_DIR", "SYSTEM_CONFIG_DIR", "SITE_CACHE_DIR")
        }
        self.environ = {**os.environ, **server.environment, **settings, "DVC_NO_ANALYTICS": "1"}

    def __call__(self, *args: str) -> str:
        assert DVC is not None
        done = subprocess.run(
            [DVC, "-m", "dvc", *args], cwd=self.at, env=self.environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def git(self, *args: str) -> str:
        return subprocess.run(["git", *args], cwd=self.at, check=True, capture_output=True, text=True).stdout


def data_of(at: Path) -> dict[str, bytes]:
    """The data of a worktree, by path."""
    tops = [at / name for name in ("data", "model.bin", "imported.txt", "sub/made", "sub/out")]
    files = [each for top in tops for each in ([top] if top.is_file() else sorted(top.rglob("*"))) if each.is_file()]
    return {os.fspath(each.relative_to(at)): each.read_bytes() for each in files}


@pytest.fixture(scope="module")
def url(seaweed: Seaweed) -> str:
    return seaweed.new_url()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, seaweed: Seaweed, url: str) -> Made:
    """A repository with a file, a directory, an import, a pipeline that ran, three tags; and the data of each tag."""
    world = tmp_path_factory.mktemp("dvc")
    source, place = world / "source", world / "repo"
    for each in (source, place):
        each.mkdir()
        Dvc(each, seaweed, world).git("init", "-q", "-b", "main")
        Dvc(each, seaweed, world)("init", "-q")
    origin, dvc = Dvc(source, seaweed, world), Dvc(place, seaweed, world)
    (source / "words.txt").write_text("imported\n")
    origin("add", "-q", "words.txt")
    origin.git("add", "-A")
    origin.git("commit", "-qm", "one")
    (place / ".gitignore").write_text("/ran\n")
    dvc("remote", "add", "-q", "-d", "store", url)
    dvc("remote", "modify", "store", "endpointurl", seaweed.endpoint)
    dvc("remote", "modify", "store", "region", "us-east-1")
    dvc("import", "-q", os.fspath(source), "words.txt", "-o", "imported.txt")
    (place / "code").mkdir()
    (place / "code/run.sh").write_text("mkdir -p made; cat ../data/a.csv > made/all; wc -c < made/all > out\n")
    (place / "code/run.sh").chmod(0o755)
    (place / "sub").mkdir()
    (place / "params.yaml").write_text("lr: 0.1\nname: first\n")
    contents: dict[str, dict[str, bytes]] = {}
    for number, tag in enumerate(TAGS):
        (place / "data/deep").mkdir(parents=True, exist_ok=True)
        (place / "data/a.csv").write_text(f"a\n{number}\n" * 1_000)
        (place / f"data/deep/{number}.txt").write_text(str(number))
        (place / "model.bin").write_bytes(bytes([number]) * 300_000)
        dvc("add", "-q", "data", "model.bin")
        if number == 1:
            paths = (
                "-w",
                "sub",
                "-d",
                "../code",
                "-d",
                "../data",
                "-p",
                "../params.yaml:lr",
                "-o",
                "made",
                "-M",
                "out",
            )
            dvc("stage", "add", "-q", "-n", "make", *paths, "sh ../code/run.sh; echo ran >> ../ran")
        if number:
            dvc("repro", "-q")
        dvc.git("add", "-A")
        dvc.git("commit", "-qm", tag)
        dvc.git("tag", tag)
        dvc("push", "-q")
        contents[tag] = data_of(place)
    (place / "ran").unlink()
    return place, contents


def keys(server: Seaweed, url: str) -> set[str]:
    remote = open_remote(Address("store", url, server.settings, b"/", os.environ))
    try:
        return {item.key for item in remote.list("")}
    finally:
        remote.close()


def clone_of(made: Path, place: Path, server: Seaweed) -> CommandLine:
    subprocess.run(["git", "clone", "-q", os.fspath(made), os.fspath(place)], check=True)
    # The import came from a directory of this machine, which only its user can allow.
    return CommandLine(place, {**server.environment, "DVTOOL_CORE_SOURCES": os.fspath(made.parent / "source")})


def is_up_to_date(cli: CommandLine) -> bool:
    found = cli("status", "--json").document
    return not (found["workspace"] or found["missing"] or found["beside"] or found["stages"])


def test_a_clone_is_pulled_as_it_is(made: Made, seaweed: Seaweed, tmp_path: Path) -> None:
    place, contents = made
    cli = clone_of(place, tmp_path / "clone", seaweed)
    for tag in TAGS:
        subprocess.run(["git", "checkout", "-q", tag], cwd=cli.at, check=True)
        cli.done("pull")
        assert data_of(cli.at) == contents[tag]
        assert is_up_to_date(cli)
    assert cli("add", "data").code == 2


def test_moved_over_nothing_is_uploaded_read_or_run(made: Made, seaweed: Seaweed, url: str, tmp_path: Path) -> None:
    place, contents = made
    shutil.copytree(place, tmp_path / "repo", symlinks=True)
    cli = CommandLine(tmp_path / "repo", seaweed.environment)
    before = keys(seaweed, url)
    shown = cli("migrate", "--json").document
    assert shown["done"]
    assert shown["runs"] >= 2
    assert keys(seaweed, url) == before
    assert is_up_to_date(cli)
    assert [each["state"] for each in cli("repro", "--json").document["stages"]] == ["skipped"]
    assert not (cli.at / "ran").exists()
    cli.done("checkout")
    git = Dvc(cli.at, seaweed, tmp_path).git
    git("commit", "-qm", "Move to dvtool")
    cli.done("push")
    assert not any(key.startswith(("data/", "meta/")) for key in keys(seaweed, url) - before)
    for tag in TAGS:
        git("checkout", "-q", tag)
        cli.done("checkout")
        assert data_of(cli.at) == contents[tag]
    git("checkout", "-q", "main")
    cli.done("checkout")
    assert data_of(cli.at) == contents["v3"]
    # A fresh clone of what was moved over: all comes from where DVC has put it.
    clone = clone_of(cli.at, tmp_path / "clone", seaweed)
    clone.environ["DVTOOL_CORE_SOURCES"] = os.fspath(place.parent / "source")
    clone.done("pull")
    assert data_of(clone.at) == contents["v3"]
    assert [each["state"] for each in clone("repro", "--json").document["stages"]] == ["skipped"]


def test_what_dvc_ran_before_is_not_run_again(made: Made, seaweed: Seaweed, tmp_path: Path) -> None:
    place, contents = made
    shutil.copytree(place, tmp_path / "repo", symlinks=True)
    cli = CommandLine(tmp_path / "repo", seaweed.environment)
    cli.done("migrate")
    shutil.rmtree(cli.at / "data")
    for path, data in contents["v2"].items():
        if path.startswith("data/"):
            (cli.at / path).parent.mkdir(parents=True, exist_ok=True)
            (cli.at / path).write_bytes(data)
    assert [each["state"] for each in cli("repro", "--json").document["stages"]] == ["restored"]
    assert (cli.at / "sub/made/all").read_bytes() == contents["v2"]["sub/made/all"]
    assert not (cli.at / "ran").exists()


def test_dvc_goes_on_beside_it(made: Made, seaweed: Seaweed, tmp_path: Path) -> None:
    place, contents = made
    shutil.copytree(place, tmp_path / "repo", symlinks=True)
    cli = CommandLine(tmp_path / "repo", seaweed.environment)
    cli.done("migrate", "--keep")
    dvc = Dvc(cli.at, seaweed, tmp_path)
    dvc.git("commit", "-qm", "Both")
    clone = clone_of(cli.at, tmp_path / "clone", seaweed)
    theirs = Dvc(clone.at, seaweed, tmp_path)
    theirs("pull", "-q")
    assert data_of(clone.at) == contents["v3"]
    assert "up to date" in theirs("status")
    assert is_up_to_date(clone)
    (clone.at / "data/new").write_text("new")
    theirs("add", "-q", "data")
    assert [each["path"] for each in clone("status", "--json").document["beside"]] == ["data"]
