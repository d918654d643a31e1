"""What differs between two versions of the data, or between a version and the worktree."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.git.run import GitRepo
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.project.history import tracked_at
from dvtool.project.listings import Listings
from dvtool.project.listings import Unread
from dvtool.project.listings import unread_error
from dvtool.project.open import Project
from dvtool.project.parts import learned
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_path
from dvtool.project.parts import relative_paths
from dvtool.store.renames import Placed
from dvtool.store.renames import find_renames
from dvtool.store.treecompare import UNREADABLE
from dvtool.store.treecompare import TreeComparison
from dvtool.store.treediff import diff_entries
from dvtool.store.treeedit import edit_tree
from dvtool.store.trees import GetPage
from dvtool.store.trees import PutPage
from dvtool.store.trees import lookup
from dvtool.store.trees import subtree
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.reconcile import Standing
from dvtool.workspace.reconcile import users_paths
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import select
from dvtool.workspace.selection import wanted_entry
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.worktree import Worktree


@dataclass(frozen=True, slots=True)
class DiffRequest:
    """From revision ``old`` to revision ``new``; None is the worktree. ``targets`` as in `StatusRequest`."""

    old: str = "HEAD"
    new: str | None = None
    targets: tuple[bytes, ...] = ()


class Change(NamedTuple):
    """One path that differs. ``old`` is None where it was added, ``new`` where it was deleted.

    ``old_path`` is another one than ``path`` where it was renamed. A directory stands here only
    when it moved whole, is empty, or cannot be read.
    """

    path: bytes
    old_path: bytes
    old: Entry | None
    new: Entry | None


@dataclass(frozen=True, slots=True)
class DiffResult:
    """``absent``: tracked paths that are not in the worktree, compared by their pointers instead.
    ``unread``: directories that could not be compared file by file.
    """

    old: str
    new: str | None
    added: tuple[Change, ...]
    deleted: tuple[Change, ...]
    modified: tuple[Change, ...]
    renamed: tuple[Change, ...]
    absent: tuple[bytes, ...] = ()
    unread: tuple[Unread, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.deleted or self.modified or self.renamed)


class _Side(NamedTuple):
    """What stands at each tracked path, and where its listings are read."""

    tops: Mapping[bytes, Entry]
    get: GetPage


def diff(project: Project, request: DiffRequest, reporter: Reporter = SILENT) -> DiffResult:
    """Compare. Reads pointers and listings; of the worktree only files that changed since the last look.

    Listings that are not in the cache are fetched. What cannot be read is in the result, and
    `raise_for` turns it into the error to end with. Raises `UsageError`, `FormatError`,
    `UnsafeInput`, `StorageError`.
    """
    targets = relative_paths(project, request.targets)
    new = learned(project, open_tracked(project), reporter) if request.new is None else _at(project, request.new)
    old = _at(project, request.old)
    old, new = _with_listings(project, old, new, reporter)
    unread: list[Unread] = []
    absent: list[bytes] = []
    with ExitStack() as stack:
        pages = stack.enter_context(Listings(project, reporter))
        selected = _select(old, new, targets)
        before = _Side(_recorded(selected[0], pages.get, unread), pages.get)
        if request.new is not None:
            after = _Side(_recorded(selected[1], pages.get, unread), pages.get)
        else:
            after = _standing(stack, project, pages.get, selected[1], absent, unread, reporter)
        reporter.begin("comparing", unit="objects")
        result = _compare(before, after, unread, reporter)
        reporter.end()
    return DiffResult(request.old, request.new, *result, tuple(absent), tuple(unread))


def raise_for(result: DiffResult) -> None:
    """Raise the error that a diff ends with, if something could not be read."""
    if result.unread:
        raise unread_error(result.unread, "could not be compared file by file")


def split_words(project: Project, words: tuple[bytes, ...]) -> tuple[tuple[str, ...], tuple[bytes, ...]]:
    """Revisions, at most two, and targets behind them, as Git reads such a command line.

    ``A..B`` are two, ``A...B`` compares B with where the two parted. Raises `UsageError` for a
    word that could be either, or neither.
    """
    revisions: list[str] = []
    for at, word in enumerate(words):
        is_path = os.path.lexists(os.path.join(project.environment.cwd, word))
        if len(revisions) >= 2 or project.git is None:
            return tuple(revisions), words[at:]
        try:
            found = _revisions(project.git, os.fsdecode(word))
        except UsageError:
            if is_path or _was_tracked(project, word, revisions):
                return tuple(revisions), words[at:]
            raise
        if is_path:
            raise UsageError(
                f"{show(word)} is both a revision and a path",
                hint=f"`--targets {show(word)}` for the path, `refs/heads/{show(word)}` for a branch",
            )
        revisions += found
    if len(revisions) > 2:
        raise UsageError(f"{len(revisions)} revisions given, at most two can be compared")
    return tuple(revisions), ()


def _revisions(repo: GitRepo, word: str) -> tuple[str, ...]:
    from dvtool.git.revisions import resolve
    from dvtool.git.tips import merge_base

    old, dots, new = word.partition("..")
    if not dots:
        resolve(repo, word)
        return (word,)
    is_parting = new.startswith(".")
    old, new = old or "HEAD", new.removeprefix(".") or "HEAD"
    for one in (old, new):
        resolve(repo, one)
    return (merge_base(repo, old, new), new) if is_parting else (old, new)


def _was_tracked(project: Project, word: bytes, revisions: list[str]) -> bool:
    path = relative_path(project, word)
    sides = [learned(project, open_tracked(project)), *(_at(project, one) for one in revisions or ["HEAD"])]
    return any(side.owner(path) is not None or side.below(path) or side.outputs_named(path) for side in sides)


def _with_listings(
    project: Project, old: TrackedPaths, new: TrackedPaths, reporter: Reporter
) -> tuple[TrackedPaths, TrackedPaths]:
    """Where the two state another content, with what another tool has listed of it."""
    if all(item.stated is None for side in (old, new) for item in side):
        return old, new
    from dvtool.api.bringparts import with_listings

    before, after = ({item.path: item.pointer.digest for item in side} for side in (old, new))
    return (
        with_listings(project, old, [item for item in old if after.get(item.path) != before[item.path]], reporter),
        with_listings(project, new, [item for item in new if before.get(item.path) != after[item.path]], reporter),
    )


def _at(project: Project, rev: str) -> TrackedPaths:
    from dvtool.git.revisions import head
    from dvtool.git.revisions import resolve

    if project.git is None:
        raise UsageError("this project works without Git, so there is no other version to compare with")
    if rev == "HEAD" and head(project.git) is None:
        return TrackedPaths(())
    return tracked_at(project, resolve(project.git, rev))


def _select(old: TrackedPaths, new: TrackedPaths, targets: tuple[bytes, ...]) -> tuple[list[Selected], list[Selected]]:
    if not targets:
        return select(old, ()), select(new, ())
    sides: tuple[dict[bytes, Selected], dict[bytes, Selected]] = ({}, {})
    for target in targets:
        failed: list[UsageError] = []
        for tracked, chosen in zip((old, new), sides):
            try:
                chosen.update((one.path, one) for one in select(tracked, (target,)))
            except UsageError as error:
                failed.append(error)
        if len(failed) == 2:
            raise UsageError(f"{show(target) or 'this directory'} is tracked on neither side", path=target)
    return list(sides[0].values()), list(sides[1].values())


def _recorded(selected: Iterable[Selected], get: GetPage, unread: list[Unread]) -> dict[bytes, Entry]:
    tops: dict[bytes, Entry] = {}
    for one in selected:
        try:
            entry = wanted_entry(one.item, one.below, get)
        except UNREADABLE as error:
            unread.append(Unread(one.path, error))
            continue
        if entry is not None:
            tops[one.path] = entry
    return tops


def _standing(
    stack: ExitStack,
    project: Project,
    get: GetPage,
    selected: Iterable[Selected],
    absent: list[bytes],
    unread: list[Unread],
    reporter: Reporter,
) -> _Side:
    worktree = stack.enter_context(open_worktree(project))
    reporter.begin("looking")
    sink = HashSink()
    snapshot = worktree.snapshot(sink, reporter)
    tops: dict[bytes, Entry] = {}
    seen = worktree.current_pages(sink)
    filled: dict[ObjectId, bytes] = {}

    def page(oid: ObjectId) -> bytes:
        if oid in filled:
            return filled[oid]
        try:
            return seen(oid)
        except MissingData:
            return get(oid)

    def put(data: bytes) -> ObjectId:
        oid = object_id(data)
        filled[oid] = data
        return oid

    for one in selected:
        current = worktree.current(snapshot, one.path, is_top=not one.below)
        if current is not None:
            tops[one.path] = _with_absent(worktree, one, current, page, put)
        elif worktree.stat(one.item.path) is None:
            absent.append(one.path)
            tops |= _recorded((one,), get, unread)
    reporter.end()
    return _Side(tops, page)


def _with_absent(worktree: Worktree, one: Selected, current: Entry, get: GetPage, put: PutPage) -> Entry:
    """*current*, and as the pointer has it what was never placed here: nobody has deleted that."""
    base = worktree.base(one.item.path)
    is_known = base is not None
    try:
        if one.below:
            base = lookup(get, subtree(base), one.below) if base is not None and base.kind == DIRECTORY else None
        pointer = wanted_entry(one.item, one.below, get)
        standing = Standing(pointer, current, base, is_known)
        if pointer is None or standing.is_plain or {pointer.kind, current.kind} != {DIRECTORY}:
            return current
        # Without a base nothing counts as deleted.
        users = users_paths(one.path, standing, get, get) or set()
        absent = {
            change.path: change.new
            for change in diff_entries(get, current, get, pointer, one.path, whole=True)
            if change.old is None and change.path not in users
        }
        deleted = [path for path in users if any(above in absent for above in _above(path))]
        start = len(one.path) + 1
        tree = edit_tree(get, put, subtree(current), {path[start:]: entry for path, entry in absent.items()})
        tree = edit_tree(get, put, tree, {path[start:]: None for path in deleted})
    except UNREADABLE:
        return current
    return current._replace(raw=tree.oid, size=tree.size, files=tree.files)


def _above(path: bytes) -> Iterator[bytes]:
    while path := split(path)[0]:
        yield path


def _compare(
    before: _Side, after: _Side, unread: list[Unread], reporter: Reporter
) -> tuple[tuple[Change, ...], tuple[Change, ...], tuple[Change, ...], tuple[Change, ...]]:
    get_old, get_new = _counted(before.get, reporter), _counted(after.get, reporter)
    comparison = TreeComparison(get_old, get_new)
    deleted: list[Placed] = []
    added: list[Placed] = []
    modified: list[Change] = []
    unknown = {path for path, _ in unread}
    for path in sorted((before.tops.keys() | after.tops.keys()) - unknown):
        for at, old, new in comparison.changes(before.tops.get(path), after.tops.get(path), path):
            if old is not None and new is not None:
                modified.append(Change(at, at, old, new))
            elif old is not None:
                deleted.append((at, old))
            elif new is not None:
                added.append((at, new))
    found = find_renames(get_old, deleted, get_new, added)
    unread += (Unread(path, error) for path, error in (*comparison.unread, *found.unread))
    return (
        tuple(Change(path, path, None, entry) for path, entry in found.added),
        tuple(Change(path, path, entry, None) for path, entry in found.deleted),
        tuple(modified),
        tuple(Change(new_path, old_path, old, new) for old_path, new_path, old, new in sorted(found.moved)),
    )


def _counted(get: GetPage, reporter: Reporter) -> GetPage:
    def page(oid: ObjectId) -> bytes:
        reporter.advance(1)
        return get(oid)

    return page
