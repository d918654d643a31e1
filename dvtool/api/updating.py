"""Bringing imported data to what its source has now."""

from __future__ import annotations

from dataclasses import dataclass

from dvtool.api.fetch import raise_for
from dvtool.api.importing import Imported
from dvtool.api.importing import brought_from
from dvtool.api.importing import imported
from dvtool.api.importing import tracked_import
from dvtool.api.placing import Placing
from dvtool.api.placing import finish
from dvtool.api.placing import place
from dvtool.errors import DvtoolError
from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.bringing import Bring
from dvtool.project.bringing import bring
from dvtool.project.imported import open_stated
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.oplog import require_own
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_paths
from dvtool.store.cache import Cache
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.selection import select


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """``targets``: imported paths; none are all. ``rev``: another branch, tag or commit, remembered from now on; None
    is what the pointer says. ``force``: replace changes of the user's own. ``dry_run``: only look. ``now``: Unix
    seconds by the caller's clock."""

    targets: tuple[bytes, ...] = ()
    rev: str | None = None
    jobs: int = 0
    force: bool = False
    data: bool = True
    dry_run: bool = False
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """``items``: what was looked at; ``changed`` in each says whether there is, or was, something newer.

    ``errors``: of those that could not be updated; they are as they were."""

    items: tuple[Imported, ...]
    errors: tuple[DvtoolError, ...] = ()


def update(project: Project, request: UpdateRequest, reporter: Reporter = SILENT) -> UpdateResult:
    """Look at each source again; only what changed there moves. One that fails is left as it was.

    Raises `UsageError` where a target is not imported; `raise_for_update` ends a command that left something.
    """
    require_own(project.layout, "update")
    tracked = open_tracked(project)
    chosen = [one.item for one in select(tracked, relative_paths(project, request.targets))] if len(tracked) else []
    for item in chosen if request.targets else ():
        if item.pointer.source is None:
            raise UsageError(
                f"{show(item.path)} is not imported", path=item.path, hint="dvtool import, dvtool import-url"
            )
    items, errors = [], []
    with begin(project, "update", required=False):
        for item in dict.fromkeys(chosen):
            if item.pointer.source is None:
                continue
            try:
                items.append(_update(project, request, item, reporter))
            except DvtoolError as error:
                if show(item.path) not in error.message:
                    error.message = f"{show(item.path)}: {error.message}"
                errors.append(error)
    return UpdateResult(tuple(items), tuple(errors))


def raise_for_update(result: UpdateResult) -> None:
    """Raise the error that an update ends with, if one of its items failed."""
    if len(result.errors) == 1:
        raise result.errors[0]
    if result.errors:
        raise DvtoolError(
            f"{len(result.errors)} imports could not be updated", hint=result.errors[0].hint, causes=result.errors
        )


def _update(project: Project, request: UpdateRequest, item: Tracked, reporter: Reporter) -> Imported:
    origin = item.pointer.source
    assert origin is not None
    where = show(item.pointer_path)
    if origin.url:
        from dvtool.api.importurl import update_url

        return update_url(project, request, item, origin, reporter)
    rev = origin.rev if request.rev is None else request.rev
    with open_stated(project, origin, where, reporter, rev=rev) as source:
        cache = open_cache(project)
        if source.commit == origin.commit and rev == origin.rev:
            return _unchanged(project, request, item, cache, reporter)
        seen = bring(source, origin.path, cache, Bring(request.jobs, data=False), reporter)
        changed = seen.entry.digest != origin.digest
        if not changed and rev == origin.rev:
            return _unchanged(project, request, item, cache, reporter)
        if request.dry_run:
            return imported(item, 0, changed=changed)
        new = tracked_import(item, item.path, seen.entry, brought_from(source, seen.entry, origin, rev))
        if not changed:
            new = item._replace(pointer=item.pointer._replace(source=brought_from(source, seen.entry, origin, rev)))
            recorded = place(project, cache, new, Placing("update", request.now, data=False), reporter)
            return imported(new, 0, changed=False, git_files=recorded.git_files)
        if not (request.force or item.is_imported):
            raise DvtoolError(
                f"{show(item.path)} was changed here since it was imported, so it was not updated",
                path=item.path,
                hint=f"take theirs with `dvtool update --force {show(item.path)}` "
                "(yours stays in the cache and in Git's history)",
            )
        came = bring(source, origin.path, cache, Bring(request.jobs, data=request.data), reporter)
        raise_for(came.report)
        how = Placing("update", request.now, request.force, request.data)
        recorded = place(project, cache, new, how, reporter)
        return imported(new, came.report.bytes_received, changed=True, git_files=recorded.git_files)


def _unchanged(project: Project, request: UpdateRequest, item: Tracked, cache: Cache, reporter: Reporter) -> Imported:
    if request.data and not request.dry_run:
        finish(project, cache, item, Placing("update", request.now), reporter)
    return imported(item, 0, changed=False)
