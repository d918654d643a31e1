"""Data of other repositories, tracked here: where it came from stands in the pointer."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.api.fetch import raise_for
from dvtool.api.placing import Placing
from dvtool.api.placing import check_free
from dvtool.api.placing import place
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.model.digest import Digest
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.pointer import Source as Origin
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.project.bringing import Bring
from dvtool.project.bringing import bring
from dvtool.project.imported import allow_source
from dvtool.project.imported import overrides_of
from dvtool.project.imported import recorded_url
from dvtool.project.open import Project
from dvtool.project.oplog import require_own
from dvtool.project.parts import open_cache
from dvtool.project.parts import relative_path
from dvtool.project.place import place_of
from dvtool.project.source import Source
from dvtool.project.source import open_source
from dvtool.project.source import source_path
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import pointer_path_of


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """As `GetRequest`; ``data`` False: only the pointer is written, `dvtool pull` brings the rest. ``now``: Unix
    seconds by the caller's clock."""

    url: str
    path: bytes
    output: bytes | None = None
    rev: str | None = None
    remote: str | None = None
    jobs: int = 0
    force: bool = False
    data: bool = True
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Imported:
    """One imported path, relative to the project's root. ``received``: bytes that came over a network.

    ``changed``: whether its data is other than before, or was not there.
    """

    path: bytes
    pointer: bytes
    kind: str
    size: int
    files: int
    digest: str
    url: str
    commit: str
    received: int = 0
    changed: bool = True
    git_files: tuple[bytes, ...] = ()


def import_data(project: Project, request: ImportRequest, reporter: Reporter = SILENT) -> Imported:
    """Bring a file or directory of another repository and track it; what cannot be had leaves nothing behind.

    The same again goes on where it was. Raises `UsageError`, `UnsafeInput`, `StorageError`, `AccessDenied`, and what
    `fetch` raises.
    """
    require_own(project.layout, "import")
    inside = source_path(request.path)
    name = os.path.basename(inside)
    if not name:
        raise UsageError("name a path in that repository: all of it cannot be imported")
    where = place_of(request.url, project.environment)
    if where.secret:
        raise UnsafeInput(
            f"{where.url}: a password in a URL would be committed with the pointer",
            hint="leave it out of the URL: Git asks its credential helper (docs/how-to/credentials.md)",
        )
    path = output_in(project, request.output, name)
    known = check_free(project, path, is_dir=False)
    url = recorded_url(project, where)
    if known is None or not _is_same(known, url, inside):
        refuse_taken(project, path, known, force=request.force)
    cache = open_cache(project)
    with open_source(
        request.url,
        request.rev,
        project.environment,
        path=inside,
        overrides=overrides_of(project, request.remote, where.host),
        reporter=reporter,
    ) as source:
        entry, report = bring(source, inside, cache, Bring(request.jobs, data=request.data), reporter)
        raise_for(report)
        origin = Origin(entry.digest, url, request.rev or "", source.commit, inside, request.remote or "")
        item = tracked_import(known, path, entry, origin)
        how = Placing("import", request.now, request.force, request.data)
        recorded = place(project, cache, item, how, reporter)
        allow_source(project, where)
        changed = known is None or known.pointer.digest != entry.digest
    return imported(item, report.bytes_received, changed=changed, git_files=recorded.git_files)


def refuse_taken(project: Project, path: bytes, known: Tracked | None, *, force: bool) -> None:
    """Raise `UsageError` where something stands at *path* that is not to be replaced."""
    if force:
        return
    if known is not None:
        raise UsageError(
            f"{show(path)} is tracked already",
            path=path,
            hint=f"`dvtool update {show(path)}` brings a newer version, -o NAME takes another place, --force this one"
            if known.pointer.source
            else "name another place with -o, or replace it with --force",
        )
    if os.path.lexists(os.path.join(project.root, path)):
        raise UsageError(
            f"{show(path)} is there already, and nothing is replaced",
            path=path,
            hint="name another place with -o, or replace it with --force (its bytes stay in the cache)",
        )


def tracked_import(known: Tracked | None, path: bytes, entry: Entry, origin: Origin) -> Tracked:
    """The pointer of what came; the lines of the user's own in *known* are kept."""
    kind = Kind.DIRECTORY if entry.kind == DIRECTORY else Kind.FILE
    if known is None:
        known = Tracked(pointer_path_of(path), Pointer(split(path)[1], kind, entry.digest, 0))
    files = entry.files if kind is Kind.DIRECTORY else 1
    return known._replace(
        pointer=known.pointer._replace(
            kind=kind,
            digest=Digest(*entry.digest),
            size=entry.size,
            files=files,
            executable=entry.executable,
            source=origin,
        ),
        stated=None,
        lacking=0,
    )


def imported(item: Tracked, received: int, *, changed: bool, git_files: tuple[bytes, ...] = ()) -> Imported:
    """The result for one path."""
    pointer, source = item.pointer, item.pointer.source
    assert source is not None
    return Imported(
        item.path,
        item.pointer_path,
        pointer.kind.value,
        pointer.size,
        pointer.files,
        str(pointer.digest),
        source.repo or source.url,
        source.commit,
        received,
        changed,
        git_files,
    )


def output_in(project: Project, stated: bytes | None, name: bytes) -> bytes:
    """As `cp` does, into a directory that is there."""
    full = os.path.join(project.environment.cwd, stated if stated is not None else name)
    if stated is not None and os.path.isdir(full) and not os.path.lexists(full.rstrip(b"/") + b".dvt"):
        full = os.path.join(full, name)
    return relative_path(project, full)


def _is_same(known: Tracked, url: str, path: bytes) -> bool:
    source = known.pointer.source
    return source is not None and (source.repo, source.path) == (url, path)


def brought_from(source: Source, entry: Entry, old: Origin, rev: str) -> Origin:
    """Where a newer version came from."""
    return old._replace(digest=entry.digest, commit=source.commit, rev=rev)
