"""Bringing data from remotes into the cache."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.records import Root
from dvtool.model.digest import blake3_digest
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.cacheroots import kept_in_shared_cache
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_paths
from dvtool.project.transfers import NO_REVISIONS
from dvtool.project.transfers import Revisions
from dvtool.project.transfers import merged
from dvtool.project.transfers import wanted_in_history
from dvtool.project.transfers import wanted_now
from dvtool.transfer.fetch import fetch as run_fetch
from dvtool.transfer.types import FetchResult
from dvtool.workspace.selection import select

_SHORT = len("blake3:") + 12


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """As `PushRequest`."""

    targets: tuple[bytes, ...] = ()
    remote: str | None = None
    revisions: Revisions = NO_REVISIONS
    jobs: int = 0
    dry_run: bool = False


def fetch(project: Project, request: FetchRequest, reporter: Reporter = SILENT) -> FetchResult:
    """Download into the cache what it lacks, every byte verified. The result lists what could not be had;
    `raise_for` turns that into the error to end with.

    Raises `StorageError`, `AccessDenied`, `ConfigError`, `UsageError`.
    """
    settings = project.config.remote(request.remote)
    jobs = request.jobs or int(settings.options.get("jobs", "0"))
    with closing(open_remote_of(project, request.remote)) as remote:
        remote.prepare()
        selected = select(open_tracked(project), relative_paths(project, request.targets))
        wanted = merged(wanted_now(selected), wanted_in_history(project, request.revisions))
        cache = open_cache(project)
        if request.dry_run:
            return run_fetch(cache, [remote], wanted, jobs=jobs, reporter=reporter, dry_run=True)
        with begin(project, "fetch", required=False) as operation:
            if operation.verb == "fetch":
                operation.record(lasting="what was fetched stays in the cache", summary=f"from {remote.name}")
            roots = [Root(each.directory, each.oid) for each in wanted]
            result = None
            try:
                with kept_in_shared_cache(project, cache, roots):
                    result = run_fetch(cache, [remote], wanted, jobs=jobs, reporter=reporter)
            except StorageError as error:
                # A cache may be mounted read-only: where nothing was to be stored in it, that is no failure.
                if result is None or result.objects:
                    raise
                reporter.note(f"this workspace could not be named in the shared cache: {error.message}")
            if operation.verb == "fetch" and not result.objects:
                operation.cancel()
        return result


def raise_for(result: FetchResult, name: str) -> None:
    """Raise the error that a fetch from the remote *name* ends with, if it left anything undone."""
    causes: list[DvtoolError] = [
        IntegrityError(
            f"{show(item.path)}: {blake3_digest(item.oid)} is damaged on {item.remote} ({item.key})", path=item.path
        )
        for item in result.damaged
    ]
    causes += [
        MissingData(f"{show(item.path)} is not on {name} ({str(blake3_digest(item.oid))[:_SHORT]})", path=item.path)
        for item in result.missing
    ]
    causes += result.broken
    if not causes:
        return
    hint = "somebody who has the data can run `dvtool push` again"
    if result.broken:
        hint = "dvtool writes no such listing: see where its pointer comes from (`git log -p -- FILE`)"
    if result.damaged:
        hint = f"in a clone that has the data: dvtool fsck --remote {result.damaged[0].remote} --deep --repair"
    if len(causes) == 1:
        causes[0].hint = hint
        raise causes[0]
    raise DvtoolError(f"{len(causes):,} objects could not be fetched from {name}", hint=hint, causes=tuple(causes))
