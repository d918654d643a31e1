"""Files of servers: tracked here with the URL and the entity tag that they came by, or only downloaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dvtool.api.get import GetResult
from dvtool.api.importing import Imported
from dvtool.api.importing import imported
from dvtool.api.importing import output_in
from dvtool.api.importing import refuse_taken
from dvtool.api.importing import tracked_import
from dvtool.api.placing import Placing
from dvtool.api.placing import check_free
from dvtool.api.placing import place
from dvtool.errors import DvtoolError
from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.model.pointer import Source as Origin
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.project.environment import Environment
from dvtool.project.fromurl import REMOTE
from dvtool.project.fromurl import Looking
from dvtool.project.fromurl import UrlFile
from dvtool.project.fromurl import check_committable
from dvtool.project.fromurl import open_url
from dvtool.project.imported import allow_source
from dvtool.project.open import Project
from dvtool.project.oplog import require_own
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_seen
from dvtool.project.place import Place
from dvtool.project.place import host_of
from dvtool.project.scratch import output_path
from dvtool.project.scratch import put
from dvtool.project.scratch import scratch_cache
from dvtool.project.urldirectory import UrlDirectory
from dvtool.remote.redact import redact
from dvtool.state.aliases import Aliases
from dvtool.workspace.pointers import Tracked

if TYPE_CHECKING:
    from dvtool.api.updating import UpdateRequest


@dataclass(frozen=True, slots=True)
class ImportUrlRequest:
    """``url``: a file or directory, on a server or on this disk; ``remote://NAME/path`` lies below a configured
    remote. ``output``: where it goes; None is here, by its name. ``jobs``: requests at once; 0 is what the remote's
    settings say. ``now``: Unix seconds by the caller's clock."""

    url: str
    output: bytes | None = None
    force: bool = False
    now: float = 0.0
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class GetUrlRequest:
    """The same, for what is only downloaded."""

    url: str
    output: bytes | None = None
    force: bool = False
    jobs: int = 0


def import_url(project: Project, request: ImportUrlRequest, reporter: Reporter = SILENT) -> Imported:
    """Download a file or directory and track it; `push` sends it, as its URL may give something else one day.

    Nothing is written where it cannot be had. Raises as `open_url`.
    """
    require_own(project.layout, "import-url")
    check_committable(request.url)
    looking = Looking(request.jobs, request.now)
    with open_url(request.url, project.environment, project, reporter, looking) as found:
        url = _recorded(project, found)
        path = output_in(project, request.output, _name(found.name, request.url))
        known = check_free(project, path, is_dir=False)
        is_same = known is not None and known.pointer.source is not None and known.pointer.source.url == url
        if not is_same:
            refuse_taken(project, path, known, force=request.force)
        cache = open_cache(project)
        with open_seen(project) as seen:
            entry, received = found.bring(cache, seen, request.jobs, reporter)
        item = tracked_import(known, path, entry, Origin(entry.digest, url=url, etag=found.etag))
        recorded = place(project, cache, item, Placing("import-url", request.now, request.force), reporter)
    if not url.startswith(REMOTE):
        full = os.path.normpath(os.path.join(project.root, os.fsencode(url)))
        directory = full if "://" not in url else b""
        allow_source(project, Place(url, directory, host_of(url) if "://" in url else ""))
    changed = known is None or known.pointer.digest != entry.digest
    return imported(item, received, changed=changed, git_files=recorded.git_files)


def update_url(project: Project, request: UpdateRequest, item: Tracked, origin: Origin, reporter: Reporter) -> Imported:
    """Look at the entity tag again; nothing else is sent while it is the same."""
    if request.rev is not None and request.targets:
        raise UsageError(f"{show(item.path)} comes from a URL, which has no revisions", path=item.path)
    where = show(item.pointer_path)
    looking = Looking(request.jobs, request.now, where)
    with open_url(origin.url, project.environment, project, reporter, looking) as found:
        if found.etag == origin.etag:
            return imported(item, 0, changed=False)
        if request.dry_run:
            return imported(item, 0, changed=True)
        if not request.force and origin.digest not in (item.pointer.digest, item.stated):
            raise DvtoolError(
                f"{show(item.path)} was changed here since it was imported, so it was not updated",
                path=item.path,
                hint=f"take theirs with `dvtool update --force {show(item.path)}`",
            )
        cache = open_cache(project)
        with open_seen(project) as seen:
            entry, received = found.bring(cache, seen, request.jobs, reporter)
        new = tracked_import(item, item.path, entry, Origin(entry.digest, url=origin.url, etag=found.etag))
        recorded = place(project, cache, new, Placing("update", request.now, request.force), reporter)
        changed = entry.digest != origin.digest
        return imported(new, received, changed=changed, git_files=recorded.git_files)


def get_url(
    environment: Environment, project: Project | None, request: GetUrlRequest, reporter: Reporter = SILENT
) -> GetResult:
    """Download a file or directory. *project*: whose remotes ``remote://`` means, if there is one here."""
    with open_url(request.url, environment, project, reporter, Looking(request.jobs)) as found:
        target = output_path(request.output, _name(found.name, request.url), environment, force=request.force)
        with scratch_cache(os.path.dirname(target), environment) as cache:
            with Aliases(None) as seen:
                entry, _ = found.bring(cache, seen, request.jobs, reporter)
            put(cache, entry, target, reporter)
        kind = "directory" if entry.kind == DIRECTORY else "file"
        return GetResult(target, kind, entry.size, entry.files, "", str(entry.digest))


def _name(name: bytes, url: str) -> bytes:
    if not name:
        raise UsageError(f"{redact(url)} has no name", hint="say where it goes: dvtool import-url URL NAME")
    return name


def _recorded(project: Project, found: UrlFile | UrlDirectory) -> str:
    """A path on this disk from the project's root; a URL as it is."""
    if "://" in found.url or os.path.isabs(found.url):
        return found.url
    path = os.path.relpath(os.path.join(project.environment.cwd, os.fsencode(found.url)), project.root)
    return os.fsdecode(path) + ("/" if found.url.endswith("/") else "")
