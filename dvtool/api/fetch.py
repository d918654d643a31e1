"""Bringing data from remotes into the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.records import Root
from dvtool.model.digest import as_digest
from dvtool.model.digest import is_adopted
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.project.cacheroots import kept_in_shared_cache
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.reading import Fetched
from dvtool.project.reading import FetchReport
from dvtool.project.reading import fetch_in_turn
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Route
from dvtool.project.routes import Routes
from dvtool.project.targets import select_targets
from dvtool.project.transfers import NO_REVISIONS
from dvtool.project.transfers import Imports
from dvtool.project.transfers import Revisions
from dvtool.project.transfers import imports_now
from dvtool.project.transfers import merged
from dvtool.project.transfers import note_unpushed
from dvtool.project.transfers import wanted_in_history
from dvtool.project.transfers import wanted_now
from dvtool.project.transfers import wanted_of
from dvtool.store.cache import Cache
from dvtool.transfer.fetch import EVERYTHING
from dvtool.transfer.fetch import fetch as run_fetch
from dvtool.transfer.types import FetchResult
from dvtool.transfer.types import Only
from dvtool.transfer.types import Wanted
from dvtool.workspace.selection import Selected

__all__ = ["FetchReport", "FetchRequest", "fetch", "raise_for"]

_SHORT = len("blake3:") + 12


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """As `PushRequest`. ``remotes`` stand for the default one and are asked in turn. ``only``: the
    files that this is about; all others stay where they are. ``run_cache``: also what all earlier runs made; False:
    not even which runs there were; None: that, where there are outputs of stages."""

    targets: tuple[bytes, ...] = ()
    remotes: tuple[str, ...] = ()
    revisions: Revisions = NO_REVISIONS
    jobs: int = 0
    dry_run: bool = False
    only: Only = EVERYTHING
    run_cache: bool | None = None


def fetch(
    project: Project, request: FetchRequest, reporter: Reporter = SILENT, *, cache: Cache | None = None
) -> FetchReport:
    """Download into the cache what it lacks, every byte verified. The result lists what could not be had;
    `raise_for` turns that into the error to end with. *cache*: the project's, where the caller has it open.

    A remote that does not answer, or lacks something, is followed by its mirrors. Raises
    `StorageError`, `AccessDenied`, `ConfigError`, `UsageError`.
    """
    with Remotes(project) as remotes:
        remotes.prepare(request.remotes[:1])
        routes = Routes(project.config)
        selected = select_targets(project, open_tracked(project), request.targets, "fetch")
        note_unpushed([one for one in selected if not one.item.is_imported], request.targets, reporter)
        imports = imports_now(routes, selected)
        history = wanted_in_history(project, routes, request.revisions, imports)
        wanted = merged(wanted_now(routes, selected), history)
        chains = routes.for_reading(wanted, request.remotes, reporter)
        if not wanted and not imports and not request.remotes:
            project.config.remote()
        work = _Work(project, request, remotes, reporter, cache)
        if request.dry_run:
            return FetchReport(tuple(work.count(chain) for chain in chains))
        with begin(project, "fetch", required=False) as operation:
            if operation.verb == "fetch":
                names = ", ".join(dict.fromkeys(chain.remotes[0] for chain in chains))
                operation.record(lasting="what was fetched stays in the cache", summary=f"from {names}")
            report = work.fetch_all(chains, wanted)
            if imports or any(one.item.pointer.source for one in selected):
                report = work.fetch_imports(selected, imports, report)
            if request.run_cache or (request.run_cache is None and any(one.item.stage for one in selected)):
                first = [chain.remotes[0] for chain in chains] or [*request.remotes, project.config.remote().name][:1]
                report = work.fetch_runs(first, routes, report)
            if operation.verb == "fetch" and not report.objects:
                operation.cancel()
        return report


def fetch_wanted(
    project: Project, wanted: Sequence[Wanted], reporter: Reporter = SILENT, *, only: Only = EVERYTHING
) -> FetchReport:
    """The same for these objects, whatever they belong to."""
    with Remotes(project) as remotes:
        chains = Routes(project.config).for_reading(wanted, (), reporter)
        return _Work(project, FetchRequest(only=only), remotes, reporter).fetch_all(chains, wanted)


class _Work:
    def __init__(
        self,
        project: Project,
        request: FetchRequest,
        remotes: Remotes,
        reporter: Reporter,
        cache: Cache | None = None,
    ) -> None:
        self._project = project
        self._request = request
        self._remotes = remotes
        self._reporter = reporter
        self._cache = cache or open_cache(project)

    def count(self, route: Route) -> Fetched:
        """What would come, from whichever remote."""
        opened = [self._remotes.get(name) for name in route.remotes]
        return Fetched(route.remotes, self._run(opened, route.wanted, dry_run=True))

    def fetch_all(self, chains: Sequence[Route], wanted: Sequence[Wanted]) -> FetchReport:
        parts: list[Fetched] = []
        try:
            with kept_in_shared_cache(
                self._project, self._cache, [Root(one.directory, one.oid) for one in wanted if not is_adopted(one.oid)]
            ):
                parts += [self._in_turn(chain) for chain in chains]
        except StorageError as error:
            # A cache may be mounted read-only: where nothing was to be stored in it, that is no failure.
            if len(parts) < len(chains) or any(part.result.objects for part in parts):
                raise
            self._reporter.note(f"this workspace could not be named in the shared cache: {error.message}")
        return FetchReport(tuple(parts))

    def fetch_imports(self, selected: Sequence[Selected], imports: Imports, report: FetchReport) -> FetchReport:
        """What is imported from where it came from; also what was changed since, as far as our remotes lack it."""
        from dvtool.project.bringing import Bring
        from dvtool.project.imported import fetch_imported

        lacking = {item.path for item in report.missing}
        changed = {one.item for one in selected if one.item.pointer.source and not one.item.is_imported and lacking}
        routes = Routes(self._project.config)
        more = [(item, wanted_of(routes, item)) for item in changed if any(is_below(p, item.path) for p in lacking)]
        how = Bring(self._request.jobs, self._request.only)
        came = fetch_imported(self._project, self._cache, [*imports, *more], how, self._reporter)
        if more:
            report = report.without_missing_below({item.path for item, _ in more})
        return FetchReport((*report.parts, *came.parts))

    def fetch_runs(self, names: Sequence[str], routes: Routes, report: FetchReport) -> FetchReport:
        """Which runs there were, and what they made where that is asked for; what of that is gone is no failure."""
        from dvtool.project.sharedruns import outputs_of_runs
        from dvtool.project.sharedruns import receive_runs

        names = list(dict.fromkeys(names))
        receive_runs(self._project, [self._remotes.get(name) for name in names], self._reporter)
        if not self._request.run_cache:
            return report
        wanted = outputs_of_runs(self._project, names, routes)
        chains = routes.for_reading(wanted, self._request.remotes, self._reporter)
        more = self.fetch_all(chains, wanted).without_missing()
        return FetchReport((*report.parts, *more.parts))

    def _in_turn(self, route: Route) -> Fetched:
        return fetch_in_turn(
            self._remotes, route.remotes, lambda remotes: self._run(remotes, route.wanted), self._reporter
        )

    def _run(self, remotes: Sequence[Remote], wanted: Sequence[Wanted], *, dry_run: bool = False) -> FetchResult:
        jobs = self._request.jobs or int(self._project.config.remote(remotes[0].name).options.get("jobs", "0"))
        own = [one for one in wanted if not one.stated]
        adopted = [one for one in wanted if one.stated]
        if not adopted:
            return self._run_own(remotes, own, jobs, dry_run=dry_run)
        from dvtool.project.adoptbring import fetch_adopted

        came = fetch_adopted(
            self._project,
            self._cache,
            [*remotes, *self._adopting(remotes)],
            adopted,
            jobs=jobs,
            only=self._request.only,
            dry_run=dry_run,
            reporter=self._reporter,
        )
        return came.plus(self._run_own(remotes, own, jobs, dry_run=dry_run)) if own else came

    def _adopting(self, besides: Sequence[Remote]) -> list[Remote]:
        """Remotes that another tool has filled."""
        known = {remote.name for remote in besides}
        named = self._project.config.remotes().items()
        return [self._remotes.get(name) for name, each in named if "adopts" in each.options and name not in known]

    def _run_own(self, remotes: Sequence[Remote], wanted: Sequence[Wanted], jobs: int, *, dry_run: bool) -> FetchResult:
        return run_fetch(
            self._cache,
            remotes,
            wanted,
            jobs=jobs,
            reporter=self._reporter,
            dry_run=dry_run,
            only=self._request.only,
        )


def raise_for(report: FetchReport) -> None:
    """Raise the error that a fetch ends with, if it left anything undone."""
    causes: list[DvtoolError] = [
        IntegrityError(
            f"{show(item.path)}: {as_digest(item.oid)} is damaged on {item.remote} ({item.key})", path=item.path
        )
        for item in report.damaged
    ]
    causes += [
        MissingData(
            f"{show(item.path)} is not on {' or '.join(part.remotes)} ({str(as_digest(item.oid))[:_SHORT]})",
            path=item.path,
        )
        for part in report.parts
        for item in part.result.missing
    ]
    causes += report.broken
    if not causes:
        return
    hint = "somebody who has the data can run `dvtool push` again"
    if report.missing:
        hint += f"; who pushed it last: dvtool whereis --check {show(report.missing[0].path)}"
    if report.broken:
        hint = "dvtool writes no such listing: see where its pointer comes from (`git log -p -- FILE`)"
    if report.damaged:
        hint = f"in a clone that has the data: dvtool fsck --remote {report.damaged[0].remote} --deep --repair"
    if len(causes) == 1:
        causes[0].hint = (causes[0].hint if report.broken else None) or hint
        raise causes[0]
    left = [part for part in report.parts if part.result.missing or part.result.damaged or part.result.broken]
    names = " or ".join(dict.fromkeys(name for part in left for name in part.remotes))
    raise DvtoolError(f"{len(causes):,} objects could not be fetched from {names}", hint=hint, causes=tuple(causes))
