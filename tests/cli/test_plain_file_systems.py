"""The main job where the file system has no locks, no links, no clones and no exchange of names."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from blake3 import blake3

from tests.crash.processes import whole
from tests.faults.world import content
from tests.faults.world import read_files
from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo
from tests.support.plainfs import make_plain
from tests.support.trees import Node

KINDS = ("flock", "posix", "link", "rename", "clone")
ALL = set(KINDS)
LARGE = 200 << 10


def the_main_job(place: Path, *settings: str) -> None:
    """Add, change, check out, share and clone; every byte comes back."""
    repo = DataRepo(place / "repo")
    for setting in settings:
        repo.cli.done("config", "--local", *setting.split("="))
    (place / "remote").mkdir()
    repo.cli.done("remote", "add", "-q", "-d", "store", str(place / "remote"))
    first: dict[str, Node] = {
        "small.txt": "one\n",
        "large.bin": content("one", LARGE),
        "below": {"x": "x", "copy.bin": content("one", LARGE)},
    }
    repo.write({"data": first, "model.bin": content("model", LARGE)})
    repo.add("data", "model.bin")
    repo.commit("one")
    one = read_files(repo.at / "data")
    for path in ("data/small.txt", "data/large.bin"):
        (repo.at / path).unlink()
    repo.write({"data": {"small.txt": "two\n", "large.bin": content("two", LARGE), "new": "new"}})
    repo.add("data")
    repo.commit("two")
    two = read_files(repo.at / "data")
    repo.cli.done("push", "-A")
    repo.git("checkout", "-q", "HEAD~1")
    repo.cli.done("checkout")
    assert read_files(repo.at / "data") == one
    repo.git("checkout", "-q", "-")
    repo.cli.done("checkout")
    assert read_files(repo.at / "data") == two
    (repo.at / "data/small.txt").unlink()
    (repo.at / "data/small.txt").write_text("mine\n")
    assert repo.cli("checkout").code == 1
    assert (repo.at / "data/small.txt").read_text() == "mine\n"
    repo.cli.done("checkout", "--force")
    assert read_files(repo.at / "data") == two
    assert blake3(b"mine\n").hexdigest() in repo.cli.done("recover", "--json")
    repo.cli.done("move", "model.bin", "renamed.bin")
    repo.cli.done("unprotect", "renamed.bin")
    repo.cli.done("remove", "renamed.bin.dvt")
    assert [repo.json("status")[kind] for kind in ("workspace", "missing")] == [[], []]
    whole(repo.at / ".git/dvtool/cache", repo.at / "data.dvt")
    whole(place / "remote", repo.at / "data.dvt")
    subprocess.run(["git", "clone", "-q", str(repo.at), str(place / "clone")], check=True)
    clone = DataRepo(place / "clone", CommandLine(place / "clone"))
    for setting in settings:
        clone.cli.done("config", "--local", *setting.split("="))
    clone.cli.done("pull")
    assert read_files(clone.at / "data") == two
    shutil.rmtree(clone.at / "data")
    clone.cli.done("checkout")
    assert read_files(clone.at / "data") == two
    for top in (repo.at, clone.at, place / "remote"):
        assert not [name for _, _, names in os.walk(top) for name in names if name.startswith(".dvtool-")]


@pytest.mark.parametrize(
    "without", [{kind} for kind in KINDS] + [{"flock", "posix"}, ALL], ids=lambda kinds: "+".join(sorted(kinds))
)
def test_the_main_job_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: set[str]) -> None:
    make_plain(monkeypatch, without=without)
    the_main_job(tmp_path)


@pytest.mark.parametrize(
    "number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV], ids=errno.errorcode.get
)
def test_the_main_job_is_done_whatever_a_link_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    make_plain(monkeypatch, without={"link"}, number=number)
    make_plain(monkeypatch, without={"rename"})
    the_main_job(tmp_path)


@pytest.mark.parametrize("links", ["hardlink", "symlink", "hardlink,symlink", "reflink"])
def test_a_link_type_that_cannot_be_had_becomes_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: str
) -> None:
    make_plain(monkeypatch, without=ALL | {"symlink"})
    the_main_job(tmp_path, f"cache.type={links}")
    assert (tmp_path / "clone/data/large.bin").stat().st_nlink == 1
    assert not (tmp_path / "clone/data/large.bin").is_symlink()


@pytest.mark.parametrize("without", [{"flock"}, {"flock", "posix"}], ids=["POSIX locks", "no locks"])
def test_deleting_needs_locks_that_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: set[str]) -> None:
    make_plain(monkeypatch, without=without)
    repo = DataRepo(tmp_path / "repo")
    repo.write({"data": {"x": "x"}})
    repo.add("data")
    repo.cli.done("remove", "--outs", "data.dvt")
    ran = repo.cli("gc", "--workspace", "--grace", "0", "--force")
    left = [path for path in (repo.at / ".git/dvtool/cache/data").rglob("*") if path.is_file()]
    if "posix" in without:
        assert ran.code == 7, ran
        assert "has no locks" in ran.err
        assert len(left) == 1
    else:
        assert ran.code == 0, ran
        assert left == []
