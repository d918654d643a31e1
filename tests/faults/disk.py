"""What a disk may hold after a power loss: a tree of inodes, the changes made to it, and which of them were synced.

The model is stricter than any file system in use: a name is durable when its directory was synced, bytes and mode are
when their file was, and neither says anything about the other. The names of one directory come to the disk in their
order; a rename is one change. A change that was not synced may be there or not.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import NamedTuple

_HEAD = struct.Struct("@24sQlII")
_EXCHANGE = 2


@dataclass
class Inode:
    """``kind``: f, d or l; of a link, ``data`` is the target. Of a directory, ``names``."""

    kind: str
    data: bytes = b""
    mode: int = 0o644
    names: dict[bytes, int] = field(default_factory=dict)


class Step(NamedTuple):
    """One name in a directory: stands for *inode* now, or (``None``) for nothing."""

    directory: int
    name: bytes
    inode: int | None


class Change(NamedTuple):
    """``steps``: names; else ``inode`` gets ``data`` at ``number``, the size or the mode ``number``, or is synced."""

    what: str
    inode: int
    number: int
    data: bytes
    steps: tuple[Step, ...]


Image = dict[int, Inode]
ROOT = 0


def read_image(root: Path) -> tuple[Image, dict[int, int]]:
    """What lies below *root*, and the inode of this image for each inode number of the file system."""
    image: Image = {}
    known: dict[int, int] = {}

    def take(path: Path) -> int:
        status = path.lstat()
        number = known.get(status.st_ino)
        if number is not None and not stat.S_ISDIR(status.st_mode):
            return number
        number = known[status.st_ino] = len(known)
        if stat.S_ISLNK(status.st_mode):
            image[number] = Inode("l", os.fsencode(path.readlink()))
        elif stat.S_ISDIR(status.st_mode):
            image[number] = Inode("d", mode=stat.S_IMODE(status.st_mode))
            image[number].names = {os.fsencode(child.name): take(child) for child in path.iterdir()}
        else:
            image[number] = Inode("f", path.read_bytes(), stat.S_IMODE(status.st_mode))
        return number

    take(root)
    return image, known


def read_log(log: Path, root: Path, image: Image, known: dict[int, int]) -> list[Change]:
    """The changes that the shim wrote down while a command ran below *root*. *image* gains the inodes that were made,
    as they are at their birth.
    """
    reading = _Reading(os.fsencode(os.path.realpath(root)), image, known)
    data = log.read_bytes()
    at = 0
    while at < len(data):
        call, number, value, a_size, b_size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        a, b = data[at : at + a_size], data[at + a_size : at + a_size + b_size]
        at += a_size + b_size
        reading.take(call.partition(b"\0")[0].decode("ascii"), number, value, a, b)
    return reading.changes


class _Reading:
    def __init__(self, top: bytes, image: Image, known: dict[int, int]) -> None:
        self.changes: list[Change] = []
        self._top = top
        self._image = image
        self._known = known
        self._live = {number: dict(inode.names) for number, inode in image.items() if inode.kind == "d"}

    def take(self, what: str, number: int, value: int, a: bytes, b: bytes) -> None:
        if what == "create":
            self._born(number, Inode("f", mode=value), b)
        elif what == "mkdir":
            self._born(number, Inode("d", mode=0o755), b)
        elif what == "symlink":
            self._born(number, Inode("l", a), b)
        elif what == "unlink":
            self._named(Step(*self._spot(b), None))
        elif what in ("link", "rename"):
            self._renamed(self._spot(a), self._spot(b), value, link=what == "link")
        elif number in self._known:
            self.changes.append(Change(what, self._known[number], value, a, ()))

    def _renamed(self, source: tuple[int, bytes], target: tuple[int, bytes], flags: int, *, link: bool) -> None:
        moved = self._live[source[0]][source[1]]
        there = self._live[target[0]].get(target[1])
        if link:
            self._named(Step(*target, moved))
        elif flags & _EXCHANGE:
            self._named(Step(*source, there), Step(*target, moved))
        elif there != moved:
            self._named(Step(*source, None), Step(*target, moved))

    def _spot(self, path: bytes) -> tuple[int, bytes]:
        parts = [part for part in path[len(self._top) :].split(b"/") if part not in (b"", b".")]
        number = ROOT
        for part in parts[:-1]:
            number = self._live[number][part]
        return number, parts[-1]

    def _born(self, number: int, inode: Inode, path: bytes) -> None:
        made = self._known[number] = len(self._image)
        self._image[made] = inode
        if inode.kind == "d":
            self._live[made] = {}
        self._named(Step(*self._spot(path), made))

    def _named(self, *steps: Step) -> None:
        for step in steps:
            if step.inode is None:
                self._live[step.directory].pop(step.name, None)
            else:
                self._live[step.directory][step.name] = step.inode
        self.changes.append(Change("names", 0, 0, b"", steps))


class Pending(NamedTuple):
    """What was not synced when the power went: changes by file, and by directory in their order."""

    data: Mapping[int, list[int]]
    names: Mapping[int, list[int]]


def pending(changes: list[Change], until: int) -> Pending:
    """Of the first *until* changes, those that may be lost; as positions in *changes*."""
    data: dict[int, list[int]] = {}
    names: dict[int, list[int]] = {}
    for at, change in enumerate(changes[:until]):
        if change.what == "sync":
            data.pop(change.inode, None)
            synced = set(names.pop(change.inode, ()))
            for positions in names.values():
                positions[:] = [one for one in positions if one not in synced]
        elif change.what == "names":
            for directory in {step.directory for step in change.steps}:
                names.setdefault(directory, []).append(at)
        else:
            data.setdefault(change.inode, []).append(at)
    return Pending(data, {directory: positions for directory, positions in names.items() if positions})


def after(image: Image, changes: list[Change], until: int, lost: set[int], zeroed: Iterable[int] = ()) -> Image:
    """The disk when the power goes after *until* changes, *lost* of them are not there, and the files *zeroed* have
    their size and no bytes.
    """
    found = {number: Inode(one.kind, one.data, one.mode, dict(one.names)) for number, one in image.items()}
    sizes: dict[int, int] = {}
    for at, change in enumerate(changes[:until]):
        if change.what == "names" and at not in lost:
            for step in change.steps:
                if step.inode is None:
                    found[step.directory].names.pop(step.name, None)
                else:
                    found[step.directory].names[step.name] = step.inode
        elif change.what == "data":
            sizes[change.inode] = max(sizes.get(change.inode, 0), change.number + len(change.data))
            if at not in lost:
                inode = found[change.inode]
                head = inode.data[: change.number].ljust(change.number, b"\0")
                inode.data = head + change.data + inode.data[change.number + len(change.data) :]
        elif change.what == "size":
            sizes[change.inode] = change.number
            if at not in lost:
                inode = found[change.inode]
                inode.data = inode.data[: change.number].ljust(change.number, b"\0")
        elif change.what == "mode" and at not in lost:
            found[change.inode].mode = change.number
    for number in zeroed:
        found[number].data = found[number].data.ljust(sizes.get(number, 0), b"\0")
    return found


def write_image(image: Image, root: Path) -> None:
    """Make *root* hold exactly the image. What no name leads to is not there."""
    if root.exists():
        shutil.rmtree(root)
    placed: dict[int, bytes] = {}

    def put(number: int, path: bytes) -> None:
        inode = image[number]
        if inode.kind == "d":
            os.mkdir(path)
            for name, child in inode.names.items():
                put(child, os.path.join(path, name))
        elif number in placed:
            os.link(placed[number], path, follow_symlinks=False)
        elif inode.kind == "l":
            os.symlink(inode.data, path)
        else:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(fd, inode.data)
                os.fchmod(fd, inode.mode)
            finally:
                os.close(fd)
        if inode.kind != "d":
            placed[number] = path

    put(ROOT, os.fsencode(root))


def fingerprint(image: Image, digest: Callable[[bytes], bytes]) -> bytes:
    """The same for images that look the same."""

    def of(number: int) -> bytes:
        inode = image[number]
        if inode.kind != "d":
            return digest(b"%s %o " % (inode.kind.encode("ascii"), inode.mode) + inode.data)
        return digest(b"".join(b"%d %s " % (len(name), name) + of(inode.names[name]) for name in sorted(inode.names)))

    return of(ROOT)
