"""The run cache of a project: entries here, copies of those on remotes, and what pushes and fetches do about it.

With the data go the runs that made it. Nothing relies on them, so what fails about them is told and fails no command.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.formats.runentry import KEY_DIGITS
from dvtool.formats.runentry import decode_entry
from dvtool.formats.runentry import encode_entry
from dvtool.formats.runentry import entry_text
from dvtool.model.digest import ObjectId
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import join
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.model.tree import TreeRef
from dvtool.pipeline.lockfile import LockReader
from dvtool.project.open import Project
from dvtool.project.routes import Routes
from dvtool.store.cache import Cache
from dvtool.store.gaps import Gap
from dvtool.store.gaps import directory_gap
from dvtool.store.gaps import file_gap
from dvtool.store.runfiles import RunFiles
from dvtool.transfer.runcopies import RunCopies
from dvtool.transfer.runsync import fetch_runs
from dvtool.transfer.runsync import push_runs
from dvtool.transfer.types import Wanted
from dvtool.workspace.pointers import find_pointers

if TYPE_CHECKING:
    from dvtool.pipeline.runcache import RunCache

_AS_ALL = Storing()
_NO_KEY = "0" * KEY_DIGITS


def open_run_cache(project: Project, cache: Cache, reporter: Reporter = SILENT) -> RunCache:
    """What earlier runs made: here, and on the project's own remotes as far as was fetched."""
    from dvtool.pipeline.runcache import RunCache

    return RunCache(cache, reporter, (_copies(project, name) for name in project.config.remotes()))


def receive_runs(project: Project, remotes: Iterable[Remote], reporter: Reporter) -> int:
    """Bring entries of *remotes* here; how many files came."""
    came = 0
    for remote in remotes:
        try:
            came += fetch_runs(remote, _copies(project, remote.name), reporter)
        except DvtoolError as error:
            reporter.note(f"the run cache of {remote.name} was not fetched: {error.message}")
    return came


def outputs_of_runs(project: Project, names: Iterable[str], routes: Routes) -> list[Wanted]:
    """All that runs on these remotes made, each content once."""
    found: dict[tuple[bytes, str], Wanted] = {}
    for name in names:
        for bundle in _copies(project, name).bundles().values():
            for line in bundle.lines():
                for path, content in _decoded(line).outs.items():
                    one = _wanted(path, content, routes, "")
                    found.setdefault((one.oid, one.remote), one)
    return list(found.values())


class _Run(NamedTuple):
    """A run whose entry may be sent: by path what it made, and how that is kept."""

    outs: Mapping[bytes, Content]
    storing: Mapping[bytes, Storing]


class RunsToSend:
    """What a push sends of the run cache: the runs that made what it sends; *everything*: all whose outputs are here.

    Costs a look at a directory where nothing was ever run.
    """

    def __init__(self, project: Project, cache: Cache, *, everything: bool = False) -> None:
        self._project = project
        self._cache = cache
        self._files = RunFiles(cache)
        self._everything = everything
        self._runs = self._found() if self._files.paths() else {}

    def wanted(self, routes: Routes, tracked: Iterable[Wanted]) -> list[Wanted]:
        """What has to be sent beyond *tracked*, so that these runs can be restored elsewhere.

        Of runs that made what is tracked that is small outputs that stay out of the cache, such as metrics.
        """
        known = {one.oid for one in tracked if not one.below}
        found: dict[tuple[bytes, str], Wanted] = {}
        for run in self._runs.values():
            if not self._everything and any(
                content.digest.oid not in known and run.storing.get(path, _AS_ALL).cache
                for path, content in run.outs.items()
            ):
                continue
            more = [(path, content) for path, content in run.outs.items() if content.digest.oid not in known]
            if all(_is_here(self._cache, content) for _, content in more):
                for path, content in more:
                    one = _wanted(path, content, routes, run.storing.get(path, _AS_ALL).remote)
                    found.setdefault((one.oid, one.remote), one)
        return list(found.values())

    def send(self, remote: Remote, there: Iterable[Wanted], sent: Iterable[Wanted], reporter: Reporter) -> None:
        """*remote* has what is *there*; *sent* is all that this push sends anywhere."""
        if not self._runs:
            return
        here = {one.oid for one in there if not one.below}
        anywhere = {one.oid for one in sent if not one.below}
        copies = _copies(self._project, remote.name)
        try:
            lines = []
            for line in self._files.lines():
                run = self._runs.get(entry_text(line.data))
                oids = {content.digest.oid for content in run.outs.values()} if run is not None else set()
                if oids & here and oids <= anywhere and not copies.has(_key(line.data)):
                    lines.append(line.data)
            push_runs(remote, copies, lines, reporter)
        except DvtoolError as error:
            reporter.note(f"the run cache was not sent to {remote.name}: {error.message}")

    def _found(self) -> dict[bytes, _Run]:
        """Runs by the text of their entries."""
        runs: dict[bytes, _Run] = {}
        kept_here: set[bytes] = set()
        for stage in _locked(self._project):
            runs[entry_text(encode_entry(_NO_KEY, stage))] = _Run(stage.outs, stage.storing)
            kept_here.update(path for path, how in stage.storing.items() if not how.push)
        if self._everything:
            for line in self._files.lines():
                stage = _decoded(line.data)
                if stage.outs:
                    runs.setdefault(entry_text(line.data), _Run(stage.outs, {}))
        return {text: run for text, run in runs.items() if kept_here.isdisjoint(run.outs)}


def _locked(project: Project) -> Iterator[LockedStage]:
    """The stages of all locks in the worktree. Raises `FormatError`, `UnsafeInput`."""
    reader = LockReader(project.root, project.layout.state_dir)
    subdir = project.layout.prefix.rstrip(b"/")
    for path in find_pointers(project.root, project.git, subdir, locks=True):
        directory, name = split(path)
        if name == LOCK_NAME:
            yield from reader.read(join(directory, DEFINITION_NAME)).values()


def _wanted(path: bytes, content: Content, routes: Routes, stated: str) -> Wanted:
    is_directory = content.kind is Kind.DIRECTORY
    owner = routes.owner_of(path, stated, is_directory=is_directory)
    return Wanted(is_directory, content.digest.oid, content.size, content.files, path, (), owner)


def _is_here(cache: Cache, content: Content) -> bool:
    oid = ObjectId(content.digest.raw)
    if content.kind is Kind.DIRECTORY:
        return directory_gap(cache, TreeRef(oid, content.size, content.files)) == Gap()
    return file_gap(cache, oid, content.size) == Gap()


def _decoded(line: bytes) -> LockedStage:
    """Without outputs where it is damaged: who looks the entry up is told."""
    try:
        return decode_entry(line, "the run cache")[1]
    except DvtoolError:
        return LockedStage()


def _key(line: bytes) -> str:
    return line[:KEY_DIGITS].decode("ascii", "replace")


def _copies(project: Project, name: str) -> RunCopies:
    return RunCopies(os.path.join(project.layout.state_dir, b"runcache", os.fsencode(name)))
