"""What stages read and wrote as one commit has it: Git's objects, pointers, locks and listings, without any data."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from functools import cached_property

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.git.blobs import read_blobs
from dvtool.git.listing import GitFile
from dvtool.git.listing import files_at
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry
from dvtool.pipeline.outputs import content_of
from dvtool.pipeline.sight import Sight
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.project.open import Project
from dvtool.store.treeedit import edit_tree
from dvtool.store.treeedit import empty_tree
from dvtool.store.trees import GetPage
from dvtool.store.trees import subtree
from dvtool.store.trees import walk
from dvtool.workspace.ignore import IGNORE_FILE
from dvtool.workspace.ignore import IgnoreRules
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.selection import wanted_entry

_MOST_BYTES = 1 << 31
_LINK, _SUBMODULE = "120000", "160000"
_MOST_LINKS = 40
_HIDDEN = (b".git", b".dvtool")
_LFS = b"version https://git-lfs.github.com/spec/"


class CommitSight(Sight):
    """One commit. *tracked*: what its pointers and locks say. *page* gives listings of tracked directories.

    What lies outside the commit is not looked at: variables, URLs, commands, files elsewhere, submodules.
    """

    def __init__(
        self,
        project: Project,
        commit: str,
        tracked: TrackedPaths,
        page: GetPage,
        read_values: Callable[[bytes, bytes], Json],
        read_text: Callable[[bytes], bytes | None],
    ) -> None:
        super().__init__(read_values, None)
        self._project = project
        self._commit = commit
        self._tracked = tracked
        self._stored_page = page
        self._read_text = read_text
        self._contents: dict[bytes, Content | None] = {}
        self._texts: dict[bytes, bytes | None] = {}
        self._made: dict[ObjectId, bytes] = {}
        self._git_entries: dict[bytes, Entry] = {}
        self.unknown: dict[str, DvtoolError] = {}
        """Dependencies that could not be told, by name, and why."""

    def content(self, path: bytes) -> Content | None:
        """Raises `MissingData` for what the commit does not tell, `StorageError`."""
        if path not in self._contents:
            self._contents[path] = self._look(path)
        return self._contents[path]

    def text(self, path: bytes) -> bytes | None:
        if path not in self._texts:
            self._texts[path] = self._read_text(self._through_links(path))
        return self._texts[path]

    def files_below(self, top: bytes) -> Iterable[bytes]:
        return (path for path, _ in self._entries_below(top))

    def is_checked(self, dep: Dep) -> bool:
        if dep.kind in (DepKind.ENV, DepKind.URL, DepKind.COMMAND):
            return False
        try:
            self.dependency(dep)
        except (MissingData, StorageError) as error:
            self.unknown[dep.name] = error
            return False
        return True

    def evaluated(self, dep: Dep) -> Content | None:
        raise AssertionError(dep.name)

    def _look(self, path: bytes) -> Content | None:
        path = self._through_links(path)
        owner = self._tracked.owner(path)
        if owner is not None:
            entry = wanted_entry(owner, path[len(owner.path) + 1 :], self._page)
            if entry is not None and entry.kind in (FILE, DIRECTORY):
                return content_of(entry)
        found = self._files.get(path)
        if found is not None:
            return content_of(self._git_entry(path, found))
        changes = {each[len(path) + 1 if path else 0 :]: entry for each, entry in self._tops_below(path)}
        if not changes:
            return None
        tree = edit_tree(self._page, self._put, empty_tree(self._put), changes)
        return Content(Kind.DIRECTORY, as_digest(tree.oid), tree.size, tree.files)

    def _git_entry(self, path: bytes, found: GitFile) -> Entry:
        if found.mode == _SUBMODULE:
            raise MissingData(f"{show(path)} is a submodule, another repository", path=path)
        if path not in self._git_entries:
            self._hash([path])
        return self._git_entries[path]

    def _hash(self, paths: Iterable[bytes]) -> None:
        """Read these files of Git, one after the other, and keep what they are."""
        assert self._project.git is not None
        wanted: dict[str, list[bytes]] = {}
        for path in paths:
            if path not in self._git_entries and self._files[path].mode != _SUBMODULE:
                wanted.setdefault(self._files[path].sha, []).append(path)
        for sha, data in read_blobs(self._project.git, wanted, limit=_MOST_BYTES):
            oid = object_id(data)
            for path in wanted[sha]:
                mode, name = self._files[path].mode, split(path)[1]
                if mode != _LINK and data.startswith(_LFS):
                    raise MissingData(f"{show(path)} is kept by Git LFS, not by Git", path=path)
                is_executable = mode == "100755"
                entry = link_entry(name, data) if mode == _LINK else file_entry(name, oid, len(data), is_executable)
                self._git_entries[path] = entry

    def _tops_below(self, top: bytes) -> Iterator[tuple[bytes, Entry]]:
        """Files of Git and tracked paths below a directory that a look at the worktree would find there."""
        prefix = top + b"/" if top else b""
        paths = [path for path in self._files if path.startswith(prefix) and not self._is_passed_over(path)]
        self._hash(paths)
        for path in paths:
            yield path, self._git_entry(path, self._files[path])
        for item in self._tracked.below(top):
            if not self._is_passed_over(item.path):
                yield item.path, item.as_entry

    def _entries_below(self, top: bytes) -> Iterator[tuple[bytes, Entry]]:
        """Every file by itself, those of tracked directories too."""
        owner = self._tracked.owner(top)
        if owner is not None:
            entry = wanted_entry(owner, top[len(owner.path) + 1 :], self._page)
            tops: Iterable[tuple[bytes, Entry]] = [] if entry is None else [(top, entry)]
        else:
            tops = self._tops_below(top)
        for path, entry in tops:
            if entry.kind != DIRECTORY:
                yield path, entry
                continue
            for below, each in walk(self._page, subtree(entry), path):
                if each.kind != DIRECTORY and not self._is_passed_over(below):
                    yield below, each

    def _through_links(self, path: bytes) -> bytes:
        """Where links of the commit lead. Raises `MissingData` for one that leads out of the project."""
        for _ in range(_MOST_LINKS):
            at = next((above for above in _and_above(path) if above in self._links), None)
            if at is None:
                return path
            self._hash([at])
            target = os.path.join(split(at)[0], self._git_entries[at].target)
            path = os.path.normpath(join(target, path[len(at) + 1 :]) if path != at else target)
            if path.startswith((b"/", b"../")) or path in (b"..", b"."):
                raise MissingData(f"{show(at)} is a link that leads out of the project", path=at)
        raise MissingData(f"{show(path)} is a link that leads to itself", path=path)

    def _is_passed_over(self, path: bytes) -> bool:
        return any(part in _HIDDEN for part in path.split(b"/")) or self._ignore.is_ignored(path, False)

    def _page(self, oid: ObjectId) -> bytes:
        return self._made[oid] if oid in self._made else self._stored_page(oid)

    def _put(self, data: bytes) -> ObjectId:
        oid = object_id(data)
        self._made[oid] = data
        return oid

    @cached_property
    def _ignore(self) -> IgnoreRules:
        return IgnoreRules(self._project.root, self._ignore_file)

    def _ignore_file(self, directory: bytes) -> bytes:
        path = join(directory, IGNORE_FILE)
        found = self._files.get(path)
        if found is None or not found.mode.startswith("100"):
            raise FileNotFoundError(path)
        assert self._project.git is not None
        return next(iter(read_blobs(self._project.git, [found.sha])))[1]

    @cached_property
    def _files(self) -> dict[bytes, GitFile]:
        git, layout = self._project.git, self._project.layout
        assert git is not None
        found = files_at(git, self._commit, layout.prefix.rstrip(b"/"))
        return {layout.from_git(each.path): each for each in found}

    @cached_property
    def _links(self) -> frozenset[bytes]:
        return frozenset(path for path, found in self._files.items() if found.mode == _LINK)


def _and_above(path: bytes) -> Iterator[bytes]:
    while path:
        yield path
        path = split(path)[0]
