"""Which remotes, and the cache, hold tracked data."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats.lock import MAX_BYTES as LOCK_BYTES
from dvtool.formats.pack import TREE
from dvtool.formats.records import Root
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.pages import PageSource
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_paths
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Routes
from dvtool.project.transfers import wanted_of
from dvtool.remote.redact import redact
from dvtool.transfer.copies import Asked
from dvtool.transfer.copies import CopyProofs
from dvtool.transfer.journal import DoneMemo
from dvtool.transfer.journal import KnownRemotes
from dvtool.transfer.lastpush import LastPush
from dvtool.transfer.lastpush import last_push
from dvtool.transfer.rootrecords import root_name
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import LoadPages
from dvtool.transfer.walk import Walk
from dvtool.workspace.dropped import Dropped
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import tracked_in
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import select

if TYPE_CHECKING:
    from dvtool.git.history import Version
    from dvtool.git.run import GitRepo

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class WhereIsRequest:
    """``targets``: tracked paths or parts of them; at least one. ``remotes``: those to look at, or all.

    ``check``: ask them. Without it only this clone's own notes are read, and no remote is contacted.
    """

    targets: tuple[bytes, ...]
    remotes: tuple[str, ...] = ()
    check: bool = False
    jobs: int = 0


class Holding(NamedTuple):
    """What one place holds. ``name``: of the remote, empty for the cache.

    ``state``: "all", "part", "nothing"; "unknown" where nobody asked and no note says anything;
    "unasked" where it could not be asked, ``why`` says it. ``lacking``: objects, and some of their
    ``paths``. ``source``: "asked", or whose note it is: "pushed" or "dropped" here.
    """

    name: str
    url: str
    state: str
    lacking: int = 0
    paths: tuple[bytes, ...] = ()
    source: str = "asked"
    why: str = ""


class Recorded(NamedTuple):
    """The commit that brought the pointer: whose author had the data. ``time`` is ISO 8601."""

    commit: str
    author: str
    time: str


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """One path, with ``digest`` and ``size`` of the tracked path that it is or lies in. ``belongs_to``: the
    remote, None where there is no default one or none is to have it. ``pushed``, ``recorded``: looked up where no
    remote holds all.
    """

    path: bytes
    digest: str
    size: int
    belongs_to: str | None
    places: tuple[Holding, ...]
    pushed: LastPush | None = None
    recorded: Recorded | None = None


@dataclass(frozen=True, slots=True)
class WhereIsResult:
    paths: tuple[Whereabouts, ...]


def whereis(project: Project, request: WhereIsRequest, reporter: Reporter = SILENT) -> WhereIsResult:
    """Look each path up in the cache, then on the remotes. Changes nothing but the cached listings.

    A remote that cannot be asked is told of in the result. Raises `UsageError`, `ConfigError` for a
    remote that is not configured, `FormatError`.
    """
    if not request.targets:
        raise UsageError("which path?", hint="dvtool whereis PATH")
    names = request.remotes or Routes(project.config).reading_order()
    for name in names:
        project.config.remote(name)
    selected = select(open_tracked(project), relative_paths(project, request.targets))
    with Remotes(project) as remotes, PageSource(project, reporter=reporter) as pages:
        look = _Look(project, request, names, remotes, pages)
        return WhereIsResult(tuple(look.at(one) for one in selected))


class _Tally:
    """What one place lacks."""

    def __init__(self) -> None:
        self.objects = self.lacking = 0
        self._paths: dict[bytes, None] = {}

    def count(self, path: bytes, *, is_held: bool) -> None:
        self.objects += 1
        if not is_held:
            self.lacking += 1
            if len(self._paths) < _SHOWN:
                self._paths[path] = None

    def holding(self, name: str, url: str) -> Holding:
        state = "all" if not self.lacking else "nothing" if self.lacking == self.objects else "part"
        return Holding(name, url, state, self.lacking, tuple(self._paths))


class _Look:
    def __init__(
        self,
        project: Project,
        request: WhereIsRequest,
        names: Sequence[str],
        remotes: Remotes,
        pages: PageSource,
    ) -> None:
        self._project = project
        self._request = request
        self._names = names
        self._remotes = remotes
        self._pages = pages
        self._cache = open_cache(project)
        self._routes = Routes(project.config)

    def at(self, one: Selected) -> Whereabouts:
        wanted = wanted_of(self._routes, one.item, (one.below,) if one.below else ())
        here = self._here(wanted)
        places = [here.holding("", ""), *(self._on(name, one, wanted) for name in self._names)]
        pushed = recorded = None
        if not any(place.name and place.state == "all" for place in places):
            pushed = self._last_push(one, places) if self._request.check else None
            recorded = self._recorded(one)
        pointer = one.item.pointer
        owner = (wanted.remote or self._project.config.text("core.remote")) if one.item.pushed else None
        return Whereabouts(one.path, str(pointer.digest), pointer.size, owner, tuple(places), pushed, recorded)

    def _here(self, wanted: Wanted) -> _Tally:
        tally = _Tally()
        walk = Walk(self._load(self._cached))
        for need in walk.needs([wanted]):
            tally.count(need.path, is_held=need.kind == TREE or self._cache.has_blob(need.oid))
        for failed in walk.failed:
            tally.count(failed.path, is_held=False)
        return tally

    def _on(self, name: str, one: Selected, wanted: Wanted) -> Holding:
        url = redact(self._project.config.remote(name).url)
        try:
            url = self._remotes.get(name).url
            return self._asked(name, url, wanted) if self._request.check else self._noted(name, url, one)
        except DvtoolError as error:
            return Holding(name, url, "unasked", why=error.message)

    def _noted(self, name: str, url: str, one: Selected) -> Holding:
        """What this clone's own notes say of a remote; they may be out of date."""
        state_dir, item = self._project.layout.state_dir, one.item
        journal = os.path.join(state_dir, b"push")
        store_id = KnownRemotes(journal).store_id(url)
        root = root_name(Root(item.is_directory, item.pointer.digest.oid))
        if store_id is not None and DoneMemo(journal, store_id).covering(frozenset((root,))) is not None:
            return Holding(name, url, "all", source="pushed")
        rows = Dropped(state_dir).read()
        if any(name in row.remotes and row.oid == item.pointer.digest.oid and row.path == one.path for row in rows):
            return Holding(name, url, "all", source="dropped")
        return Holding(name, url, "unknown", source="")

    def _asked(self, name: str, url: str, wanted: Wanted) -> Holding:
        tally = _Tally()
        walk = Walk(self._load(self._pages.get))
        paths: deque[bytes] = deque()

        def asked() -> Iterator[Asked]:
            for need in walk.needs([wanted]):
                paths.append(need.path)
                yield Asked(need.oid, need.kind, need.size)

        with CopyProofs(self._cache, [self._remotes.get(name)], jobs=self._request.jobs) as proofs:
            for _, holding in proofs.each(asked()):
                tally.count(paths.popleft(), is_held=name in holding)
        if proofs.unreachable:
            raise proofs.unreachable[0]
        for failed in walk.failed:
            tally.count(failed.path, is_held=False)
        return tally.holding(name, url)

    def _last_push(self, one: Selected, places: Sequence[Holding]) -> LastPush | None:
        root = Root(one.item.is_directory, one.item.pointer.digest.oid)
        found = []
        for place in places:
            if place.name and place.state != "unasked":
                with suppress(DvtoolError):
                    found.append(last_push(self._remotes.get(place.name), self._project.repo_id, {root}))
        known = [each for each in found if each is not None]
        return max(known, key=lambda each: each.when or 0.0, default=None)

    def _recorded(self, one: Selected) -> Recorded | None:
        git = self._project.git
        if git is None:
            return None
        from dvtool.git.history import log_path
        from dvtool.git.revisions import head

        if head(git) is None:
            return None
        versions = log_path(git, self._project.layout.to_git(one.item.pointer_path), follow=False)
        last = _bringing(git, versions, one.item) if one.item.stage else versions[0] if versions else None
        return None if last is None else Recorded(last.commit, f"{last.author} <{last.email}>", last.time)

    def _cached(self, oid: ObjectId) -> bytes:
        return self._cache.read_meta(oid, TREE)

    @staticmethod
    def _load(get: Callable[[ObjectId], bytes]) -> LoadPages:
        def load(oids: Sequence[ObjectId]) -> Mapping[ObjectId, bytes | DvtoolError]:
            pages: dict[ObjectId, bytes | DvtoolError] = {}
            for oid in oids:
                try:
                    pages[oid] = get(oid)
                except (MissingData, IntegrityError, FormatError) as error:
                    pages[oid] = error
            return pages

        return load


def _bringing(git: GitRepo, versions: Sequence[Version], item: Tracked) -> Version | None:
    """Of the versions of a lock, newest first, the oldest of those in a row that name *item* as it is."""
    from dvtool.git.blobs import read_blobs

    there = list(takewhile(lambda version: version.blob is not None, versions))
    found = None
    texts = read_blobs(git, (version.blob for version in there if version.blob is not None), limit=LOCK_BYTES)
    for version, (_, data) in zip(there, texts):
        try:
            outputs = tracked_in(item.pointer_path, data, show(item.pointer_path))
        except (FormatError, UnsafeInput):
            return found
        if not any(each.path == item.path and each.pointer.digest == item.pointer.digest for each in outputs):
            return found
        found = version
    return found
