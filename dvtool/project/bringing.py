"""What another repository has at a path, and bringing that into a cache of ours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.errors import ConfigError
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.formats.pack import TREE
from dvtool.formats.tree import encode_leaf
from dvtool.git.blobs import read_blobs
from dvtool.model.digest import ObjectId
from dvtool.model.digest import is_adopted
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import join
from dvtool.model.paths import name_problem
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry
from dvtool.project.filetree import FileTree
from dvtool.project.open import Project
from dvtool.project.pages import PageSource
from dvtool.project.parts import open_cache
from dvtool.project.plainfiles import Found
from dvtool.project.plainfiles import GitFiles
from dvtool.project.reading import Fetched
from dvtool.project.reading import FetchReport
from dvtool.project.reading import fetch_in_turn
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Routes
from dvtool.project.source import PLAIN_BYTES
from dvtool.project.source import Source
from dvtool.project.transfers import wanted_of
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.treeedit import edit_tree
from dvtool.transfer.fetch import EVERYTHING
from dvtool.transfer.fetch import fetch as run_fetch
from dvtool.transfer.types import FetchResult
from dvtool.transfer.types import MissingItem
from dvtool.transfer.types import Only
from dvtool.transfer.types import Wanted
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.selection import wanted_entry

_LEFT_OUT = (b".gitignore", b".gitattributes", b".dvtoolignore", b".dvcignore", b"dvtool.lock", b"dvc.lock")
_BATCH = 200


class Brought(NamedTuple):
    """``entry``: what stands at the path; its bytes are in the cache as far as ``report`` names nothing else."""

    entry: Entry
    report: FetchReport


@dataclass(frozen=True, slots=True)
class Bring:
    """How: ``jobs`` 0 is what the remotes' settings say; not ``data``: only what says what it is."""

    jobs: int = 0
    only: Only = EVERYTHING
    data: bool = True


def bring(source: Source, path: bytes, cache: Cache, how: Bring, reporter: Reporter = SILENT) -> Brought:
    """Bring what *source* has at *path*, which is relative to the top of the repository, into *cache*.

    Asked in this order: the source's own cache where it is on this disk, its remotes; what Git has comes from Git.
    Raises `UsageError` for a path that is not there, `StorageError`, `AccessDenied`, `FormatError`, `UnsafeInput`.
    """
    inside = source.inside(path)
    owner = source.tracked.owner(inside)
    if owner is not None:
        return _tracked(source, owner, inside, cache, how, reporter)
    tree = FileTree(source.project, cache, GitFiles(source.project, source.commit, sizes=False), source.tracked)
    found = tree.at(inside)
    if found is None or found.kind == LINK:
        raise not_there(source, path)
    return _Mixed(source, tree, cache, how, reporter).bring(found)


def not_there(source: Source, path: bytes) -> UsageError:
    """The error for a path that the repository does not have at that commit."""
    at = source.rev or f"its last commit ({source.commit[:12]})"
    hint = f"dvtool list -R {source.url}" + (f" --rev {source.rev}" if source.rev else "")
    if source.is_local:
        hint += "; what is not committed there yet does not count"
    return UsageError(f"{show(path)} is not in {source.url} at {at}", path=path, hint=hint)


def bring_wanted(
    source: Source,
    cache: Cache,
    wanted: Sequence[Wanted],
    how: Bring,
    reporter: Reporter,
    home: Project | None = None,
) -> FetchReport:
    """Fetch from where *source* keeps its data what *cache* lacks. *home*: the project that learns what adopted digests
    stand for; None is the source's own."""
    project = source.project
    if source.is_local:
        from dvtool.transfer.fromcache import copy_from_cache

        own = [one for one in wanted if not is_adopted(one.oid)]
        other = open_cache(project)
        if other.root != cache.root and os.path.isdir(other.root):
            copy_from_cache(cache, other, own, how.only, reporter)
        if any(one.stated for one in wanted):
            from dvtool.project.adoptbring import copy_adopted

            left = copy_adopted(project, cache, [one for one in wanted if one.stated], reporter, home=home)
            wanted = [one for one in wanted if not one.stated or one in left]
    came = run_fetch(cache, (), [one for one in wanted if not one.stated], dry_run=True, only=how.only)
    if not came.missing and not any(one.stated for one in wanted):
        return FetchReport(())
    with Remotes(project) as remotes:
        try:
            routes = Routes(project.config).for_reading(wanted, (), reporter)
        except ConfigError:
            # Without a remote, what is not in its cache is nowhere.
            missing = tuple(MissingItem(one.path, one.oid) for one in wanted)
            return FetchReport((Fetched((source.url,), FetchResult(0, 0, missing, ())),))

        def run(remote: Sequence[Remote], some: Sequence[Wanted]) -> FetchResult:
            return _run(source, cache, remote, some, how, reporter, home or project)

        parts = []
        for route in routes:
            done = fetch_in_turn(remotes, route.remotes, lambda remote, some=route.wanted: run(remote, some), reporter)  # type: ignore[misc]
            parts.append(Fetched(tuple(f"{name} of {source.url}" for name in done.remotes), done.result))
    cache.forget()
    return FetchReport(tuple(parts))


def _run(
    source: Source,
    cache: Cache,
    remotes: Sequence[Remote],
    wanted: Sequence[Wanted],
    how: Bring,
    reporter: Reporter,
    home: Project,
) -> FetchResult:
    project = source.project
    jobs = how.jobs or int(project.config.remote(remotes[0].name).options.get("jobs", "0"))
    own = [one for one in wanted if not one.stated]
    result = run_fetch(cache, remotes, own, jobs=jobs, reporter=reporter, only=how.only)
    adopted = [one for one in wanted if one.stated]
    if not adopted:
        return result
    from dvtool.project.adoptbring import fetch_adopted

    came = fetch_adopted(home, cache, remotes, adopted, jobs=jobs, only=how.only, dry_run=False, reporter=reporter)
    return came.plus(result)


def _tracked(source: Source, owner: Tracked, inside: bytes, cache: Cache, how: Bring, reporter: Reporter) -> Brought:
    below = inside[len(owner.path) + 1 :]
    report = FetchReport(())
    if how.data or owner.stated is not None:
        wanted = wanted_of(Routes(source.project.config), owner, (below,) if below else ())
        report = bring_wanted(source, cache, [wanted], how, reporter)
    if owner.stated is not None:
        from dvtool.project.adoption import Adoption

        with Adoption(source.project, cache) as adoption:
            (owner,) = adoption.settle([owner])
    try:
        with PageSource(source.project, reporter=reporter) as pages:
            entry = wanted_entry(owner, below, lambda oid: _page(cache, pages, oid))
    except MissingData:
        if any(part.result.missing for part in report.parts):
            return Brought(owner.as_entry, report)
        raise
    if entry is None or entry.kind == LINK:
        raise not_there(source, source.project.layout.to_git(inside))
    return Brought(entry, report)


def _page(cache: Cache, pages: PageSource, oid: ObjectId) -> bytes:
    try:
        return cache.read_meta(oid, TREE)
    except MissingData:
        return pages.get(oid)


class _Mixed:
    """A file of Git, or a directory with files of Git and tracked paths in it."""

    def __init__(self, source: Source, tree: FileTree, cache: Cache, how: Bring, reporter: Reporter) -> None:
        self._source = source
        self._tree = tree
        self._cache = cache
        self._how = how
        self._reporter = reporter
        self._tracked: list[tuple[bytes, Tracked]] = []
        self._blobs: list[tuple[bytes, Found]] = []
        self._changes: dict[bytes, Entry | None] = {}

    def bring(self, top: Found) -> Brought:
        if top.kind == FILE:
            with CacheWriter(self._cache, what="bringing files of Git", on_wait=self._reporter.note) as writer:
                entry = self._put(writer, [(b"", top)])[b""]
                writer.commit()
            self._cache.forget()
            return Brought(entry, FetchReport(()))
        self._collect(top.path, b"")
        parts: list[Fetched] = []
        for path, item in self._tracked:
            came = _tracked(self._source, item, item.path, self._cache, self._how, self._reporter)
            parts += came.report.parts
            self._changes[path] = came.entry
        with CacheWriter(self._cache, what="bringing files of Git", on_wait=self._reporter.note) as writer:
            writer.keep_pages()
            self._changes.update(self._put(writer, self._blobs))
            empty = encode_leaf([])
            tree = TreeRef(writer.put_tree(empty), 0, 0)

            def page(oid: ObjectId) -> bytes:
                known = writer.pending_page(oid)
                return self._cache.read_meta(oid, TREE) if known is None else known

            tree = edit_tree(page, writer.put_tree, tree, self._changes)
            writer.commit()
        self._cache.forget()
        return Brought(directory_entry(split(top.path)[1], tree), FetchReport(tuple(parts)))

    def _collect(self, folder: bytes, below: bytes) -> None:
        for found in self._tree.children(folder):
            name = split(found.path)[1]
            path = join(below, name)
            if found.item is not None and found.item.path == found.path:
                self._tracked.append((path, found.item))
            elif found.kind == DIRECTORY:
                self._collect(found.path, path)
            elif found.kind == LINK:
                self._changes[path] = link_entry(name, found.target)
            elif not (name in _LEFT_OUT or name.endswith((POINTER_SUFFIX, b".dvc")) or name_problem(name)):
                self._blobs.append((path, found))

    def _put(self, writer: CacheWriter, files: Sequence[tuple[bytes, Found]]) -> dict[bytes, Entry]:
        source = self._source
        assert source.project.git is not None
        if not source.is_local:
            from dvtool.git.clone import fetch_blobs

            fetch_blobs(source.repo, source.commit, [found.blob for _, found in files], source.url)
        entries: dict[bytes, Entry] = {}
        for start in range(0, len(files), _BATCH):
            some = files[start : start + _BATCH]
            contents = dict(read_blobs(source.project.git, dict.fromkeys(f.blob for _, f in some), limit=PLAIN_BYTES))
            for path, found in some:
                data = contents[found.blob]
                oid = writer.put_small(data)
                entries[path] = file_entry(split(path)[1], oid, len(data), found.executable)
        return entries
