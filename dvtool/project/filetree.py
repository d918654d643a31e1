"""The files of a project as they should stand there: what is on disk or in Git, and what is tracked, in one tree."""

from __future__ import annotations

import posixpath
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING

from dvtool.errors import MissingData
from dvtool.formats.pack import TREE
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import Upper
from dvtool.formats.tree import decode_page
from dvtool.model.digest import ObjectId
from dvtool.model.digest import is_adopted
from dvtool.model.paths import is_below
from dvtool.model.paths import join
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.project.open import Project
from dvtool.project.pages import PageSource
from dvtool.project.plainfiles import Found
from dvtool.project.plainfiles import PlainFiles
from dvtool.store.cache import Cache
from dvtool.store.trees import EmptyDirectories
from dvtool.store.trees import check_depth
from dvtool.store.trees import entries
from dvtool.store.trees import require_few_files
from dvtool.store.trees import subtree
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths

if TYPE_CHECKING:
    from dvtool.store.trees import GetPage

_PAGES = 32
_MOST_LINKS = 40


class FileTree:
    """What is plainly there counts; else what is tracked. Listings that are not here are fetched. Threads may share it.

    Raises what `PageSource.get` raises.
    """

    def __init__(
        self, project: Project, cache: Cache, plain: PlainFiles, tracked: TrackedPaths, reporter: Reporter = SILENT
    ) -> None:
        self._project = project
        self._cache = cache
        self._plain = plain
        self._tracked = tracked
        self._reporter = reporter
        self._lock = RLock()
        self._source: PageSource | None = None
        self._depth = 0
        self._decoded: OrderedDict[ObjectId, dict[bytes, Entry] | Upper] = OrderedDict()
        self._folders: dict[bytes, set[bytes]] = {}
        for item in tracked:
            path = item.path
            while path:
                above, _ = split(path)
                self._folders.setdefault(above, set()).add(path)
                path = above

    def at(self, path: bytes) -> Found | None:
        """What is at a path, links inside the project followed; one that leads nowhere, or to itself, stays a link."""
        with self._reading():
            found = self._at(path)
            link: Found | None = None
            for _ in range(_MOST_LINKS):
                if found is None:
                    other = self._around_link(path)
                    if other is None:
                        return link
                    path, found = other, self._at(other)
                    continue
                if found.kind != LINK:
                    return found
                link = link or found
                target = _led_to(found)
                if target is None:
                    return link
                path, found = target, self._at(target)
            return link

    def unlisted(self, path: bytes, *, below: bool = False) -> list[Tracked]:
        """Directories around the path, or at it and below, of which not even the listing is to be had from remotes of
        ours: it comes from where they were imported, or from another tool's remote."""
        owner = self._tracked.owner(path)
        items = [owner] if owner is not None else self._tracked.below(path) if below else []
        return [item for item in items if item.is_directory and self._is_elsewhere(item)]

    def _is_elsewhere(self, item: Tracked) -> bool:
        oid = item.pointer.digest.oid
        with self._lock:
            return is_adopted(oid) or (item.is_imported and not self._cache.has_meta(oid, TREE))

    def children(self, path: bytes) -> list[Found]:
        """What is right below a directory."""
        with self._reading():
            return self._children(path)

    def walk(self, path: bytes, levels: int | None = None) -> Iterator[Found]:
        """Everything below a directory, directories too, down to so many levels."""
        with self._reading():
            yield from self._walk(path, levels)

    def names(self, path: bytes) -> list[bytes]:
        """Every file and link below a directory."""
        with self._reading():
            plain = list(self._plain.below(path))
            found: list[bytes] = []
            owner = self._tracked.owner(path)
            if owner is None:
                for item in self._tracked.below(path):
                    found += [item.path] if not item.is_directory else self._names(item.path, item.tree)
            else:
                entry = self._entry(owner, path)
                if entry is not None and entry.kind == DIRECTORY:
                    found += self._names(path, subtree(entry))
            return list({*plain, *found}) if plain and found else plain or found

    def _at(self, path: bytes) -> Found | None:
        plain = self._plain.at(path)
        if plain is not None and plain.kind != DIRECTORY:
            return plain
        owner = self._tracked.owner(path)
        if owner is not None and (entry := self._entry(owner, path)) is not None:
            return _tracked(path, entry, owner)
        if plain is None and (path in self._folders or not path):
            return Found(path, DIRECTORY)
        return plain

    def _around_link(self, path: bytes) -> bytes | None:
        """The same path where a directory above it is a link to another."""
        above = split(path)[0]
        while above:
            found = self._at(above)
            if found is not None:
                target = _led_to(found) if found.kind == LINK else None
                return None if target is None else join(target, path[len(above) + 1 :])
            above = split(above)[0]
        return None

    def _children(self, path: bytes) -> list[Found]:
        found = {one.path: one for one in self._plain.children(path)}
        owner = self._tracked.owner(path)
        if owner is not None:
            entry = self._entry(owner, path)
            if entry is not None and entry.kind == DIRECTORY:
                for each in entries(self._page, subtree(entry)):
                    inner = join(path, each.name)
                    found.setdefault(inner, _tracked(inner, each, owner))
            return list(found.values())
        for inner in self._folders.get(path, ()):
            item = self._tracked.get(inner)
            if item is not None and (inner not in found or item.is_directory):
                found[inner] = _tracked(inner, item.as_entry, item)
            else:
                found.setdefault(inner, Found(inner, DIRECTORY))
        return list(found.values())

    def _walk(self, path: bytes, levels: int | None) -> Iterator[Found]:
        check_depth(path + b"/")
        for found in self._children(path):
            yield found
            if found.kind != DIRECTORY or levels == 1:
                continue
            deeper = None if levels is None else levels - 1
            if found.item is not None and found.entry is not None and self._plain.at(found.path) is None:
                empty = EmptyDirectories(self._page)
                require_few_files(found.path, subtree(found.entry))
                yield from self._walk_tree(found.path, subtree(found.entry), found.item, deeper, empty)
            else:
                yield from self._walk(found.path, deeper)

    def _walk_tree(
        self, path: bytes, tree: TreeRef, item: Tracked, levels: int | None, empty: EmptyDirectories
    ) -> Iterator[Found]:
        prefix = path + b"/"
        check_depth(prefix)
        if not tree.files:
            empty.require_few(path, tree)
        for entry in entries(self._page, tree):
            found = _tracked(prefix + entry.name, entry, item)
            yield found
            if entry.kind == DIRECTORY and levels != 1:
                deeper = None if levels is None else levels - 1
                yield from self._walk_tree(found.path, subtree(entry), item, deeper, empty)

    def _names(self, path: bytes, tree: TreeRef) -> list[bytes]:
        require_few_files(path, tree)
        empty = EmptyDirectories(self._page)
        found: list[bytes] = []
        todo = [(path + b"/", tree)]
        while todo:
            prefix, directory = todo.pop()
            check_depth(prefix)
            if not directory.files:
                empty.require_few(prefix[:-1], directory)
            held = list(entries(self._page, directory))
            folders = [entry for entry in held if entry.kind == DIRECTORY]
            if folders:
                todo += [(prefix + entry.name + b"/", subtree(entry)) for entry in folders]
                held = [entry for entry in held if entry.kind != DIRECTORY]
            found += [prefix + entry.name for entry in held]
        return found

    def _entry(self, item: Tracked, path: bytes) -> Entry | None:
        """What the pointer says of its path or of one inside it; pages read a moment ago are not read again."""
        entry: Entry | None = item.as_entry
        for name in path[len(item.path) + 1 :].split(b"/") if path != item.path else ():
            if entry is None or entry.kind != DIRECTORY:
                return None
            entry = self._in_directory(entry.oid, name)
        return entry

    def _in_directory(self, top: ObjectId, name: bytes) -> Entry | None:
        page = self._decode(top)
        while isinstance(page, Upper):
            below = next((ref for ref in page.pages if name <= ref.last_name), None)
            if below is None:
                return None
            page = self._decode(ObjectId(below.raw))
        return page.get(name)

    def _decode(self, oid: ObjectId) -> dict[bytes, Entry] | Upper:
        known = self._decoded.get(oid)
        if known is None:
            page = decode_page(self._page(oid), f"blake3:{oid.hex()}")
            known = {entry.name: entry for entry in page.entries} if isinstance(page, Leaf) else page
            self._decoded[oid] = known
            if len(self._decoded) > _PAGES:
                self._decoded.popitem(last=False)
        return known

    @property
    def _page(self) -> GetPage:
        return self._get_page

    def _get_page(self, oid: ObjectId) -> bytes:
        try:
            return self._cache.read_meta(oid, TREE)
        except MissingData:
            if self._source is None:
                self._source = PageSource(self._project, reporter=self._reporter)
            return self._source.get(oid)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What was fetched meanwhile is kept in the cache when the outermost reader is done."""
        with self._lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if not self._depth and self._source is not None:
                    source, self._source = self._source, None
                    source.__exit__(None, None, None)
                    self._cache.forget()


def _tracked(path: bytes, entry: Entry, item: Tracked) -> Found:
    return Found(path, entry.kind, entry.size, entry.executable, entry.target, entry=entry, item=item)


def _led_to(link: Found) -> bytes | None:
    """Where a link leads inside the project; None for one that leaves it."""
    if link.target.startswith(b"/") or not link.target:
        return None
    path = posixpath.normpath(join(split(link.path)[0], link.target))
    return None if path == b".." or is_below(path, b"..") else b"" if path == b"." else path
