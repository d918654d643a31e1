"""The versions of one tracked path, or of a path inside a tracked directory."""

from __future__ import annotations

from collections.abc import Generator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats.pointer import decode_pointer
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
from dvtool.store.treecompare import UNREADABLE
from dvtool.store.trees import GetPage
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import pointer_path_of
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
    """The commits that changed a path, through renames of its pointer.

    Pointers suffice; for a path inside a directory, the listings on the way to it are read, and
    fetched when absent. `raise_for` turns what could not be read into the error to end with.
    Raises `UsageError` for a path that was never tracked, `MissingData`, `FormatError`.
    """
    from dvtool.git.history import log_path
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
    pointer_path, below = _pointer_of(project, path, start)
    history = log_path(git, project.layout.to_git(pointer_path), rev=start)
    if not history:
        raise UsageError(
            f"{show(path)} has no versions at {request.rev}",
            path=path,
            hint="a version is a commit of its pointer; `dvtool list -R --tracked` shows what is tracked",
        )
    unread: list[Unread] = []
    versions: list[Version] = []
    with Listings(project, reporter) as listings:
        for version in _versions(_all_states(project, git, history, below, listings.get, unread)):
            if request.limit is not None and len(versions) == request.limit:
                break
            versions.append(version)
    shorts = abbreviated(git, (version.commit for version in versions))
    return LogResult(tuple(version._replace(short=shorts[version.commit]) for version in versions), tuple(unread))


def raise_for(result: LogResult) -> None:
    """Raise the error that a log ends with, if a version could not be looked into."""
    if result.unread:
        raise unread_error(result.unread, "could not be looked into at every version")


def _pointer_of(project: Project, path: bytes, start: str) -> tuple[bytes, bytes]:
    """The pointer of the path or of a directory around it, and the rest of the path below that."""
    for tracked in (tracked_at(project, start), open_tracked(project)):
        named = tracked.by_pointer().get(path)
        if named is not None:
            return named.pointer_path, b""
        owner = tracked.owner(path)
        if owner is not None:
            return owner.pointer_path, path[len(owner.path) + 1 :]
    return _once_tracked(project, path, start)


def _once_tracked(project: Project, path: bytes, start: str) -> tuple[bytes, bytes]:
    from dvtool.git.history import log_path

    assert project.git is not None
    outer = path
    while outer:
        pointer_path = pointer_path_of(outer)
        if log_path(project.git, project.layout.to_git(pointer_path), rev=start, follow=False):
            return pointer_path, path[len(outer) + 1 :]
        outer = split(outer)[0]
    raise UsageError(
        f"{show(path) or 'this directory'} was never tracked",
        path=path,
        hint="`dvtool list -R --tracked` shows what is tracked",
    )


def _all_states(
    project: Project, git: GitRepo, history: list[GitVersion], below: bytes, get: GetPage, unread: list[Unread]
) -> Iterator[_State]:
    """Through the histories of all pointers that the path belonged to, one after the other."""
    from dvtool.git.history import log_path

    while history:
        oldest = yield from _states(project, git, history, below, get, unread)
        found = None if oldest is None else _pointer_before(project, git, oldest, below)
        if found is None:
            return
        start, pointer_path, below = found
        history = log_path(git, project.layout.to_git(pointer_path), rev=start)


def _pointer_before(
    project: Project, git: GitRepo, oldest: GitVersion, below: bytes
) -> tuple[str, bytes, bytes] | None:
    """The commit before *oldest*, the other pointer that the path belonged to there, and the rest of the path."""
    from dvtool.git.revisions import parents

    above = parents(git, [oldest.commit])[oldest.commit]
    if not above or oldest.blob is None or not oldest.path.startswith(project.layout.prefix):
        return None
    pointer_path = project.layout.from_git(oldest.path)
    path = join(pointer_path.removesuffix(b".dvt"), below) if below else pointer_path.removesuffix(b".dvt")
    owner = tracked_at(project, above[0]).owner(path)
    if owner is None or owner.pointer_path == pointer_path:
        return None
    return above[0], owner.pointer_path, path[len(owner.path) + 1 :]


def _states(
    project: Project, git: GitRepo, history: list[GitVersion], below: bytes, get: GetPage, unread: list[Unread]
) -> Generator[_State, None, GitVersion | None]:
    """What each version left at the path; returns the oldest that was looked at."""
    from dvtool.git.blobs import read_blobs

    oldest: GitVersion | None = None
    contents = dict(read_blobs(git, {version.blob for version in history if version.blob is not None}))
    prefix = project.layout.prefix
    for version in history:
        if not version.path.startswith(prefix):
            return None
        pointer_path = version.path[len(prefix) :]
        if version.blob is None:
            yield _State(version, join(pointer_path.removesuffix(b".dvt"), below), None)
            continue
        where = f"{show(pointer_path)} at {version.commit[:10]}"
        try:
            item = Tracked(pointer_path, decode_pointer(contents[version.blob], where))
            if below and not item.is_directory:
                break  # to git it looks like a rename of a file's pointer into the directory's
            oldest = version
            yield _State(version, join(item.path, below) if below else item.path, wanted_entry(item, below, get))
        except (FormatError, UnsafeInput, *UNREADABLE) as error:
            unread.append(Unread(pointer_path, error))
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
