"""How much room tracked data takes: its own bytes, and what the cache or a remote stores for them."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import UsageError
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.project.history import tracked_at
from dvtool.project.listings import Unread
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_paths
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.session import Session
from dvtool.transfer.types import Wanted
from dvtool.transfer.usage import CacheSizes
from dvtool.transfer.usage import Measured
from dvtool.transfer.usage import RemoteSizes
from dvtool.transfer.usage import Usage
from dvtool.transfer.usage import measure
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import select
from dvtool.workspace.selection import wanted_entry

if TYPE_CHECKING:
    from dvtool.model.ports import Remote
    from dvtool.store.cache import Cache
    from dvtool.transfer.walk import Failed

__all__ = ["DuRequest", "DuResult", "Size", "du", "raise_for"]


@dataclass(frozen=True, slots=True)
class DuRequest:
    """``targets`` as in `StatusRequest`. ``rev``: at this revision instead of in the worktree.

    ``remote``: measure what that remote stores instead of the cache.
    """

    targets: tuple[bytes, ...] = ()
    rev: str | None = None
    remote: str | None = None


class Size(NamedTuple):
    """One path. ``bytes``: of its files, as often as they stand in it. ``stored_bytes``: what is kept for
    them, compressed, and equal content once. ``shared_bytes``: the part of that which other paths in the
    same result need too. ``absent_bytes``: of files that are not stored there.
    """

    path: bytes
    directory: bool
    files: int
    bytes: int
    stored_bytes: int
    shared_bytes: int
    absent_bytes: int


@dataclass(frozen=True, slots=True)
class DuResult:
    """``store``: the remote's name, empty for the cache. ``files`` and ``bytes``: sums of the paths.

    ``stored_bytes``: for all of them, counted once. ``store_bytes``: all that the remote's packs take,
    whatever names it; None for the cache. ``unread``: directories whose listing could not be read, so
    that nothing below counts as stored or absent.
    """

    rev: str | None
    store: str
    paths: tuple[Size, ...]
    files: int
    bytes: int
    stored_bytes: int
    store_bytes: int | None
    unread: tuple[Unread, ...]


def du(project: Project, request: DuRequest, reporter: Reporter = SILENT) -> DuResult:
    """Measure. Fetches listings and recipes at most, and those only from the remote that is measured.

    Raises `UsageError` for a target that is not tracked and an unknown revision, `StorageError`,
    `ConfigError`, `FormatError`.
    """
    if request.rev is not None and project.git is None:
        raise UsageError("this project works without Git, so there are no other revisions")
    tracked = open_tracked(project) if request.rev is None else tracked_at(project, request.rev)
    selected = select(tracked, relative_paths(project, request.targets))
    cache = open_cache(project)
    if request.remote is None:
        with Session(cache, (), reporter=reporter, what="du") as session:
            return _in_cache(session, cache, request, selected)
    with (
        closing(open_remote_of(project, request.remote)) as remote,
        Session(cache, (remote,), reporter=reporter, what="du") as session,
    ):
        return _on_remote(session, cache, remote, request, selected)


def raise_for(result: DuResult) -> None:
    """Raise the error that it ends with, if a listing is damaged. One that is merely absent is no failure."""
    for path, error in result.unread:
        if isinstance(error, IntegrityError):
            error.message = f"{show(path)}: {error.message}"
            raise error


def _in_cache(session: Session, cache: Cache, request: DuRequest, selected: list[Selected]) -> DuResult:
    wanted = [_wanted(session, one) for one in selected]
    return _result(request, "", wanted, measure(session, CacheSizes(cache), wanted), None)


def _on_remote(
    session: Session, cache: Cache, remote: Remote, request: DuRequest, selected: list[Selected]
) -> DuResult:
    store = RemoteStore(remote, cache.root, session.workers)
    if not store.open():
        session.use_stores([])
        wanted = [_wanted(session, one) for one in selected]
        nothing = Measured([Usage(absent=one.size) for one in wanted], 0, [])
        return _result(request, remote.name, wanted, nothing, 0)
    store.load_indexes()
    store.presence.read_dead()
    store.find_uncovered()
    session.use_stores([store])
    wanted = [_wanted(session, one) for one in selected]
    measured = measure(session, RemoteSizes(session, store), wanted)
    session.keep()
    packs = {pack for reader in store.index_readers for pack in reader.packs} | store.uncovered().keys()
    whole = sum(pack.size for pack in packs if not store.presence.is_absent(pack))
    return _result(request, remote.name, wanted, measured, whole)


def _wanted(session: Session, one: Selected) -> Wanted:
    def page(oid: ObjectId) -> bytes:
        found = session.load_pages([oid])[oid]
        if isinstance(found, DvtoolError):
            raise found
        return found

    entry = wanted_entry(one.item, one.below, page)
    if entry is None:
        raise UsageError(
            f"{show(one.path)} is not in {one.item.source}",
            path=one.path,
            hint=f"dvtool list {show(one.item.path)}",
        )
    return Wanted(entry.kind == DIRECTORY, entry.oid, entry.size, entry.files, one.path)


def _result(
    request: DuRequest, store: str, wanted: list[Wanted], measured: Measured, store_bytes: int | None
) -> DuResult:
    paths = [Size(one.path, one.directory, one.files, one.size, *usage) for one, usage in zip(wanted, measured.paths)]
    return DuResult(
        request.rev,
        store,
        tuple(paths),
        sum(one.files for one in paths),
        sum(one.bytes for one in paths),
        measured.stored,
        store_bytes,
        tuple(_unread(measured.failed)),
    )


def _unread(failed: list[Failed]) -> list[Unread]:
    return [Unread(path, error) for path, error in {each.path: each.error for each in failed}.items()]
