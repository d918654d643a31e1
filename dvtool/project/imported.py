"""Sources of imported data, as a project's pointers state them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.model.pointer import Source as Origin
from dvtool.model.ports import Reporter
from dvtool.project.adoptrestate import is_as_stated
from dvtool.project.bringing import Bring
from dvtool.project.bringing import bring
from dvtool.project.bringing import bring_wanted
from dvtool.project.config import Level
from dvtool.project.edit import set_setting
from dvtool.project.open import Project
from dvtool.project.place import Place
from dvtool.project.place import place_of
from dvtool.project.reach import KEY
from dvtool.project.reach import allowed_sources
from dvtool.project.reach import is_allowed
from dvtool.project.reach import require_source
from dvtool.project.reach import with_allowed
from dvtool.project.reading import Fetched
from dvtool.project.reading import FetchReport
from dvtool.project.routes import Routes
from dvtool.project.source import Source
from dvtool.project.source import open_source
from dvtool.remote.reach import is_inside
from dvtool.remote.redact import redact
from dvtool.store.cache import Cache
from dvtool.transfer.types import FetchResult
from dvtool.transfer.types import MissingItem
from dvtool.transfer.types import Wanted
from dvtool.workspace.pointers import Tracked


def recorded_url(project: Project, place: Place) -> str:
    """How a repository is written into a pointer: a relative directory from the project's root."""
    if not place.directory or os.path.isabs(place.url) or place.url.startswith("~"):
        return os.fsdecode(place.directory) if place.directory else place.url
    return os.fsdecode(os.path.relpath(place.directory, project.root))


def overrides_of(project: Project, remote: str | None, *hosts: str) -> dict[str, str]:
    """Settings for a source that is opened for this project: what it may lead to, and the remote that was asked for."""
    allowed = ", ".join(dict.fromkeys((*allowed_sources(project), *filter(None, hosts))))
    flags = {KEY: allowed, "core.remote": remote or ""}
    for key in ("core.jobs", "core.bandwidth"):
        found = project.config.find(key)
        flags[key] = found.text if found is not None and found.origin.level is Level.FLAG else ""
    return {key: text for key, text in flags.items() if text}


def allow_source(project: Project, place: Place) -> None:
    """Remember that the user named it, where only that makes it readable: for `pull` here, later on."""
    directory = place.directory
    if place.url.startswith("file://"):
        directory = os.fsencode(place.url[len("file://") :])
    if not directory and not is_inside(place.host):
        return
    if b"," in directory:
        # The setting is a list with commas: who wants it there names a directory above.
        return
    if not is_allowed(allowed_sources(project), place.url, directory, place.host):
        known = project.config.find(KEY)
        before = project.config.choices(KEY) if known is not None and known.origin.level is Level.LOCAL else ()
        set_setting(project.layout, Level.LOCAL, KEY, with_allowed(before, directory, place.host))


def open_stated(project: Project, origin: Origin, where: str, reporter: Reporter, *, rev: str | None = None) -> Source:
    """The repository that a pointer states, at the commit that it states, or at *rev*.

    Raises `UnsafeInput` where the user did not say that it may be read; as `open_source`.
    """
    environment = replace(project.environment, cwd=project.root)
    try:
        host = place_of(origin.repo, environment).host
    except (UnsafeInput, UsageError) as error:
        raise UnsafeInput(f"{where}: {error.message}", path=where, hint=error.hint) from error
    require_source(project, origin.repo, where)
    return open_source(
        origin.repo,
        origin.commit if rev is None else rev or None,
        environment,
        path=origin.path,
        overrides=overrides_of(project, origin.remote, host),
        reporter=reporter,
    )


def _from_url(project: Project, cache: Cache, item: Tracked, one: Wanted, reporter: Reporter) -> Fetched:
    """What no remote has and a URL may still give."""
    from dvtool.project.fromurl import fetch_url

    origin = item.pointer.source
    assert origin is not None
    nothing = FetchResult(0, 0, (), ())
    try:
        fetch_url(project, cache, origin, show(item.pointer_path), reporter)
    except MissingData as error:
        reporter.note(error.message)
        missing = MissingItem(item.path, one.oid, one.size)
        return Fetched((redact(origin.url),), nothing._replace(missing=(missing,)))
    return Fetched((redact(origin.url),), nothing._replace(objects=1, bytes_received=one.size))


def fetch_imported(
    project: Project, cache: Cache, wanted: Iterable[tuple[Tracked, Wanted]], how: Bring, reporter: Reporter
) -> FetchReport:
    """Bring what pointers say from where they say that it came from; each source is opened once.

    Nothing is contacted for what is in the cache.
    """
    from dvtool.transfer.fetch import fetch as run_fetch

    by_source: dict[tuple[str, str, str], list[tuple[Tracked, Wanted]]] = {}
    parts: list[Fetched] = []
    for item, one in wanted:
        here = run_fetch(cache, (), [one], dry_run=True, only=how.only)
        origin = item.pointer.source
        if here.missing and origin is not None and origin.url:
            parts.append(_from_url(project, cache, item, one, reporter))
        elif here.missing and origin is not None:
            by_source.setdefault((origin.repo, origin.commit, origin.remote), []).append((item, one))
    for some in by_source.values():
        try:
            parts += _from_source(project, cache, some, how, reporter)
        except DvtoolError as error:
            # One source that is gone keeps nothing else from coming; somebody may have pushed its data here.
            parts += _from_ours(project, cache, some, how, error, reporter)
    return FetchReport(tuple(parts))


def _from_source(
    project: Project, cache: Cache, some: Sequence[tuple[Tracked, Wanted]], how: Bring, reporter: Reporter
) -> list[Fetched]:
    parts: list[Fetched] = []
    first = some[0][0]
    assert first.pointer.source is not None
    with open_stated(project, first.pointer.source, show(first.pointer_path), reporter) as source:
        left: list[Wanted] = []
        for item, one in some:
            origin = item.pointer.source
            assert origin is not None
            owner = source.tracked.owner(source.inside(origin.path))
            if owner is None or (owner.stated is not None and item.stated is None):
                # What Git or another tool keeps there has our digests only once it was read.
                came = bring(source, origin.path, cache, how, reporter)
                parts += came.report.parts
                is_whole = owner is None and bool(one.stated) and not came.report.missing
                if is_whole and is_as_stated(project, cache, one.stated, came.entry):
                    continue
            left.append(one._replace(remote=""))
        parts += bring_wanted(source, cache, left, how, reporter, project).parts
    return parts


def _from_ours(
    project: Project,
    cache: Cache,
    some: Sequence[tuple[Tracked, Wanted]],
    how: Bring,
    failure: DvtoolError,
    reporter: Reporter,
) -> list[Fetched]:
    from dvtool.project.remotes import Remotes
    from dvtool.transfer.fetch import fetch as run_fetch

    wanted = [one for _, one in some]
    for name in Routes(project.config).reading_order():
        with suppress(DvtoolError), Remotes(project) as remotes:
            came = run_fetch(cache, (remotes.get(name),), wanted, jobs=how.jobs, reporter=reporter, only=how.only)
            if not (came.missing or came.damaged or came.broken):
                reporter.note(f"{failure.message}; {name} had it")
                return [Fetched((name,), came)]
    return [Fetched((), FetchResult(0, 0, (), (), broken=(failure,)))]
