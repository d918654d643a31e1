"""A hostile repository, the remote that goes with it, somebody who clones it, and what must stay untouched."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from dvtool.formats.index import IndexedPack
from dvtool.formats.index import encode_index
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import FOOTER_BYTES
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.formats.pack import decode_footer
from dvtool.formats.recipe import Recipe
from dvtool.formats.recipe import encode_recipe
from dvtool.hashing.digests import object_id
from dvtool.hashing.digests import pack_id
from dvtool.model.digest import ObjectId
from dvtool.store.names import pack_name
from tests.golden.cases import Packed
from tests.golden.cases import encode_pack
from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo

SUFFIX = bytes.fromhex("0badcafe")
HELLO = b"hello\n"


class Scene:
    """Below *place*: ``theirs`` as its author made it, ``mine`` as it was cloned, ``remote``, ``outside``."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.theirs = place / "theirs"
        self.mine = place / "mine"
        self.remote = place / "remote"
        self.outside = place / "outside"
        self.marker = place / "marker"
        """Nothing may ever make this file."""

    def write(self, path: str | bytes, content: str | bytes) -> None:
        """A file of the hostile repository, committed before it is cloned."""
        full = os.path.join(os.fsencode(self.theirs), os.fsencode(path))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)

    def configure(self, text: str) -> None:
        """Further lines of the committed config."""
        with open(self.theirs / ".dvtool/config", "a", encoding="utf-8") as file:
            file.write(text)

    def git(self, *argv: str, at: Path | None = None) -> str:
        done = subprocess.run(["git", *argv], cwd=at or self.theirs, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "more")

    def clone(self) -> None:
        self.git("clone", "-q", str(self.theirs), str(self.mine), at=self.place)

    def plant(self, pages: Iterable[bytes] = (), blobs: Iterable[bytes] = (HELLO,)) -> None:
        """Objects under their right names, in packs of the remote with an index of its own."""
        packs = [encode_pack(Packed(DATA, (tuple((BYTES, bytes(object_id(blob)), blob) for blob in blobs),)))]
        listed = list(dict.fromkeys(pages))
        if listed:
            packs.append(encode_pack(Packed(META, tuple(((TREE, bytes(object_id(page)), page),) for page in listed))))
        self.plant_packs(*packs)

    def plant_recipe(self, recipe: Recipe, pieces: Iterable[bytes]) -> None:
        """A recipe as it is, and the pieces that are to make the blob."""
        meta = Packed(META, (((RECIPE, recipe.blob, encode_recipe(recipe)),),))
        self.plant_packs(encode_pack(meta))
        self.plant((), pieces)

    def plant_packs(self, *packs: bytes) -> None:
        covered = []
        for data in packs:
            table = table_of(data)
            covered.append((IndexedPack(pack_id(data[8], table), SUFFIX, data[8], len(data)), table))
            self.put(pack_name(data[8], covered[-1][0].id, SUFFIX), data)
        index = encode_index(covered)
        self.put(f"index/{object_id(index).hex()}", index)

    def put(self, key: str, data: bytes) -> None:
        """A file of the remote."""
        path = self.remote / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def give_to_cache(self) -> None:
        """Put the remote's packs into the cache of the clone, as somebody who shares it could."""
        cache = self.mine / ".git/dvtool/cache"
        for folder in ("data", "meta"):
            for path in (self.remote / folder).rglob("*-*"):
                target = cache / path.relative_to(self.remote).with_name(path.name.partition("-")[0])
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
                target.chmod(0o444)
        shutil.copyfile(self.remote / "dvtool-store.json", cache / "dvtool-store.json")

    def untouched(self) -> dict[str, str]:
        """What no verb may change: everything outside, the home directory, and what is Git's own in the clone."""
        own = (self.mine / ".git/hooks", self.mine / ".git/config", self.mine / ".git/HEAD", self.mine / ".git/refs")
        places = (self.outside, Path(os.environ["HOME"]), Path(os.environ["XDG_CONFIG_HOME"]), self.theirs, *own)
        found = {str(path): state for place in places for path, state in _states(place)}
        found[str(self.place)] = " ".join(sorted(path.name for path in self.place.iterdir()))
        return found


def table_of(data: bytes) -> bytes:
    """The table of a whole pack."""
    return data[decode_footer(data[-FOOTER_BYTES:], len(data), "pack").table_offset : -FOOTER_BYTES]


def pointer(
    path: str = "path: x",
    *,
    digest: str | None = None,
    kind: str = "file",
    size: int = len(HELLO),
    files: int = 1,
    head: str = "dvtool: 1",
    extra: str = "",
) -> str:
    """The text of a pointer, right or wrong. *path* is the whole line."""
    lines = [head, path, f"kind: {kind}", f"digest: {digest or blake(HELLO)}", f"size: {size}"]
    return "\n".join(lines + [f"files: {files}"] * (kind == "directory")) + "\n" + extra


def blake(data: bytes) -> str:
    """The digest of bytes in its text form."""
    return f"blake3:{object_id(data).hex()}"


def tracked_tree(page: bytes, size: int = len(HELLO), files: int = 1, name: str = "d") -> str:
    """The pointer of a directory with that top page."""
    return pointer(f"path: {name}", digest=blake(page), kind="directory", size=size, files=files)


def build_template(place: Path) -> Path:
    """An honest project with a committed remote that everything was pushed to."""
    scene = Scene(place)
    (scene.outside / "deep").mkdir(parents=True)
    (scene.outside / "secret").write_text("secret\n")
    (scene.outside / "deep/file").write_text("outside\n")
    scene.remote.mkdir()
    scene.theirs.mkdir()
    scene.git("init", "-q")
    repo = DataRepo(scene.theirs, CommandLine(scene.theirs))
    repo.cli.done("init", "-q")
    repo.write({"data": {"a": "a1\n", "sub": {"b": "b1\n"}}, "model.bin": "m1\n", "src": {"main.py": "print()\n"}})
    repo.add("data", "model.bin")
    repo.cli.done("remote", "add", "-q", "-d", "origin", "../remote")
    repo.commit("first")
    repo.git("tag", "v1")
    repo.write({"data": {"a": "a2\n"}})
    repo.add("data")
    repo.commit("second")
    repo.cli.done("push", "-q", "--all-tags")
    return place


def _states(place: Path) -> Iterable[tuple[Path, str]]:
    if place.is_file() or place.is_symlink():
        yield place, _state(place)
    for folder, folders, names in os.walk(place):
        for name in (*folders, *names):
            path = Path(folder) / name
            if folder == str(place) or ".git" not in path.relative_to(place).parts:
                yield path, _state(path)


def _state(path: Path) -> str:
    status = path.lstat()
    if path.is_symlink():
        return f"link {os.readlink(path)}"
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return f"{status.st_mode:o} {status.st_mtime_ns if path.is_file() else ''} {content}"


def object_name(data: bytes) -> ObjectId:
    """The address of an object."""
    return object_id(data)
