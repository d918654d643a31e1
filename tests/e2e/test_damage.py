"""Damage in the cache and on a remote: noticed, named, healed or refused, and never let into the worktree."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_64_hexdigest

from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pointer import decode_pointer
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.store.localpacks import LocalPacks
from tests.e2e.clones import Clone
from tests.e2e.clones import new_clone
from tests.e2e.story import noise
from tests.support.datasets import damage
from tests.support.trees import NormalNode
from tests.support.trees import normal
from tests.support.trees import tree_of

pytestmark = pytest.mark.e2e

MIDDLE = noise("middle", 150_000)
DIRECTORY: dict[Any, Any] = {"a": "a2\n", "b": "b\n", "sub": {"c": "c\n"}, "middle.bin": MIDDLE}
TRACKED: dict[Any, Any] = {"data": DIRECTORY, "large.bin": noise("large", 4_300_000)}
"""Small files lie in packs, the middle one loose, the large one is cut on the remote."""
FILES = {b"data/a", b"data/b", b"data/sub/c", b"data/middle.bin", b"large.bin"}


@dataclass(frozen=True)
class Scene:
    """Ann has pushed two versions; Bob has cloned and not pulled yet."""

    ann: Clone
    bob: Clone
    remote: Path

    def keys(self, folder: str) -> list[Path]:
        return sorted(path for path in (self.remote / folder).rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("damage") / "original"
    ann = new_clone(place / "ann")
    ann.run("remote", "add", "-d", "origin", "../remote")
    ann.create({**TRACKED, "data": {**DIRECTORY, "a": "a1\n"}})
    ann.run("add", *TRACKED)
    ann.commit("v1")
    ann.run("push")
    ann.create({"data": {"a": "a2\n"}})
    ann.run("add", "data")
    ann.commit("v2")
    ann.run("push")
    ann.clone(place / "bob")
    return place


@pytest.fixture
def scene(original: Path, tmp_path: Path) -> Iterator[Scene]:
    shutil.copytree(original, tmp_path / "copy", symlinks=True)
    place = tmp_path / "copy"
    scene = Scene(Clone(place / "ann"), Clone(place / "bob"), place / "remote")
    yield scene
    present(scene.ann)
    present(scene.bob)


def present(clone: Clone) -> set[bytes]:
    """The tracked files that stand in the worktree. Each is right, and nothing unfinished lies beside it."""
    found = files_below({name: node for name, node in tree_of(clone.root).items() if name in {b"data", b"large.bin"}})
    wanted = files_below(normal(TRACKED))
    assert {path: wanted.get(path) for path in found} == found
    return set(found)


def files_below(nodes: dict[bytes, NormalNode], parent: bytes = b"") -> dict[bytes, NormalNode]:
    found: dict[bytes, NormalNode] = {}
    for name, node in nodes.items():
        found |= files_below(node, parent + name + b"/") if isinstance(node, dict) else {parent + name: node}
    return found


def empty_worktree(clone: Clone) -> None:
    shutil.rmtree(clone.root / "data")
    (clone.root / "large.bin").unlink()


def shorten(path: Path) -> None:
    path.chmod(0o600)
    os.truncate(path, path.stat().st_size - 9)


def flip(path: Path) -> None:
    damage(path, 40)


def pack_with(store: Path, oid: ObjectId, pack_class: int) -> Path:
    """The pack that holds an object; on a remote its name goes on with a suffix."""
    packs = LocalPacks(os.fsencode(store))
    place = packs.find(oid, pack_class)
    assert place is not None
    return Path(os.fsdecode(packs.path(place.pack)))


def remote_pack_with(scene: Scene, content: bytes) -> Path:
    name = pack_with(scene.ann.cache, object_id(content), DATA).name
    [path] = [path for path in scene.keys("data") if path.name.startswith(name)]
    return path


# The cache and the workspace memo.


def test_status_without_the_cache_and_without_the_remote(scene: Scene) -> None:
    """As where both lie on a drive that is not mounted."""
    ann = scene.ann
    ann.git("checkout", "-q", "HEAD~1")
    shutil.rmtree(ann.cache)
    scene.remote.rename(scene.remote.with_name("away"))
    told = ann.run("status", "--json").document
    assert [(each["path"], each["why"]) for each in told["workspace"] + told["missing"]] == [
        ("data", "the recorded listing is not in the cache")
    ]
    ann.run("checkout", code=4)
    ann.git("checkout", "-q", "-")
    scene.remote.with_name("away").rename(scene.remote)
    ann.run("pull")
    ann.assert_clean()


def test_cache_index_and_memo_cost_only_time(scene: Scene) -> None:
    ann = scene.ann
    ann.run("doctor", "--rebuild")
    indexes = [*(ann.cache / "index").iterdir()]
    assert indexes
    empty_worktree(ann)
    for harm in (Path.unlink, shorten, flip):
        for path in (*indexes, ann.cache.parent / "memo.sqlite"):
            if path.exists():
                harm(path)
        ann.run("checkout")
        assert present(ann) == FILES
        ann.run("status", "--exit-code")
        empty_worktree(ann)
        ann.run("doctor", "--rebuild")


@pytest.mark.parametrize("harm", [shorten, flip], ids=["cut", "flipped"])
@pytest.mark.parametrize("what", ["pack", "loose", "tree"])
def test_damage_in_the_cache(scene: Scene, harm: Callable[[Path], None], what: str) -> None:
    ann = scene.ann
    path, lost = local_victim(ann, what)
    harm(path)
    empty_worktree(ann)
    refused = ann.run("checkout", code=3)
    assert path.name in refused.err
    assert "dvtool pull" in refused.hint
    assert present(ann) == FILES - lost
    healed = ann.run("pull")
    assert "set aside" in healed.err
    assert present(ann) == FILES
    assert [file.name.startswith(path.name) for file in (ann.cache / "quarantine").iterdir()] == [True]
    ann.run("push")


@pytest.mark.parametrize("harm", [shorten, flip], ids=["cut", "flipped"])
@pytest.mark.parametrize("what", ["pack", "loose", "tree"])
def test_damage_in_the_cache_without_any_other_copy(scene: Scene, harm: Callable[[Path], None], what: str) -> None:
    """The worktree has the bytes: after a refused push `add` stores them again, and nothing wrong is sent."""
    ann, bob = scene.ann, scene.bob
    path, _ = local_victim(ann, what)
    harm(path)
    shutil.rmtree(scene.remote)
    failed = ann.run("push", code=4 if harm is shorten and what != "loose" else 3)
    assert path.name in failed.err
    assert "dvtool add" in failed.hint
    ann.run("add", *TRACKED)
    ann.run("push")
    bob.run("pull")
    assert present(bob) == FILES


def local_victim(clone: Clone, what: str) -> tuple[Path, set[bytes]]:
    """A file of the cache and the tracked files that cannot be had without it."""
    if what == "pack":
        return pack_with(clone.cache, object_id(b"a2\n"), DATA), {b"data/a"}
    if what == "loose":
        oid = object_id(MIDDLE)
        return clone.cache / "objects" / oid.hex()[:2] / oid.hex(), {b"data/middle.bin"}
    pointer = decode_pointer((clone.root / "data.dvt").read_bytes(), "data.dvt")
    return pack_with(clone.cache, pointer.digest.oid, META), FILES - {b"large.bin"}


# The remote.


def test_remote_index_files_cost_only_time(scene: Scene) -> None:
    first, *others = scene.keys("index")
    assert others
    first.unlink()
    scene.bob.run("pull")
    assert present(scene.bob) == FILES
    for path in others:
        path.unlink()
    fresh = scene.ann.clone(scene.ann.root.parent / "fresh")
    fresh.run("pull")
    assert present(fresh) == FILES
    sent = scene.ann.run("push", "--json").document
    assert sent["up_to_date"]


@pytest.mark.parametrize("content", [b"b\n", MIDDLE], ids=["packed", "loose"])
def test_remote_pack_is_gone(scene: Scene, content: bytes) -> None:
    scene_pack = remote_pack_holding(scene, content)
    scene_pack.unlink()
    failed = scene.bob.run("pull", code=4)
    assert re.search(r" is not on origin \(blake3:[0-9a-f]{12}\)$", failed.err, re.MULTILINE)
    assert present(scene.bob) < FILES
    assert not scene.ann.run("push", "--json").document["up_to_date"]
    scene.bob.run("pull")
    assert present(scene.bob) == FILES


def test_all_remote_packs_are_gone(scene: Scene) -> None:
    shutil.rmtree(scene.remote / "data")
    shutil.rmtree(scene.remote / "meta")
    scene.bob.run("pull", code=4)
    assert present(scene.bob) == set()
    scene.ann.run("push")
    scene.bob.run("pull")
    assert present(scene.bob) == FILES


def test_remote_packs_are_cut_short(scene: Scene) -> None:
    """What can still be proved right is taken; `push` sends again what is not whole."""
    for path in (*scene.keys("data"), *scene.keys("meta")):
        shorten(path)
    scene.bob.run("pull", code=4)
    assert not scene.ann.run("push", "--json").document["up_to_date"]
    scene.bob.run("pull")
    assert present(scene.bob) == FILES


@pytest.mark.parametrize("content", [b"b\n", MIDDLE], ids=["packed", "loose"])
def test_a_bit_on_the_remote_has_flipped(scene: Scene, content: bytes) -> None:
    path = remote_pack_holding(scene, content)
    damage(path, 40)
    failed = scene.bob.run("pull", code=3)
    assert f"origin ({path.relative_to(scene.remote)})" in failed.err
    assert b"large.bin" in present(scene.bob)
    assert "dvtool fsck --remote origin --deep --repair" in failed.hint
    scene.ann.run("fsck", "--remote", "origin", "--deep", "--repair")
    scene.bob.run("pull")
    assert present(scene.bob) == FILES


def remote_pack_holding(scene: Scene, content: bytes) -> Path:
    """A loose blob of the cache travels in a pack that only the remote has."""
    if content == b"b\n":
        return remote_pack_with(scene, content)
    [path] = [path for path in scene.keys("data") if content[:1000] in path.read_bytes()]
    return path


def test_root_record_is_gone(scene: Scene) -> None:
    for path in scene.keys("roots"):
        path.unlink()
    scene.bob.run("pull")
    assert present(scene.bob) == FILES
    scene.ann.run("push")
    [record] = scene.keys("roots")
    assert record.name.startswith(scene.ann.git("rev-parse", "HEAD").strip())


@pytest.mark.parametrize("harm", [shorten, flip], ids=["cut", "flipped"])
@pytest.mark.parametrize("where", ["remote", "cache"])
def test_store_file_is_damaged(scene: Scene, harm: Callable[[Path], None], where: str) -> None:
    code = 3 if (where, harm) == ("remote", flip) else 9
    path = (scene.remote if where == "remote" else scene.ann.cache) / "dvtool-store.json"
    harm(path)
    (scene.ann.root / "data/b").unlink()
    failed = scene.ann.run("push" if where == "remote" else "checkout", code=code)
    assert "dvtool-store.json" in failed.err
    assert "move that file away" in failed.hint
    path.rename(path.parent.parent / "away")
    scene.ann.run("checkout")
    scene.ann.run("push")
    scene.bob.run("pull")
    assert present(scene.bob) == FILES
    assert present(scene.ann) == FILES


def test_a_newer_store_is_left_alone(scene: Scene) -> None:
    path = scene.remote / "dvtool-store.json"
    text = path.read_text()[17:-1].replace('"version":1', '"version":2')
    path.chmod(0o600)
    path.write_text(f"{xxh3_64_hexdigest(text.encode())} {text}\n")
    before = sorted(scene.remote.rglob("*"))
    for verb in ("push", "pull"):
        failed = scene.bob.run(verb, code=9)
        assert "upgrade" in failed.hint
    assert sorted(scene.remote.rglob("*")) == before
