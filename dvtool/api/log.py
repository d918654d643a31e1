"""The versions of one tracked path, or of a path inside a tracked directory."""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats.lock import MAX_BYTES as LOCK_BYTES
from dvtool.formats.pointer import MAX_BYTES
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import is_below
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import Entry
from dvtool.project.history import tracked_at
from dvtool.project.listings import Listings
from dvtool.project.listings import Unread
from dvtool.project.listings import unread_error
from dvtool.project.open import Project
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_path
from dvtool.project.parts import settled_items
from dvtool.store.treecompare import UNREADABLE
from dvtool.store.trees import GetPage
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.pointers import pointer_path_of
from dvtool.workspace.pointers import tracked_in
from dvtool.workspace.selection import wanted_entry

if TYPE_CHECKING:
    from dvtool.git.history import Version as GitVersion
    from dvtool.git.run import GitRepo


@dataclass(frozen=True, slots=True)
class LogRequest:
    """``path``: tracked now, or once. ``rev``: where to start, ``limit``: how many versions, None for all."""

    path: bytes
    rev: str = "HEAD"
    limit: int | None = None


class Version(NamedTuple):
    """One commit that changed the path. ``change`` is "added", "deleted", "modified" or "renamed".

    ``path`` is its name after the commit. ``entry``: what stands there, None where it was
    deleted. ``before``: what stood there in the version before, None for nothing.
    """

    commit: str
    short: str
    author: str
    email: str
    time: str
    subject: str
    change: str
    path: bytes
    entry: Entry | None
    before: Entry | None


@dataclass(frozen=True, slots=True)
class LogResult:
    """``versions``, newest first. ``unread``: versions of a directory that could not be looked into."""

    versions: tuple[Version, ...]
    unread: tuple[Unread, ...] = ()


class _State(NamedTuple):
    """What one commit left at the path."""

    at: GitVersion
    path: bytes
    entry: Entry | None


def log(project: Project, request: LogRequest, reporter: Reporter = SILENT) -> LogResult:
    """The commits that changed a path, through renames of its pointer; of an output of a stage, by its lock.

    Pointers suffice; for a path inside a directory, the listings on the way to it are read, and
    fetched when absent. `raise_for` turns what could not be read into the error to end with.
    Raises `UsageError` for a path that was never tracked, `MissingData`, `FormatError`.
    """
    from dvtool.git.revisions import head
    from dvtool.git.revisions import resolve
    from dvtool.git.tips import abbreviated

    git = project.git
    if git is None:
        raise UsageError("this project works without Git, so there is no history")
    path = relative_path(project, request.path)
    if request.rev == "HEAD" and head(git) is None:
        raise UsageError("there is no commit yet", hint="git commit")
    start = resolve(git, request.rev)
    source = _source_of(project, path, start)
    history = source.history(project, git, start)
    if not history:
        raise UsageError(
            f"{show(path)} has no versions at {request.rev}",
            path=path,
            hint=f"a version is a commit of {source.what}; `dvtool list -R --tracked` shows what is tracked",
        )
    unread: list[Unread] = []
    versions: list[Version] = []
    with Listings(project, reporter) as listings:
        for version in _versions(_all_states(project, git, source, history, listings.get, unread)):
            if request.limit is not None and len(versions) == request.limit:
                break
            versions.append(version)
    shorts = abbreviated(git, (version.commit for version in versions))
    return LogResult(tuple(version._replace(short=shorts[version.commit]) for version in versions), tuple(unread))


def raise_for(result: LogResult) -> None:
    """Raise the error that a log ends with, if a version could not be looked into."""
    if result.unread:
        raise unread_error(result.unread, "could not be looked into at every version")


class _Source(NamedTuple):
    """The pointer that stands for a path, or the lock with its output; and the rest of the path below that."""

    file: bytes
    below: bytes
    output: bytes = b""

    @property
    def what(self) -> str:
        return show(self.file) if self.output else "its pointer"

    def history(self, project: Project, git: GitRepo, start: str) -> list[GitVersion]:
        from dvtool.git.history import log_path

        # A lock names its outputs by their own paths, so what Git takes for a rename of it is none of theirs.
        return log_path(git, project.layout.to_git(self.file), rev=start, follow=not self.output)

    def item(self, file: bytes, data: bytes, where: str) -> Tracked | None:
        """What a version says of the path; None where a lock says nothing of it."""
        found = tracked_in(file, data, where)
        return next((item for item in found if item.path == self.output), None) if self.output else found[0]

    def path(self, file: bytes) -> bytes:
        top = self.output or file.removesuffix(POINTER_SUFFIX)
        return join(top, self.below) if self.below else top


def _source_in(tracked: TrackedPaths, path: bytes) -> _Source | None:
    item = tracked.by_pointer().get(path)
    if item is not None:
        return _Source(item.pointer_path, b"")
    item = tracked.owner(path)
    return None if item is None else _Source(item.pointer_path, path[len(item.path) + 1 :], item.output)


def _source_of(project: Project, path: bytes, start: str) -> _Source:
    for tracked in (tracked_at(project, start), open_tracked(project)):
        found = _source_in(tracked, path)
        if found is not None:
            return found
    return _once_tracked(project, path, start)


def _once_tracked(project: Project, path: bytes, start: str) -> _Source:
    from dvtool.git.history import log_path

    assert project.git is not None
    outer = path
    while outer:
        pointer_path = pointer_path_of(outer)
        if log_path(project.git, project.layout.to_git(pointer_path), rev=start, follow=False):
            return _Source(pointer_path, path[len(outer) + 1 :])
        outer = split(outer)[0]
    for item in _once_made(project, project.git, start):
        if is_below(path, item.path):
            return _Source(item.pointer_path, path[len(item.path) + 1 :], item.path)
    raise UsageError(
        f"{show(path) or 'this directory'} was never tracked",
        path=path,
        hint="`dvtool list -R --tracked` shows what is tracked",
    )


def _once_made(project: Project, git: GitRepo, start: str) -> Iterator[Tracked]:
    """Every output that a lock in the history of *start* names. A lock that cannot be read names none."""
    from dvtool.git.blobs import read_blobs
    from dvtool.git.history import all_pointer_blobs

    layout = project.layout
    ever = all_pointer_blobs(git, [start], subdir=layout.prefix.rstrip(b"/"), locks=True)
    locks = {version.blob: layout.from_git(version.path) for version in ever if split(version.path)[1] == LOCK_NAME}
    for blob, data in read_blobs(git, locks, limit=LOCK_BYTES):
        with suppress(FormatError, UnsafeInput):
            yield from tracked_in(locks[blob], data, show(locks[blob]))


def _all_states(
    project: Project,
    git: GitRepo,
    source: _Source | None,
    history: list[GitVersion],
    get: GetPage,
    unread: list[Unread],
) -> Iterator[_State]:
    """Through the histories of all files that spoke for the path, one after the other."""
    while source is not None and history:
        oldest = yield from _states(project, git, source, history, get, unread)
        start, source = _source_before(project, git, source, oldest)
        history = [] if source is None else source.history(project, git, start)


def _source_before(
    project: Project, git: GitRepo, source: _Source, oldest: GitVersion | None
) -> tuple[str, _Source | None]:
    """The commit before *oldest*, and the other file that spoke for the path there."""
    from dvtool.git.revisions import parents

    if oldest is None or oldest.blob is None or not oldest.path.startswith(project.layout.prefix):
        return "", None
    above = parents(git, [oldest.commit])[oldest.commit]
    if not above:
        return "", None
    file = project.layout.from_git(oldest.path)
    found = _source_in(tracked_at(project, above[0]), source.path(file))
    return above[0], None if found is None or found.file == file else found


def _states(
    project: Project,
    git: GitRepo,
    source: _Source,
    history: list[GitVersion],
    get: GetPage,
    unread: list[Unread],
) -> Generator[_State, None, GitVersion | None]:
    """What each version left at the path; returns the oldest that had it."""
    from dvtool.git.blobs import read_blobs

    oldest: GitVersion | None = None
    blobs = {version.blob for version in history if version.blob is not None}
    contents = dict(read_blobs(git, blobs, limit=LOCK_BYTES if source.output else MAX_BYTES))
    prefix, below = project.layout.prefix, source.below
    for version in history:
        if not version.path.startswith(prefix):
            return None
        file = version.path[len(prefix) :]
        if version.blob is None:
            yield _State(version, source.path(file), None)
            continue
        try:
            item = source.item(file, contents[version.blob], f"{show(file)} at {version.commit[:10]}")
            if item is not None:
                (item,) = settled_items(project, [item])
            if item is None:
                yield _State(version, source.path(file), None)
                continue
            if below and not item.is_directory and not source.output:
                break  # to git it looks like a rename of a file's pointer into the directory's
            oldest = version
            yield _State(version, join(item.path, below) if below else item.path, wanted_entry(item, below, get))
        except (FormatError, UnsafeInput, *UNREADABLE) as error:
            unread.append(Unread(file, error))
    return oldest


def _versions(states: Iterator[_State]) -> Iterator[Version]:
    """The states in which something changed from the one before; *states* come newest first."""
    older = next(states, None)
    while older is not None:
        state, older = older, next(states, None)
        before = None if older is None else older.entry
        is_moved = older is not None and older.path != state.path and before is not None
        if state.entry == before and not is_moved:
            continue
        change = "deleted" if state.entry is None else "added" if before is None else "modified"
        if is_moved and change == "modified" and before is not None and state.entry is not None:
            change = "renamed" if before.same_content(state.entry) else "modified"
        commit, author, email, time, subject, _, _ = state.at
        yield Version(commit, commit[:7], author, email, time, subject, change, state.path, state.entry, before)
