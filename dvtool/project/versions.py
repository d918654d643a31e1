"""Files and definitions of the worktree and of commits, through one door. Nothing is started or fetched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from dvtool.disk.beneath import read_beneath
from dvtool.errors import FormatError
from dvtool.errors import MissingData
from dvtool.errors import storage_error
from dvtool.formats.pack import TREE
from dvtool.git.run import GitRepo
from dvtool.model.digest import ObjectId
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.pipeline.types import Definition
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.store.cache import Cache
from dvtool.workspace.pointers import TrackedPaths

if TYPE_CHECKING:
    from dvtool.workspace.selection import Selected

MAX_BYTES = 64 << 20
"""Files of values are shorter."""


class Version:
    """One state of the project. Paths are relative to the root."""

    def __init__(self, project: Project, cache: Cache) -> None:
        self._project = project
        self._cache = cache

    @property
    def definitions(self) -> tuple[Definition, ...]:
        """Every ``dvtool.yaml``. Raises `ConfigError`, `UnsafeInput`, `StorageError`."""
        raise NotImplementedError

    def read(self, path: bytes) -> bytes | None:
        """The bytes of a file; None where there is none. Raises `MissingData` where the cache lacks them."""
        found = self._plain(path)
        return self._tracked_bytes(path) if found is None else found

    def files_at(self, path: bytes) -> list[bytes]:
        """*path*, or the files below it where it is a directory; not those in tracked directories."""
        raise NotImplementedError

    def to_fetch(self, paths: Iterable[bytes]) -> list[Selected]:
        """Of *paths* those tracked files that can be read only once they were fetched."""
        from dvtool.workspace.selection import Selected
        from dvtool.workspace.selection import wanted_entry

        found = []
        for path in paths:
            item = self._tracked.owner(path)
            if item is None or self._plain(path) is not None:
                continue
            try:
                entry = wanted_entry(item, path[len(item.path) + 1 :], self._page)
            except MissingData:
                # Its listing comes with it; that there is such a file in it is not known yet.
                found.append(Selected(item, path))
                continue
            if entry is not None and entry.kind == FILE and entry.size <= MAX_BYTES:
                found += [] if self._cache.has_blob(entry.oid) else [Selected(item, path)]
        return found

    def _plain(self, path: bytes) -> bytes | None:
        raise NotImplementedError

    @cached_property
    def _tracked(self) -> TrackedPaths:
        raise NotImplementedError

    def _tracked_bytes(self, path: bytes) -> bytes | None:
        from dvtool.workspace.selection import wanted_entry

        item = self._tracked.owner(path)
        if item is None:
            return None
        entry = wanted_entry(item, path[len(item.path) + 1 :], self._page)
        if entry is None or entry.kind != FILE:
            return None
        if entry.size > MAX_BYTES:
            raise _too_long(path)
        try:
            return self._cache.read_blob(entry.oid)
        except MissingData:
            raise MissingData(
                f"{show(path)} is not in the cache",
                path=path,
                hint="`dvtool fetch --all-commits` brings what a remote has of it",
            ) from None

    def _page(self, oid: ObjectId) -> bytes:
        return self._cache.read_meta(oid, TREE)

    def _in_tracked(self, path: bytes) -> list[bytes]:
        """Tracked files at or below a path, and those in tracked directories as far as their listings are here."""
        from dvtool.store.trees import entries
        from dvtool.store.trees import subtree
        from dvtool.workspace.selection import wanted_entry

        owner = self._tracked.owner(path)
        items = [owner] if owner is not None else self._tracked.below(path)
        found: list[bytes] = []
        for item in items:
            top = path if owner is not None else item.path
            entry = wanted_entry(item, top[len(item.path) + 1 :], self._page)
            pending = [] if entry is None else [(top, entry)]
            while pending:
                at, one = pending.pop()
                if one.kind == DIRECTORY:
                    pending += [(at + b"/" + each.name, each) for each in entries(self._page, subtree(one))]
                elif one.kind == FILE:
                    found.append(at)
        return found


class Worktree(Version):
    """What stands there now; what is tracked and was not checked out counts as its pointer says."""

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        from dvtool.project.pipelines import open_pipeline

        with open_pipeline(self._project) as pipeline:
            return pipeline.definitions

    def files_at(self, path: bytes) -> list[bytes]:
        root = self._project.root
        top = os.path.join(root, path)
        if not os.path.isdir(top):
            return [path] if os.path.lexists(top) else sorted(self._in_tracked(path))
        found = []
        for folder, names, files in os.walk(top):
            names[:] = [name for name in names if name not in (b".git", b".dvtool")]
            found += [os.path.join(folder, name)[len(root) + 1 :] for name in files]
        return sorted(found)

    def _plain(self, path: bytes) -> bytes | None:
        try:
            data = read_beneath(self._project.root, path, MAX_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise storage_error(error, "read", path) from error
        if len(data) > MAX_BYTES:
            raise _too_long(path)
        return data

    @cached_property
    def _tracked(self) -> TrackedPaths:
        return open_tracked(self._project)


class _Blobs:
    """Contents of Git blobs, each read once, and definitions that were worked out from the same ones before."""

    def __init__(self, repo: GitRepo) -> None:
        self._repo = repo
        self._contents: dict[str, bytes] = {}
        self.parsed: dict[tuple[bytes, str], tuple[Mapping[bytes, str | None], Definition]] = {}

    def read(self, shas: Iterable[str]) -> None:
        from dvtool.git.blobs import read_blobs

        missing = [sha for sha in dict.fromkeys(shas) if sha not in self._contents]
        self._contents.update(read_blobs(self._repo, missing, limit=MAX_BYTES))

    def get(self, sha: str) -> bytes:
        if sha not in self._contents:
            self.read([sha])
        return self._contents[sha]


class Commit(Version):
    """A commit, with the bytes of tracked files from the cache."""

    def __init__(self, project: Project, cache: Cache, commit: str, blobs: _Blobs) -> None:
        super().__init__(project, cache)
        self._commit = commit
        self._blobs = blobs

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        names = [path for path in self._tree if split(path)[1] == DEFINITION_NAME]
        self._blobs.read(self._tree[path] for path in names)
        return tuple(self._parsed(path) for path in names)

    def files_at(self, path: bytes) -> list[bytes]:
        if path in self._tree:
            return [path]
        plain = [each for each in self._tree if not path or is_below(each, path)]
        return sorted({*plain, *self._in_tracked(path)})

    def _parsed(self, file: bytes) -> Definition:
        """Most commits leave the definition, and what its templates read, as they were."""
        from dvtool.pipeline.definition import parse

        key = (file, self._tree[file])
        if key in self._blobs.parsed:
            read, known = self._blobs.parsed[key]
            if all(self._tree.get(path) == sha for path, sha in read.items()):
                return known
        used: dict[bytes, str | None] = {}

        def files(path: bytes) -> bytes | None:
            used[path] = self._tree.get(path)
            return self._plain(path)

        found = parse(self._blobs.get(self._tree[file]), file, files)
        self._blobs.parsed[key] = (used, found)
        return found

    def _plain(self, path: bytes) -> bytes | None:
        sha = self._tree.get(path)
        return None if sha is None else self._blobs.get(sha)

    @cached_property
    def _tree(self) -> dict[bytes, str]:
        """The blobs of regular files by path; not those of another project further down."""
        from dvtool.git.listing import blobs_at

        repo, layout = self._project.git, self._project.layout
        assert repo is not None
        found = blobs_at(repo, self._commit, layout.prefix.rstrip(b"/"))
        tree = {layout.from_git(path): sha for path, sha in found.items()}
        marker = b"/.dvtool/config"
        inner = tuple(path.removesuffix(marker) + b"/" for path in tree if path.endswith(marker))
        return {path: sha for path, sha in tree.items() if not path.startswith(inner)} if inner else tree

    @cached_property
    def _tracked(self) -> TrackedPaths:
        from dvtool.project.history import tracked_at

        return tracked_at(self._project, self._commit)


class Versions:
    """The worktree and commits of one project, each opened once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._cache = open_cache(project)
        self._blobs = None if project.git is None else _Blobs(project.git)
        self._open: dict[str | None, Version] = {}

    def at(self, commit: str | None) -> Version:
        """A commit by its full name; None is the worktree."""
        if commit not in self._open:
            self._open[commit] = self._opened(commit)
        return self._open[commit]

    def _opened(self, commit: str | None) -> Version:
        if commit is None:
            return Worktree(self._project, self._cache)
        assert self._blobs is not None
        return Commit(self._project, self._cache, commit, self._blobs)


def _too_long(path: bytes) -> FormatError:
    return FormatError(f"{show(path)}: longer than {MAX_BYTES:,} bytes, which is no file of values", path=path)
