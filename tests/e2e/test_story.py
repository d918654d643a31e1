"""The story that dvtool is for: version data beside Git, push it, get it back anywhere, byte for byte."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clones import Clone
from tests.e2e.clones import new_clone
from tests.e2e.clones import run_in
from tests.e2e.story import ODD_NAMES
from tests.e2e.story import first_version
from tests.e2e.story import second_version
from tests.support.seaweed import Seaweed
from tests.support.trees import assert_tree
from tests.support.trees import create_tree
from tests.support.trees import normal
from tests.support.trees import tree_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@dataclass(frozen=True)
class Place:
    """Where a remote is, its further settings, and the variables that a user of it has set."""

    url: str
    settings: Mapping[str, str]
    environ: Mapping[str, str]


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.s3)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "directory":
        return Place(str(tmp_path / "remote"), {}, {})
    seaweed: Seaweed = request.getfixturevalue("seaweed")
    return Place(seaweed.new_url(), {"endpointurl": seaweed.endpoint}, seaweed.environment)


def is_refused_as_target(name: bytes) -> bool:
    is_control = any(byte < 32 or byte == 127 for byte in name)
    return is_control or b"\\" in name or len(name) > 251 or name in {b".gitignore", b"data.dvt"}


def put(root: Path, version: Mapping[str, Any]) -> None:
    """Make what is tracked in *root* be *version*, as an editor or a program does."""
    for name in version:
        path = root / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
    create_tree(root, version)


def assert_version(clone: Clone, version: Mapping[str, Any]) -> None:
    tracked = {os.fsencode(name) for name in version}
    found = {name: node for name, node in tree_of(clone.root).items() if name in tracked}
    assert found == normal(version)


def add_remote(clone: Clone, place: Place) -> None:
    clone.run("remote", "add", "-d", "origin", place.url)
    for key, value in place.settings.items():
        clone.run("remote", "modify", "origin", key, value)


def break_remote(clone: Clone) -> None:
    """From now on nothing can come from there, and asking for it fails."""
    clone.run("config", "--local", "remote.origin.url", "/no/such/place")


def test_story(tmp_path: Path, place: Place) -> None:
    ann = new_clone(tmp_path / "ann", place.environ, is_cold=True)
    ann.create(first_version())
    added = ann.run("add", "--json", *first_version()).document
    assert {item["path"] for item in added["added"]} == {*first_version()}
    ann.commit("data v1")
    ann.git("tag", "v1")
    assert "data" not in ann.git("ls-files").split()
    add_remote(ann, place)
    ann.commit("remote")
    ann.run("push")
    ann.assert_clean()

    put(ann.root, second_version())
    ann.run("status", "--exit-code", code=1)
    ann.run("diff")
    ann.run("add", *second_version())
    ann.git("commit", "-q", "-am", "data v2")
    sent = ann.run("push", "--json").document
    assert 0 < sent["sent"]["bytes"] < 5 << 20, "of the large file the part around the insertion is sent, not all"
    assert ann.run("push", "--json").document["up_to_date"]
    ann.assert_clean()

    bob = ann.clone(tmp_path / "bob")
    bob.run("pull")
    assert_version(bob, second_version())
    bob.assert_clean()
    # v1 was never fetched here: what is missing is said, and comes on demand.
    bob.git("checkout", "-q", "v1")
    bob.run("checkout", code=4)
    add_remote(bob, place)
    bob.run("pull")
    assert_version(bob, first_version())
    bob.git("checkout", "-q", "--", ".")

    for clone in (ann, bob):
        break_remote(clone)
        clone.git("checkout", "-q", "main")
        clone.run("checkout")
        assert_version(clone, second_version())
        clone.git("checkout", "-q", "v1")
        clone.run("checkout")
        assert_version(clone, first_version())
    assert_tree(ann.cache / "tmp", {})


def test_a_colleague_changes_the_data_too(tmp_path: Path) -> None:
    ann = new_clone(tmp_path / "ann")
    ann.create({"data": {"a": "a\n", "b": "b\n", "sub": {"c": "c\n"}}})
    ann.run("add", "data")
    ann.run("remote", "add", "-d", "origin", tmp_path / "remote")
    ann.commit()
    ann.run("push")
    bob = ann.clone(tmp_path / "bob")
    bob.run("pull")
    bob.create({"data": {"a": "bob's\n", "new": "new\n"}})
    bob.run("add", "data")
    bob.commit("from bob")
    bob.run("push")
    bob.git("push", "-q", "origin", "HEAD:bob")
    ann.git("merge", "-q", "bob")
    ann.run("pull")
    ann.assert_data({"a": "bob's\n", "b": "b\n", "new": "new\n", "sub": {"c": "c\n"}})
    ann.assert_clean()


def test_files_with_odd_names_can_be_targets(tmp_path: Path) -> None:
    """Each with a pointer of its own. What no pointer can name is refused, and may still lie in a directory."""
    ann = new_clone(tmp_path / "ann")
    refused = {name for name in map(os.fsencode, ODD_NAMES) if is_refused_as_target(name)}
    assert len(refused) == 11
    for name, code in ((b"new\nline", 6), (b"n" * 255, 2)):
        ann.create({name: "x"})
        assert ann.run("add", "--", name, code=code).error
        os.unlink(os.fsencode(ann.root) + b"/" + name)
    names = [name for name in map(os.fsencode, ODD_NAMES) if name not in refused]
    for name in names:
        Path(os.fsdecode(os.fsencode(ann.root) + b"/" + name)).write_bytes(b"<" + name + b">")
    ann.run("add", "--", *names)
    ann.run("remote", "add", "-d", "origin", tmp_path / "remote")
    ann.commit()
    ann.assert_clean()
    tracked = run_in(ann.root, ["git", "ls-files", "-z"], b"", {}).out
    assert tracked.count(".dvt\0") == len(names)
    ann.run("push")
    bob = ann.clone(tmp_path / "bob")
    bob.run("pull")
    found = tree_of(bob.root)
    assert {name: found[name] for name in names} == {name: b"<" + name + b">" for name in names}
    bob.assert_clean()
    assert not (tmp_path / "ann/HIT").exists()


def test_without_git(tmp_path: Path) -> None:
    root = tmp_path / "plain"
    root.mkdir()
    ann = Clone(root)
    ann.run("init", "--no-scm", "-q")
    ann.create(first_version())
    ann.run("add", *first_version())
    ann.run("remote", "add", "-d", "origin", tmp_path / "remote")
    ann.run("push")
    ann.run("status", "--exit-code")
    place = tmp_path / "copy"
    place.mkdir()
    bob = Clone(place)
    for file in [*root.glob("*.dvt"), root / ".dvtoolignore"]:
        shutil.copy(file, place)
    (place / ".dvtool").mkdir()
    shutil.copy(root / ".dvtool/config", place / ".dvtool")
    bob.run("pull")
    assert_version(bob, first_version())
    bob.run("status", "--exit-code")


def test_in_a_subdirectory(tmp_path: Path) -> None:
    top = Clone(tmp_path / "top")
    top.root.mkdir()
    top.git("init", "-q")
    (top.root / "code.py").write_text("pass\n")
    project = Clone(top.root / "models/vision")
    project.root.mkdir(parents=True)
    project.run("init", "--subdir", "-q")
    project.create({"data": {"a": "v1\n", "deep": {"b": "v1\n"}}})
    Clone(project.root / "data/deep").run("add", "..")
    project.run("remote", "add", "-d", "origin", "../../../remote")
    top.commit("v1")
    top.git("tag", "v1")
    project.run("push")
    project.create({"data": {"a": "v2\n"}})
    project.run("add", "data")
    top.commit("v2")
    project.run("push")
    assert [*(tmp_path / "remote").iterdir()]
    copy = top.clone(tmp_path / "copy")
    below = Clone(copy.root / "models/vision")
    below.run("pull", "-a", "-T")
    below.assert_data({"a": "v2\n", "deep": {"b": "v1\n"}})
    copy.git("checkout", "-q", "v1")
    shutil.rmtree(tmp_path / "remote")
    below.run("checkout")
    below.assert_data({"a": "v1\n", "deep": {"b": "v1\n"}})
    assert copy.git("status", "--porcelain") == ""
    copy.run("status", code=10)


def test_linked_worktrees_share_the_cache(tmp_path: Path) -> None:
    ann = new_clone(tmp_path / "ann")
    ann.create({"data": {"a": "v1\n", "b": "b\n"}})
    ann.run("add", "data")
    ann.commit("v1")
    ann.git("tag", "v1")
    ann.create({"data": {"a": "v2\n"}})
    ann.run("add", "data")
    ann.commit("v2")
    ann.git("worktree", "add", "-q", tmp_path / "linked", "v1")
    linked = Clone(tmp_path / "linked")
    linked.run("checkout")
    linked.assert_data({"a": "v1\n", "b": "b\n"})
    linked.assert_clean()
    ann.assert_data({"a": "v2\n", "b": "b\n"})
    ann.assert_clean()
    linked.create({"data": {"c": "c\n"}})
    linked.run("add", "data")
    linked.commit("v3")
    ann.git("checkout", "-q", "--detach", linked.git("rev-parse", "HEAD").strip())
    ann.run("checkout")
    ann.assert_data({"a": "v1\n", "b": "b\n", "c": "c\n"})


def test_a_shared_cache_spares_the_second_clone_the_download(tmp_path: Path) -> None:
    ann = new_clone(tmp_path / "ann")
    ann.run("cache", "dir", "--local", tmp_path / "cache")
    ann.create({"data": {"a": "v1\n", "large": b"x" * 200_000}})
    ann.run("add", "data")
    ann.run("remote", "add", "-d", "origin", tmp_path / "remote")
    ann.commit()
    ann.run("push")
    bob = ann.clone(tmp_path / "bob")
    bob.run("cache", "dir", "--local", tmp_path / "cache")
    shutil.rmtree(tmp_path / "remote")
    assert bob.run("pull", "--json").document["fetch"]["bytes_received"] == 0
    bob.assert_data({"a": "v1\n", "large": b"x" * 200_000})
    bob.assert_clean()
    assert not bob.cache.exists()
