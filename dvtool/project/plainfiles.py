"""Files that are there without dvtool: on disk in the worktree, or in a commit of Git."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple
from typing import Protocol

from dvtool.errors import storage_error
from dvtool.git.listing import GitFile
from dvtool.model.paths import split
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.project.open import Project
from dvtool.workspace.pointers import Tracked

_OWN = (b".git",)


class Found(NamedTuple):
    """A path of a project and what is there. ``kind``: `FILE`, `DIRECTORY`, `LINK`.

    ``size`` is None where it is not known. One of these says where the bytes are: ``place``, a file on disk; ``blob``,
    Git's; ``entry``, the tracked content with the pointer ``item`` that it belongs to.
    """

    path: bytes
    kind: int
    size: int | None = None
    executable: bool = False
    target: bytes = b""
    place: bytes = b""
    blob: str = ""
    entry: Entry | None = None
    item: Tracked | None = None
    modified: float | None = None


class PlainFiles(Protocol):
    """Paths are relative to the root of the project; the empty one is the root."""

    def at(self, path: bytes) -> Found | None:
        """What is at a path."""

    def children(self, path: bytes) -> Iterator[Found]:
        """What is right below a directory; nothing if there is none."""

    def below(self, path: bytes) -> Iterator[bytes]:
        """Every file and link at any depth below it."""


class DiskFiles:
    """The worktree. Links are followed, as any program does; those that lead nowhere stay links."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def at(self, path: bytes) -> Found | None:
        full = os.path.join(self._root, path) if path else self._root
        if path.split(b"/", 1)[0] in _OWN:
            return None
        try:
            return _on_disk(path, full, os.stat(full))
        except (FileNotFoundError, NotADirectoryError):
            return Found(path, LINK, target=os.readlink(full)) if os.path.islink(full) else None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return Found(path, LINK, target=os.readlink(full)) if os.path.islink(full) else None
            raise storage_error(error, "read", path) from error

    def children(self, path: bytes) -> Iterator[Found]:
        prefix = path + b"/" if path else b""
        for entry in self._listed(path):
            own = prefix + entry.name
            try:
                found = _on_disk(own, entry.path, entry.stat())
                if found is not None and found.kind == DIRECTORY and entry.is_symlink():
                    # Who walks does not walk through it.
                    found = Found(own, LINK, target=os.readlink(entry.path))
            except OSError:
                found = self.at(own)
            if found is not None:
                yield found

    def below(self, path: bytes) -> Iterator[bytes]:
        todo = [path]
        while todo:
            folder = todo.pop()
            prefix = folder + b"/" if folder else b""
            for entry in self._listed(folder):
                if entry.is_dir(follow_symlinks=False):
                    todo.append(prefix + entry.name)
                else:
                    yield prefix + entry.name

    def _listed(self, path: bytes) -> list[os.DirEntry[bytes]]:
        try:
            with os.scandir(os.path.join(self._root, path) if path else self._root) as listing:
                return [entry for entry in listing if path or entry.name not in _OWN]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise storage_error(error, "read", path) from error


def _on_disk(path: bytes, full: bytes, status: os.stat_result) -> Found | None:
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        return Found(path, DIRECTORY, modified=status.st_mtime)
    if stat.S_ISREG(mode):
        executable = bool(mode & 0o100)
        return Found(path, FILE, status.st_size, executable, place=full, modified=status.st_mtime)
    return None


class GitFiles:
    """A commit. *sizes*: Git has the blobs here, so that asking for their sizes fetches nothing."""

    def __init__(self, project: Project, commit: str, *, sizes: bool) -> None:
        self._project = project
        self._commit = commit
        self._sizes = sizes
        self._targets: dict[str, bytes] = {}

    def at(self, path: bytes) -> Found | None:
        above, name = split(path)
        found = Found(b"", DIRECTORY) if not path else self._folders.get(above, {}).get(name)
        return found if found is None or found.kind != LINK else self._with_targets([found])[0]

    def children(self, path: bytes) -> Iterator[Found]:
        found = list(self._folders.get(path, {}).values())
        yield from self._with_targets(found) if self._sizes else found

    def below(self, path: bytes) -> Iterator[bytes]:
        for found in self._folders.get(path, {}).values():
            if found.kind == DIRECTORY:
                yield from self.below(found.path)
            else:
                yield found.path

    def _with_targets(self, found: list[Found]) -> list[Found]:
        """Where the links among them lead: that is what Git keeps as their bytes."""
        from dvtool.git.blobs import read_blobs

        unread = {one.blob for one in found if one.kind == LINK} - self._targets.keys()
        if unread and self._project.git is not None:
            self._targets.update(read_blobs(self._project.git, unread))
        return [one._replace(target=self._targets[one.blob]) if one.kind == LINK else one for one in found]

    @cached_property
    def _folders(self) -> dict[bytes, dict[bytes, Found]]:
        from dvtool.git.listing import files_at

        git, layout = self._project.git, self._project.layout
        folders: dict[bytes, dict[bytes, Found]] = {}
        for file in files_at(git, self._commit, layout.prefix.rstrip(b"/"), sizes=self._sizes) if git else ():
            found = self._found(layout.from_git(file.path), file)
            path = found.path
            while path:
                above, name = split(path)
                known = above in folders
                folders.setdefault(above, {})[name] = found
                if known:
                    break
                path, found = above, Found(above, DIRECTORY)
        return folders

    def _found(self, path: bytes, file: GitFile) -> Found:
        if file.mode == "160000":
            return Found(path, DIRECTORY)
        if file.mode == "120000":
            return Found(path, LINK, file.size, blob=file.sha)
        return Found(path, FILE, file.size, file.mode == "100755", blob=file.sha)
