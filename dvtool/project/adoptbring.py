"""Bringing adopted data into the cache: from the other tool's cache on this disk, then from its remotes."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import suppress

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.model.digest import ObjectId
from dvtool.model.digest import is_adopted
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import TreeRef
from dvtool.project.adoption import Adoption
from dvtool.project.open import Project
from dvtool.project.parts import open_worktree
from dvtool.store.cache import Cache
from dvtool.store.gaps import Gap
from dvtool.store.gaps import directory_gap
from dvtool.store.trees import walk
from dvtool.transfer.adopt import Need
from dvtool.transfer.adopt import bring
from dvtool.transfer.adopt import bring_local
from dvtool.transfer.adopt import bring_manifests
from dvtool.transfer.adopt import learn_local
from dvtool.transfer.types import DamagedItem
from dvtool.transfer.types import FetchResult
from dvtool.transfer.types import MissingItem
from dvtool.transfer.types import Only
from dvtool.transfer.types import Wanted
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.selection import Selected
from dvtool.workspace.sinks import HashSink


def bring_here(
    project: Project,
    tracked: TrackedPaths,
    selected: Iterable[Selected],
    cache: Cache,
    reporter: Reporter,
    *,
    anew: bool = False,
) -> tuple[TrackedPaths, list[DvtoolError]]:
    """What a checkout of *selected* needs and the other tool's cache has: the paths as they are known then, and an
    error for each damaged file. What stands in the worktree already is not copied, but where it is to be placed *anew*.

    Raises `StorageError`, `Locked`.
    """
    parts: dict[Tracked, list[bytes]] = {}
    for one in selected:
        if one.item.stated is not None:
            parts.setdefault(one.item, []).append(one.below)
    if not parts:
        return tracked, []
    with Adoption(project, cache) as adoption:
        if not adoption.stores:
            return tracked, []
        needs: list[Need] = []
        for item, below in parts.items():
            if item.is_directory and _is_whole(adoption, _wanted(item)):
                continue
            with suppress(MissingData):
                needs += _needs(adoption, item, () if b"" in below else below)
        lacking = adoption.lacking(needs)
        if lacking and not anew:
            standing = _standing(project, adoption, parts, reporter)
            known = adoption.aliases.files(need.stated for need in lacking)
            lacking = [
                need
                for need in lacking
                if need.stated not in known or standing.get(need.path) != known[need.stated].oid
            ]
            # What a checkout puts others in place of is safe in our cache, if the other tool's has it.
            lacking += _replaceable(adoption, standing, {need.path for need in lacking})
        _, damaged = bring_local(cache, adoption.aliases, lacking, adoption.stores, reporter)
        return tracked.replaced(adoption.settle(tracked)), damaged


def _replaceable(adoption: Adoption, standing: Mapping[bytes, ObjectId], paths: Collection[bytes]) -> Iterator[Need]:
    """Files at *paths* that our cache does not hold and the other tool's does."""
    for path in paths:
        oid = standing.get(path)
        if oid is not None and not adoption.cache.has_blob(oid):
            yield from (Need(stated, path) for stated in adoption.aliases.stated(oid))


def _needs(adoption: Adoption, item: Tracked, below: Sequence[bytes]) -> list[Need]:
    assert item.stated is not None
    if item.is_directory:
        return list(adoption.needs(item.stated.oid, item.path, below))
    return [Need(item.stated.oid, item.path)]


def _standing(
    project: Project, adoption: Adoption, items: Iterable[Tracked], reporter: Reporter
) -> dict[bytes, ObjectId]:
    """What files of the worktree are, by path."""
    found: dict[bytes, ObjectId] = {}
    with open_worktree(project, adoption.cache) as worktree:
        sink = HashSink()
        snapshot = worktree.snapshot(sink, reporter)
        for item in items:
            current = worktree.current(snapshot, item.path, is_top=True)
            if current is not None and current.kind == FILE:
                found[item.path] = current.oid
            elif current is not None and current.kind == DIRECTORY:
                tree = TreeRef(current.oid, current.size, current.files)
                below = walk(worktree.current_pages(sink), tree, item.path + b"/")
                found.update((path, entry.oid) for path, entry in below if entry.kind == FILE)
    return found


def copy_adopted(
    project: Project, cache: Cache, wanted: Sequence[Wanted], reporter: Reporter, *, home: Project | None = None
) -> list[Wanted]:
    """Copy what the other tool's cache on this disk has of *wanted* into *cache*; those that are not whole after that.

    *home*: the project that learns what it is; None is the one whose cache is read. Raises `StorageError`, `Locked`.
    """
    left: list[Wanted] = []
    with Adoption(project, cache) as there, ExitStack() as stack:
        adoption = there
        if home is not None:
            adoption = stack.enter_context(Adoption(home, cache))
            adoption.stores = (*adoption.stores, *there.stores)
        for one in wanted:
            try:
                whole = [Need(one.stated, one.path)]
                below = adoption.needs(one.stated, one.path, one.below) if one.directory else whole
                needs = adoption.lacking(below)
            except MissingData:
                left.append(one)
                continue
            # What is damaged there counts as absent: it may come from a remote.
            lacking, _ = bring_local(cache, adoption.aliases, needs, adoption.stores, reporter)
            left += [one] if lacking else []
    return left


def fetch_adopted(
    project: Project,
    cache: Cache,
    remotes: Sequence[Remote],
    wanted: Sequence[Wanted],
    *,
    jobs: int,
    only: Only,
    dry_run: bool,
    reporter: Reporter,
) -> FetchResult:
    """Fetch what neither our cache nor the other tool's has, from its remotes in turn. Raises `StorageError`."""
    result = FetchResult(0, 0, (), ())
    for remote in remotes:
        came = _from(project, cache, remote, wanted, jobs=jobs, only=only, dry_run=dry_run, reporter=reporter)
        result = result.plus(came)._replace(missing=came.missing, damaged=came.damaged)
        if not (result.missing or result.damaged):
            break
    return result


def _from(
    project: Project,
    cache: Cache,
    remote: Remote,
    wanted: Sequence[Wanted],
    *,
    jobs: int,
    only: Only,
    dry_run: bool,
    reporter: Reporter,
) -> FetchResult:
    with Adoption(project, cache) as adoption:
        missing: list[MissingItem] = []
        damaged: list[DamagedItem] = []
        wanted = [one for one in wanted if not _is_whole(adoption, one)]
        absent = [
            Need(one.stated, one.path)
            for one in wanted
            if one.directory and adoption.directory(one.stated, one.path) is None
        ]
        received = 0
        if absent:
            unique = {need.stated: need for need in absent}
            missing, damaged, received = bring_manifests(adoption.aliases, unique.values(), remote, jobs)
            adoption.forget()
        needs: dict[tuple[ObjectId, bytes], Need] = {}
        for one in wanted:
            if not one.directory:
                needs[one.stated, one.path] = Need(one.stated, one.path, one.size)
                continue
            with suppress(MissingData):
                needs.update(
                    ((each.stated, each.path), each) for each in adoption.needs(one.stated, one.path, one.below)
                )
        lacking = _not_on_this_disk(adoption, adoption.lacking(needs.values()), reporter)
        result = bring(
            cache, adoption.aliases, lacking, remote, jobs=jobs, reporter=reporter, only=only, dry_run=dry_run
        )
        return result._replace(
            objects=result.objects + len(absent) - len(missing) - len(damaged),
            bytes_received=result.bytes_received + received,
            missing=(*missing, *result.missing),
            damaged=(*damaged, *result.damaged),
        )


def _wanted(item: Tracked) -> Wanted:
    pointer = item.pointer
    return Wanted(item.is_directory, pointer.digest.oid, pointer.size, pointer.files, item.path)


def _is_whole(adoption: Adoption, one: Wanted) -> bool:
    """Whether the cache has every page and file of a directory: then its manifest is not needed."""
    if not one.directory or is_adopted(one.oid):
        return False
    return directory_gap(adoption.cache, TreeRef(one.oid, one.size, one.files)) == Gap()


def _not_on_this_disk(adoption: Adoption, needs: Sequence[Need], reporter: Reporter) -> list[Need]:
    """Those that the other tool's cache does not hold, or not rightly: each file there is read once to know."""
    aliases, stores = adoption.aliases, adoption.stores
    if not stores or not needs:
        return list(needs)
    sizes = {need.stated: [size for each in stores if (size := each.size(need.stated)) is not None] for need in needs}
    known = aliases.files(sizes)
    unread = {need.stated: need for need in needs if sizes[need.stated] and need.stated not in known}
    if unread:
        reporter.begin("looking", total=sum(sizes[stated][0] for stated in unread), unit="bytes")
        learn_local(aliases, unread.values(), stores, reporter)
        reporter.end()
        known = aliases.files(sizes)
    return [need for need in needs if need.stated not in known or known[need.stated].size not in sizes[need.stated]]
