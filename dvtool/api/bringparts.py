"""Parts of tracked paths that only a fetch can bring: what was imported, and what another tool keeps."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from dvtool.api.fetch import fetch_wanted
from dvtool.api.fetch import raise_for
from dvtool.errors import DvtoolError
from dvtool.model.digest import is_adopted
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.adoptbring import copy_adopted
from dvtool.project.bringing import Bring
from dvtool.project.imported import fetch_imported
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import settled
from dvtool.project.reading import FetchReport
from dvtool.project.routes import Routes
from dvtool.project.transfers import wanted_of
from dvtool.transfer.fetch import EVERYTHING
from dvtool.transfer.types import Only
from dvtool.transfer.types import Wanted
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths

_NO_FILES = Only(suffixes=(b"\0",))


def bring_parts(
    project: Project,
    parts: Iterable[tuple[Tracked, bytes]],
    reporter: Reporter = SILENT,
    *,
    listings: bool = False,
) -> None:
    """Put into the cache what lies at each path inside its tracked one (empty: all of it). *listings*: no files.

    Raises what a fetch ends with.
    """
    routes = Routes(project.config)
    only = _NO_FILES if listings else EVERYTHING
    cache = open_cache(project)
    below: dict[Tracked, list[bytes]] = {}
    for item, path in parts:
        below.setdefault(item, []).append(path)
    imported: list[tuple[Tracked, Wanted]] = []
    adopted: list[Wanted] = []
    for item, paths in below.items():
        one = wanted_of(routes, item, () if b"" in paths else sorted(set(paths)))
        if item.is_imported:
            imported.append((item, one))
        else:
            adopted.append(one)
    report = FetchReport(())
    if imported:
        report = fetch_imported(project, cache, imported, Bring(only=only), reporter)
    if adopted and not listings:
        adopted = copy_adopted(project, cache, adopted, reporter)
    if adopted:
        report = FetchReport((*report.parts, *fetch_wanted(project, adopted, reporter, only=only).parts))
    raise_for(_of_listings(report, {item.path for item in below}) if listings else report)


def with_listings(
    project: Project, tracked: TrackedPaths, items: Iterable[Tracked], reporter: Reporter = SILENT
) -> TrackedPaths:
    """*tracked* again, after the listings of *items* came that another tool made: ours are made of them.

    What cannot be had stays unknown, and is told where it is read.
    """
    unknown = [item for item in items if item.is_directory and is_adopted(item.pointer.digest.oid)]
    if not unknown:
        return tracked
    with suppress(DvtoolError):
        bring_parts(project, [(item, b"") for item in unknown], reporter, listings=True)
    return settled(project, tracked)


def _of_listings(report: FetchReport, paths: Collection[bytes]) -> FetchReport:
    """The same where files that are missing are no failure."""
    parts = []
    for part in report.parts:
        missing = tuple(item for item in part.result.missing if item.path in paths)
        parts.append(replace(part, result=part.result._replace(missing=missing)))
    return FetchReport(tuple(parts))
