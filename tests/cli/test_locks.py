"""Waiting for others, and refusing to."""

from __future__ import annotations

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from io import StringIO
from pathlib import Path

import pytest

from dvtool.cli.main import run
from dvtool.disk.lock import FileLock
from dvtool.disk.lock import LockHandle
from tests.support.datarepo import DataRepo

WHO = re.compile(r"in use by pid \d+ on \S+ since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: somebody's long work")


def lock_in(folder: Path, name: str = "lock") -> FileLock:
    return FileLock(os.fsencode(folder / name))


@pytest.mark.parametrize(
    "argv",
    [
        ("add", "data"),
        ("add", "-o", "more", "model.bin"),
        ("commit",),
        ("checkout",),
        ("move", "model.bin", "other.bin"),
        ("remove", "model.bin.dvt"),
        ("unprotect", "model.bin"),
        ("doctor", "--rebuild"),
    ],
    ids=" ".join,
)
def test_a_workspace_in_use_is_not_waited_for_if_so_wanted(repo: DataRepo, argv: tuple[str, ...]) -> None:
    before = sorted(os.listdir(repo.at))
    with lock_in(repo.at / ".git/dvtool").acquire(shared=False, what="somebody's long work"):
        ran = repo.cli(*argv, "--no-wait")
    assert ran.code == 5, ran
    assert WHO.search(ran.err), ran.err
    assert "Traceback" not in ran.err
    assert sorted(os.listdir(repo.at)) == before


@pytest.mark.parametrize(
    "argv", [("add", "data"), ("checkout",), ("push",), ("fetch",), ("pull",), ("doctor", "--rebuild")], ids=" ".join
)
def test_a_cache_in_use_is_not_waited_for_if_so_wanted(repo: DataRepo, tmp_path: Path, argv: tuple[str, ...]) -> None:
    (tmp_path / "remote").mkdir()
    repo.cli.done("remote", "add", "-d", "origin", str(tmp_path / "remote"))
    repo.cli.done("push")
    cache = repo.at / ".git/dvtool/cache"
    if argv[0] in ("checkout", "fetch", "pull"):
        shutil.rmtree(repo.at / "data")
        for folder in ("data", "meta", "index"):
            shutil.rmtree(cache / folder)
    with lock_in(cache).acquire(shared=False, what="somebody's long work"):
        ran = repo.cli("--no-wait", *argv)
    assert ran.code == 5, ran
    assert WHO.search(ran.err), ran.err


@pytest.mark.parametrize(
    "argv",
    [
        ("config", "core.autostage", "true"),
        ("config", "--unset", "core.repo_id"),
        ("remote", "add", "other", "/somewhere"),
        ("remote", "modify", "origin", "jobs", "3"),
        ("remote", "rename", "origin", "other"),
        ("remote", "remove", "origin"),
        ("remote", "default", "origin"),
    ],
    ids=" ".join,
)
def test_settings_that_somebody_edits_are_not_waited_for_if_so_wanted(repo: DataRepo, argv: tuple[str, ...]) -> None:
    repo.cli.done("remote", "add", "origin", "/elsewhere")
    before = (repo.at / ".dvtool/config").read_bytes()
    with lock_in(repo.at / ".git/dvtool", "config.lock").acquire(shared=False, what="somebody's long work"):
        ran = repo.cli(*argv, "--no-wait")
    assert ran.code == 5, ran
    assert WHO.search(ran.err), ran.err
    assert (repo.at / ".dvtool/config").read_bytes() == before


class Heard(StringIO):
    """Standard error; what is held is given back as soon as a line says that it is waited for."""

    def __init__(self, *held: LockHandle) -> None:
        super().__init__()
        self.held = held

    def write(self, text: str) -> int:
        if "waiting for" in text:
            for each in self.held:
                each.release()
        return super().write(text)


@pytest.mark.parametrize("argv", [("add", "data"), ("config", "core.autostage", "true"), ("push",)], ids=" ".join)
@pytest.mark.parametrize("folder", ["", "cache"])
def test_who_waits_says_for_whom(repo: DataRepo, tmp_path: Path, argv: tuple[str, ...], folder: str) -> None:
    (tmp_path / "remote").mkdir()
    repo.cli.done("remote", "add", "-d", "origin", str(tmp_path / "remote"))
    place = repo.at / ".git/dvtool" / folder
    names = ("lock",) if folder else ("lock", "config.lock")
    err = Heard(*(lock_in(place, name).acquire(shared=False, what="somebody's long work") for name in names))
    code = run(argv, BytesIO(), StringIO(), err, os.environ, os.fsencode(repo.at))
    assert code == 0, err.getvalue()
    takes_it = argv[0] == ("config" if not folder else "push") or argv[0] == "add"
    assert bool(WHO.search(err.getvalue())) is takes_it


def test_of_settings_written_at_once_all_count(repo: DataRepo) -> None:
    names = [f"r{number}" for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda name: repo.cli("remote", "add", name, f"/place/{name}"), names))
    assert [ran.code for ran in done] == [0] * 12
    listed = repo.cli("remote", "list", "--json").document
    assert sorted(remote["name"] for remote in listed["remotes"]) == sorted(names)
