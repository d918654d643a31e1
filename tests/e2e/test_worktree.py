"""The user's own files are safe, whatever checkout and pull meet in the worktree."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from dvtool.errors import DvtoolError
from tests.e2e.clones import Clone
from tests.e2e.clones import new_clone
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.trees import tree_of
from tests.support.workbench import Workbench

pytestmark = pytest.mark.e2e

SUB: dict[Any, Any] = {"x": "x1\n"}
FIRST: dict[Any, Any] = {"a": "a1\n", "b": "b\n", "sub": SUB, "gone": "g\n"}
SECOND: dict[Any, Any] = {"a": "a2\n", "b": "b\n", "sub": {"x": "x2\n", "y": "y\n"}, "new": "n\n"}


def two_versions(place: Path, first: Tree, second: Tree) -> Clone:
    """``v1`` and ``v2``, the second one checked out."""
    clone = new_clone(place)
    for tag, version in (("v1", first), ("v2", second)):
        shutil.rmtree(clone.root / "data", ignore_errors=True)
        clone.create({"data": version})
        clone.run("add", "data")
        clone.commit(tag)
        clone.git("tag", tag)
    return clone


def switch(clone: Clone, tag: str, *options: str, code: int = 0) -> None:
    clone.git("checkout", "-q", tag)
    clone.run("checkout", *options, code=code)


def test_edited_and_new_files_survive(tmp_path: Path) -> None:
    clone = two_versions(tmp_path / "project", FIRST, SECOND)
    clone.create({"data": {"a": "edited\n", "mine": "mine\n", "sub": {"mine": "mine\n"}}})
    before = tree_of(clone.root / "data")
    clone.git("checkout", "-q", "v1")
    refused = clone.run("checkout", code=1)
    assert "data/a" in refused.error
    assert "--force" in refused.hint
    assert tree_of(clone.root / "data") == before

    clone.run("checkout", "--force")
    mine: dict[Any, Any] = {"mine": "mine\n", "sub": {**SUB, "mine": "mine\n"}}
    clone.assert_data({**FIRST, **mine})
    assert "data/a" in clone.run("recover").out
    clone.run("recover", "--all", "saved")
    assert b"edited\n" in [path.read_bytes() for path in (clone.root / "saved").rglob("*") if path.is_file()]

    # A file of one's own where the other version has one.
    clone.create({"data": {"new": "my own new\n"}})
    clone.git("checkout", "-q", "v2")
    clone.run("remote", "add", "-d", "origin", tmp_path / "remote")
    assert "data/new" in clone.run("pull", code=1).error
    assert (clone.root / "data/new").read_text() == "my own new\n"


def test_kinds_change_between_versions(tmp_path: Path) -> None:
    first: dict[Any, Any] = {
        "file-directory": "x\n",
        "file-link": "x\n",
        "directory-file": {"in": {"deep": "x\n"}},
        "directory-link": {"in": "x\n"},
        "link-file": Link("b"),
        "link-directory": Link("b"),
        "mode": "x\n",
        "b": {"b": "b\n"},
    }
    second: dict[Any, Any] = {
        "file-directory": {"in": {"deep": "y\n"}},
        "file-link": Link("b"),
        "directory-file": "y\n",
        "directory-link": Link("b"),
        "link-file": "y\n",
        "link-directory": {"b": "not this one\n"},
        "mode": Executable("x\n"),
        "b": {"b": "b\n"},
    }
    clone = two_versions(tmp_path / "project", first, second)
    for tag, version in (("v1", first), ("v2", second), ("v1", first)):
        switch(clone, tag)
        clone.assert_data(version)
        clone.run("status", "--exit-code")


def test_links_in_the_way_are_never_written_through(tmp_path: Path) -> None:
    outside = {"a": "outside\n", "x": "outside\n"}
    clone = two_versions(tmp_path / "project", FIRST, SECOND)
    Clone(tmp_path).create({"outside": outside})
    for path, target in (("data", "../outside"), ("data/sub", "../../outside")):
        shutil.rmtree(clone.root / path)
        (clone.root / path).symlink_to(target)
        clone.run("status", "--exit-code", code=1)
        clone.run("checkout", code=1)
        assert os.readlink(clone.root / path) == target
        clone.run("checkout", "--force")
        clone.assert_data(SECOND)
        assert_tree(tmp_path / "outside", outside)


def test_a_link_above_a_tracked_path_is_refused(tmp_path: Path) -> None:
    clone = new_clone(tmp_path / "project")
    clone.create({"models": {"data": {"a": "a\n"}}})
    clone.run("add", "models/data")
    clone.commit()
    (clone.root / "models").rename(tmp_path / "outside")
    (clone.root / "models").symlink_to(tmp_path / "outside")
    shutil.rmtree(tmp_path / "outside/data")
    for verb in (["status"], ["checkout"], ["checkout", "--force"], ["add", "models/data"]):
        assert "models is a symbolic link" in clone.run(*verb, code=6).err
    assert {path.name for path in (tmp_path / "outside").iterdir()} == {"data.dvt", ".gitignore"}


def test_files_in_place_of_the_directory_and_nothing_at_all(tmp_path: Path) -> None:
    clone = two_versions(tmp_path / "project", FIRST, SECOND)
    shutil.rmtree(clone.root / "data")
    clone.run("checkout")
    clone.assert_data(SECOND)
    shutil.rmtree(clone.root / "data")
    (clone.root / "data").write_text("my own\n")
    clone.run("checkout", code=1)
    assert (clone.root / "data").read_text() == "my own\n"
    clone.run("checkout", "--force")
    clone.assert_data(SECOND)
    assert "data" in clone.run("recover").out


SWAP = """
import os, sys, time
directory, aside, link = sys.argv[1:]
print("started", flush=True)
while True:
    time.sleep(0.0005)
    try:
        os.rename(directory, aside)
        os.rename(link, directory)
        time.sleep(0.0005)
        os.rename(directory, link)
        os.rename(aside, directory)
    except OSError:
        for path in (aside, link):
            if os.path.isdir(path) and not os.path.islink(path) and not os.path.lexists(directory):
                os.rename(path, directory)
        if os.path.islink(directory) and not os.path.lexists(link):
            os.rename(directory, link)
        if not os.path.lexists(link):
            os.symlink("../../outside", link)
        if os.path.isdir(aside):
            import shutil
            shutil.rmtree(aside, ignore_errors=True)
"""
ROUNDS = 500


@pytest.mark.slow
def test_a_directory_is_swapped_for_a_link_all_the_time(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "project")
    files = {f"f{n}": f"{n}\n" for n in range(8)}
    bench.track({"data": {"sub": files, "other": "o\n"}})
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f0").write_text("outside\n")
    (tmp_path / "link").symlink_to("../../outside")
    places = [str(path) for path in (bench.root / "data/sub", tmp_path / "aside", tmp_path / "link")]
    with subprocess.Popen([sys.executable, "-c", SWAP, *places], stdout=subprocess.PIPE) as swapper:
        assert swapper.stdout is not None
        swapper.stdout.readline()
        try:
            for number in range(ROUNDS):
                with contextlib.suppress(OSError):
                    delete_two(bench.root / "data/sub", number)
                with contextlib.suppress(DvtoolError):
                    bench.checkout()
        finally:
            swapper.kill()
    assert_tree(outside, {"f0": "outside\n"})
    if (bench.root / "data/sub").is_symlink():
        (bench.root / "data/sub").unlink()
    bench.checkout(force=True)
    assert_tree(bench.root / "data", {"sub": files, "other": "o\n"})


def delete_two(directory: Path, number: int) -> None:
    """Never through a link, so that only a checkout could change what is outside."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for name in (f"f{number % 8}", f"f{(number + 3) % 8}"):
            os.unlink(name, dir_fd=descriptor)
    finally:
        os.close(descriptor)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["replace", "rewrite", "append"])
def test_the_user_saves_a_file_during_a_version_switch(tmp_path: Path, style: str) -> None:
    """At any moment of it. Whatever wins, the saved bytes stand there, or beside it under a name of their own."""
    bench = Workbench(tmp_path / "project")
    file = bench.root / "data/a"
    versions = []
    for number in (1, 2):
        bench.create({"data": {"a": f"version {number}\n", "b": f"{number}\n"}})
        bench.add("data")
        versions.append((bench.root / "data.dvt").read_bytes())
    chance = random.Random(style)
    for number in range(25):
        bench.checkout(force=True)
        (bench.root / "data.dvt").write_bytes(versions[number % 2])
        saved = f"saved {number}\n"
        saving = threading.Timer(chance.random() * 0.03, save, (file, saved, style))
        saving.start()
        with contextlib.suppress(DvtoolError):
            bench.checkout()
        saving.join()
        kept = [path.read_text() for path in file.parent.iterdir() if path.name not in {"b", "editor"}]
        assert any(text.endswith(saved) for text in kept), kept
        for path in file.parent.glob(".dvtool-rescued-*"):
            path.unlink()


def save(file: Path, text: str, style: str) -> None:
    if style == "replace":
        beside = file.parent / "editor"
        beside.write_text(text)
        beside.replace(file)
    else:
        with file.open("a" if style == "append" else "w") as stream:
            stream.write(text)
