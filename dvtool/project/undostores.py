"""Taking back what left the cache or was doomed on a remote."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from dvtool.errors import MissingData
from dvtool.formats.oplog import Collection
from dvtool.formats.oplog import Operation
from dvtool.formats.oplog import Row
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.project.open import Project
from dvtool.project.parts import open_remote_of
from dvtool.project.parts import open_tracked
from dvtool.project.reading import fetch_in_turn
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Route
from dvtool.project.routes import Routes
from dvtool.store.cache import Cache

AGAIN = "what was collected and came back stays: `dvtool gc` collects it again"


class StoresPlan(NamedTuple):
    """``trash``: runs that are put back. ``dropped``: what is fetched again."""

    trash: tuple[str, ...] = ()
    collections: tuple[Collection, ...] = ()
    dropped: tuple[Row, ...] = ()


def plan_stores(cache: Cache, newest_first: Sequence[Operation], *, resumed: bool) -> StoresPlan:
    """Look at the trash. *resumed*: an undo that was killed may have put a run back already.

    Raises `MissingData` for a run that has left the trash, `FormatError`, `StorageError`.
    """
    runs = [run for operation in newest_first for run in operation.trash]
    if runs:
        from dvtool.store.trash import list_runs

        there = {each.run.id for each in list_runs(cache)}
        gone = [run for run in runs if run not in there]
        if gone and not resumed:
            raise MissingData(
                f"nothing was taken back: what that collection took has left the trash ({gone[0]})",
                hint="if it was pushed, `dvtool fetch --all-commits` brings it",
            )
        runs = [run for run in runs if run in there]
    return StoresPlan(
        tuple(runs),
        tuple(collection for operation in newest_first for collection in operation.collections),
        tuple(row for operation in newest_first for row in operation.dropped),
    )


def bring_back(project: Project, cache: Cache, plan: StoresPlan, reporter: Reporter, *, now: float) -> None:
    """Put back, copy, fetch. Again is harmless. Raises `MissingData`, `StorageError`, `Locked`."""
    for run in plan.trash:
        from dvtool.store.trash import put_back

        put_back(cache, run)
    for collection in plan.collections:
        _uncollect(project, cache, collection, reporter, now=now)
    if plan.dropped:
        _fetch(project, cache, plan.dropped, reporter)


def _uncollect(project: Project, cache: Cache, collection: Collection, reporter: Reporter, *, now: float) -> None:
    from dvtool.transfer.collect.types import CollectContext
    from dvtool.transfer.collect.undo import undo_collection

    context = CollectContext(os.path.join(project.layout.state_dir, b"push"), now)
    with closing(open_remote_of(project, collection.remote)) as remote:
        undone = undo_collection(cache, remote, collection.key, context, reporter)
    if undone.lost:
        raise MissingData(
            f"remote {collection.remote}: {len(undone.lost):,} of the packs that were doomed are gone already",
            hint="`dvtool push --all-commits` from a clone that has the data brings them back",
        )


def _fetch(project: Project, cache: Cache, dropped: Sequence[Row], reporter: Reporter) -> None:
    from dvtool.transfer.types import Wanted

    routes = Routes(project.config)
    tracked = open_tracked(project)
    wanted = []
    for row in dropped:
        if row.before is not None and row.before.kind in (FILE, DIRECTORY):
            owner = tracked.owner(row.path)
            home = routes.owner(owner) if owner is not None else ""
            entry = row.before
            wanted.append(Wanted(entry.kind == DIRECTORY, entry.oid, entry.size, entry.files, row.path, remote=home))
    with Remotes(project) as remotes:
        for route in routes.for_reading(wanted, (), reporter):
            _fetch_route(cache, remotes, route, reporter)


def _fetch_route(cache: Cache, remotes: Remotes, route: Route, reporter: Reporter) -> None:
    from dvtool.transfer.fetch import fetch

    fetched = fetch_in_turn(
        remotes, route.remotes, lambda asked: fetch(cache, asked, route.wanted, reporter=reporter), reporter
    )
    result, name = fetched.result, " or ".join(fetched.remotes)
    lost = [*(item.path for item in result.missing), *(item.path for item in result.damaged)]
    if lost:
        raise MissingData(
            f"nothing was taken back: {name} does not hold {show(lost[0])}"
            + (f" and {len(lost) - 1:,} more" if len(lost) > 1 else ""),
            path=lost[0],
            hint=f"dvtool whereis --check {show(lost[0])}",
        )
