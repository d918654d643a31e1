"""A small world in which a command meets its faults: two work trees, a remote, and what is nobody's business."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dvtool.hashing.digests import object_id
from tests.faults.checker import Contents
from tests.faults.checker import read_store
from tests.faults.injector import Injector

TEMPORARIES = (b".dvtool-tmp-", b".dvtool-part-", b".dvtool-rescued-")
_REPOSITORY_ID = re.compile(rb"(repo_id = )[0-9a-f]+")


class Node(NamedTuple):
    """One path: ``kind`` is f, x (executable), l or d; ``data`` the bytes, the target, or nothing."""

    kind: str
    data: bytes

    @property
    def is_file(self) -> bool:
        return self.kind in "fx"


Files = dict[bytes, Node]


class State(NamedTuple):
    """Everything at one moment. ``git``: what is Git's own below ``.git``; ``strays``: temporaries in the places where
    dvtool keeps its own things, but for the cache.
    """

    tree: Files
    git: Files
    other: Files
    cache: Contents
    remote: Contents
    strays: list[str]


class World:
    """Below *path*: ``repo``, ``clone``, ``remote``, ``outside``. Commands run in ``place``: ``repo`` or ``clone``.

    *link*: how files come from the cache.
    """

    def __init__(self, path: Path, injector: Injector, link: str = "copy") -> None:
        self.path = path
        self.link = link
        self.injector = injector
        self.repo = path / "repo"
        self.clone = path / "clone"
        self.remote = path / "remote"
        self.outside = path / "outside"
        self.place = self.repo
        self._saved = path.with_name("saved")

    def dvtool(self, *argv: str) -> str:
        """A command that meets no fault and must succeed."""
        ran = self.injector.run(argv, self.place, below=self.path)
        assert ran.code == 0, (argv, ran)
        return ran.out

    def dvtool_fails(self, *argv: str) -> None:
        """A command that meets no fault and must not succeed."""
        ran = self.injector.run(argv, self.place, below=self.path)
        assert ran.code == 8, (argv, ran)

    def git(self, *argv: str) -> None:
        """Git in ``place``."""
        subprocess.run(["git", *argv], cwd=self.place, check=True, capture_output=True)

    def save(self) -> None:
        """Remember all of it."""
        _copy(self.path, self._saved)

    def restore(self) -> None:
        """Bring back what was saved."""
        shutil.rmtree(self.path)
        _copy(self._saved, self.path)

    @property
    def cache_dir(self) -> Path:
        """The cache of ``place``, or the shared one."""
        shared = self.path / "cache"
        return shared if shared.exists() else self.place / ".git/dvtool/cache"

    def look(self) -> State:
        """Read it all."""
        cache = self.cache_dir
        tree = read_files(self.place, skip=(b".git",), cache=cache)
        config = tree.get(b".dvtool/config")
        if config is not None:
            # `init` draws it; nothing else depends on it.
            tree[b".dvtool/config"] = config._replace(data=_REPOSITORY_ID.sub(rb"\1X", config.data))
        git = read_files(self.place / ".git", skip=(b"dvtool",))
        other: Files = {}
        for folder in (self.outside, self.repo if self.place is self.clone else self.clone):
            found = read_files(folder, cache=folder / ".git/dvtool/cache")
            # Who reads another cache says so in its lock.
            found = {path: node for path, node in found.items() if not path.endswith(b"/dvtool/cache/lock")}
            other |= {os.fsencode(folder.name) + b"/" + path: node for path, node in found.items()}
        return State(tree, git, other, read_store(cache), read_store(self.remote), self._strays())

    def _strays(self) -> list[str]:
        own = self.place / ".git/dvtool"
        return [
            str(path.relative_to(own))
            for path in own.rglob(".dvtool-*")
            if is_temporary(bytes(path)) and path.relative_to(own).parts[0] != "cache"
        ]


def read_files(root: Path, *, skip: tuple[bytes, ...] = (), cache: Path | None = None) -> Files:
    """Every path below *root*, except what lies in the directories *skip* at the top; a link into *cache* is a file."""
    within = b"" if cache is None else os.path.join(os.fsencode(cache), b"objects/")
    return dict(_read(os.fsencode(root), b"", skip, within)) if root.exists() else {}


def content(name: str, size: int) -> bytes:
    """*size* bytes that depend on *name* and do not compress."""
    return hashlib.shake_128(name.encode()).digest(size)


def digests(files: Files) -> set[bytes]:
    """The address of every file's bytes."""
    return {object_id(node.data) for node in files.values() if node.is_file}


def is_temporary(path: bytes) -> bool:
    """Whether dvtool made this name for itself."""
    return any(part.startswith(TEMPORARIES) for part in path.split(b"/"))


def is_metadata(path: bytes) -> bool:
    """Whether dvtool writes it for Git, or Git has it from DVC and `migrate` takes its place."""
    own = (b".dvt", b"dvtool.lock", b"dvtool.yaml", b".gitignore", b".dvtoolignore")
    of_dvc = (b".dvc", b"dvc.lock", b"dvc.yaml", b".dvcignore")
    return path.endswith((*own, *of_dvc)) or path.startswith((b".dvtool/", b".dvc/"))


def names_data(path: bytes) -> bool:
    """Whether it is a pointer or a lock."""
    return path.endswith((b".dvt", b"dvtool.lock"))


def _read(root: bytes, below: bytes, skip: tuple[bytes, ...], cache: bytes) -> Iterator[tuple[bytes, Node]]:
    with os.scandir(os.path.join(root, below)) as listing:
        for entry in listing:
            path = below + entry.name
            if not below and entry.name in skip:
                continue
            if entry.is_symlink():
                target = os.readlink(entry.path)
                stored = os.path.normpath(os.path.join(os.path.dirname(entry.path), target))
                if cache and stored.startswith(cache) and os.path.exists(stored):
                    with open(stored, "rb") as file:
                        yield path, Node("f", file.read())
                    continue
                yield path, Node("l", target)
            elif entry.is_dir():
                yield path, Node("d", b"")
                yield from _read(root, path + b"/", skip, cache)
            else:
                with open(entry.path, "rb") as file:
                    is_executable = entry.stat().st_mode & stat.S_IXUSR
                    yield path, Node("x" if is_executable else "f", file.read())


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "--", source, target], check=True)
