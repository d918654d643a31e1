"""What there is, from pointers and listings alone: no data is needed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import UsageError
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import BLAKE3_CODE
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.project.history import tracked_at
from dvtool.project.listings import Listings
from dvtool.project.listings import Unread
from dvtool.project.listings import unread_error
from dvtool.project.open import Project
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_path
from dvtool.store.treecompare import UNREADABLE
from dvtool.store.trees import check_depth
from dvtool.store.trees import entries
from dvtool.store.trees import lookup
from dvtool.store.trees import require_few_files
from dvtool.store.trees import subtree
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths

if TYPE_CHECKING:
    from dvtool.project.source import Source


@dataclass(frozen=True, slots=True)
class ListRequest:
    """``path`` is relative to the current directory; ``rev`` None is the worktree.

    ``levels``: how deep to go, None for all. ``files_only``: directories that hold something are
    left out. ``only_tracked``: what Git tracks by itself is left out. ``sizes``: also of those.
    ``digests``: give them too.
    """

    path: bytes = b"."
    rev: str | None = None
    levels: int | None = 1
    files_only: bool = False
    only_tracked: bool = False
    sizes: bool = False
    digests: bool = False


class Listed(NamedTuple):
    """One path. ``depth`` is 1 right below the path asked for. ``kind``: "file", "directory" or "link".

    ``is_tracked``: by dvtool, at this path, around it or (a directory) somewhere in it. ``digest``
    and ``size`` are None where they are not known or not asked for.
    """

    path: bytes
    depth: int
    kind: str
    is_tracked: bool
    size: int | None = None
    files: int = 1
    digest: str | None = None
    executable: bool = False
    target: bytes = b""


@dataclass(frozen=True, slots=True)
class ListResult:
    """``entries`` are read while they are taken, once; then ``unread`` is complete.

    ``base``: the directory that was listed, or that holds the file that was.
    """

    base: bytes
    entries: Iterator[Listed]
    unread: list[Unread]


class _Plain(NamedTuple):
    """A file that Git tracks."""

    kind: str
    executable: bool
    size: int | None


_Item = tuple[bytes, "Tracked | _Plain"]


def list_paths(project: Project, request: ListRequest, reporter: Reporter = SILENT) -> ListResult:
    """List a directory or a file. Listings that are not in the cache are fetched.

    A directory that cannot be read is named in ``unread``; `raise_for` turns that into the
    error to end with. Raises `UsageError` for a path that is not there, `FormatError`, `UnsafeInput`.
    """
    path = relative_path(project, request.path)
    commit = None if request.rev is None else _commit(project, request.rev)
    tracked = open_tracked(project) if commit is None else tracked_at(project, commit)
    if path or request.levels != 1:
        tracked = _with_listings(project, tracked, path, reporter)
    return _listed(project, request, commit, tracked, path, reporter)


def list_source(source: Source, request: ListRequest, reporter: Reporter = SILENT) -> ListResult:
    """The same of another repository: ``path`` is relative to its top. Sizes of files that Git has are not known."""
    from dvtool.project.source import source_path

    path = source.inside(source_path(request.path))
    tracked = _with_listings(source.project, source.tracked, path, reporter)
    if not source.is_local:
        # Git would fetch each file to tell how long it is.
        request = replace(request, sizes=False)
    return _listed(source.project, request, source.commit, tracked, path, reporter)


def _with_listings(project: Project, tracked: TrackedPaths, path: bytes, reporter: Reporter) -> TrackedPaths:
    """What another tool tracks there has listings of ours only once its own were read."""
    owner = tracked.owner(path)
    items = [owner] if owner is not None else tracked.below(path)
    if all(item.stated is None for item in items):
        return tracked
    from dvtool.api.bringparts import with_listings

    return with_listings(project, tracked, items, reporter)


def _listed(
    project: Project, request: ListRequest, commit: str | None, tracked: TrackedPaths, path: bytes, reporter: Reporter
) -> ListResult:
    walk = _Walk(project, request, reporter)
    owner = tracked.owner(path)
    if owner is not None:
        return ListResult(*walk.inside(owner, path), walk.unread)
    items = _items(project, request, commit, tracked, path)
    if not items and path:
        raise _not_found(request, path)
    base = split(path)[0] if any(item == path for item, _ in items) else path
    return ListResult(base, walk.outside(items, base), walk.unread)


def raise_for(result: ListResult) -> None:
    """Raise the error that a listing ends with, if something could not be read."""
    if result.unread:
        raise unread_error(result.unread, "could not be listed")


def _commit(project: Project, rev: str) -> str:
    from dvtool.git.revisions import resolve

    if project.git is None:
        raise UsageError("this project works without Git, so there are no other revisions")
    return resolve(project.git, rev)


def _not_found(request: ListRequest, path: bytes) -> UsageError:
    where = "here" if request.rev is None else f"at {request.rev}"
    kind = "dvtool" if request.only_tracked else "Git or dvtool"
    return UsageError(f"{show(path)}: {kind} tracks no such path {where}", path=path, hint="dvtool list -R")


class _Walk:
    """Reads what is listed while it is taken."""

    def __init__(self, project: Project, request: ListRequest, reporter: Reporter) -> None:
        self._request = request
        self._listings = Listings(project, reporter)
        self.unread: list[Unread] = []

    def inside(self, owner: Tracked, path: bytes) -> tuple[bytes, Iterator[Listed]]:
        """Base and entries of a tracked path, or of one inside it."""
        below = path[len(owner.path) + 1 :]
        entry: Entry | None = owner.as_entry
        if below:
            entry = None
            if owner.is_directory:
                try:
                    with self._listings as listings:
                        entry = lookup(listings.get, owner.tree, below)
                except UNREADABLE as error:
                    self.unread.append(Unread(path, error))
                    return split(path)[0], iter(())
        if entry is None:
            raise _not_found(self._request, path)
        if entry.kind != DIRECTORY:
            return split(path)[0], iter((self._listed(path, entry, 1),))
        return path, self._opened(self._tree(entry, path, 1))

    def outside(self, items: list[_Item], base: bytes) -> Iterator[Listed]:
        """Entries below a directory that is not tracked as a whole."""
        return self._opened(self._directory(items, base, 1))

    def _opened(self, found: Iterator[Listed]) -> Iterator[Listed]:
        with self._listings:
            yield from found

    def _goes_deeper(self, depth: int) -> bool:
        return self._request.levels is None or depth < self._request.levels

    def _directory(self, items: list[_Item], base: bytes, depth: int) -> Iterator[Listed]:
        skip = len(base) + 1 if base else 0
        at = 0
        while at < len(items):
            name = items[at][0][skip:].partition(b"/")[0]
            path = join(base, name)
            end = at + 1
            while end < len(items) and items[end][0].startswith(path + b"/"):
                end += 1
            group = items[at:end]
            at = end
            if group[0][0] != path:
                if not (self._request.files_only and self._goes_deeper(depth)):
                    yield _of_group(path, group, depth)
                if self._goes_deeper(depth):
                    yield from self._directory(group, path, depth + 1)
            elif isinstance(group[0][1], Tracked):
                yield from self._entry(path, group[0][1].as_entry, depth)
            else:
                plain = group[0][1]
                yield Listed(path, depth, plain.kind, False, plain.size, executable=plain.executable)

    def _listed(self, path: bytes, entry: Entry, depth: int) -> Listed:
        if entry.kind == LINK:
            return Listed(path, depth, "link", True, entry.size, target=entry.target)
        kind = "directory" if entry.kind == DIRECTORY else "file"
        digest = str(entry.digest) if self._request.digests else None
        # Listings of other tools do not say how long their files are.
        size = entry.size if entry.size or entry.algorithm == BLAKE3_CODE else None
        return Listed(path, depth, kind, True, size, entry.files, digest, entry.executable)

    def _entry(self, path: bytes, entry: Entry, depth: int) -> Iterator[Listed]:
        is_opened = entry.kind == DIRECTORY and entry.files > 0 and self._goes_deeper(depth)
        if not (is_opened and self._request.files_only):
            yield self._listed(path, entry, depth)
        if is_opened:
            yield from self._tree(entry, path, depth + 1)

    def _tree(self, directory: Entry, path: bytes, depth: int) -> Iterator[Listed]:
        check_depth(path + b"/")
        if self._goes_deeper(depth):
            require_few_files(path, subtree(directory))
        try:
            for entry in entries(self._listings.get, subtree(directory)):
                if entry.kind == DIRECTORY:
                    yield from self._entry(path + b"/" + entry.name, entry, depth)
                else:
                    yield self._listed(path + b"/" + entry.name, entry, depth)
        except UNREADABLE as error:
            self.unread.append(Unread(path, error))
            if self._request.files_only and depth > 1:
                yield self._listed(path, directory, depth - 1)


def _of_group(path: bytes, group: list[_Item], depth: int) -> Listed:
    """A directory with tracked paths and files of Git's in it."""
    files = size = 0
    is_known = True
    for _, item in group:
        if isinstance(item, Tracked):
            files += item.pointer.files
            size += item.pointer.size
        else:
            files += 1
            size += item.size or 0
            is_known = is_known and item.size is not None
    is_tracked = any(isinstance(item, Tracked) for _, item in group)
    return Listed(path, depth, "directory", is_tracked, size if is_known else None, files)


def _items(
    project: Project, request: ListRequest, commit: str | None, tracked: TrackedPaths, path: bytes
) -> list[_Item]:
    """What is tracked at or below *path*, by Git or by dvtool, a directory's content in one piece."""
    found: dict[bytes, Tracked | _Plain] = {}
    if project.git is not None and not request.only_tracked:
        found.update(_git_files(project, request, commit, path))
    found.update((item.path, item) for item in tracked.below(path))
    return sorted(found.items(), key=lambda item: item[0].replace(b"/", b"\0"))


def _git_files(
    project: Project, request: ListRequest, commit: str | None, path: bytes
) -> Iterable[tuple[bytes, _Plain]]:
    from dvtool.git.listing import files_at
    from dvtool.git.listing import files_in_worktree

    layout = project.layout
    git = project.git
    assert git is not None
    below = layout.to_git(path).rstrip(b"/")
    if commit is not None:
        for file in files_at(git, commit, below, sizes=request.sizes):
            kind = {"120000": "link", "160000": "directory"}.get(file.mode, "file")
            yield layout.from_git(file.path), _Plain(kind, file.mode == "100755", file.size)
        return
    for file in files_in_worktree(git, below):
        try:
            status = os.lstat(os.path.join(git.worktree, file.path))
        except OSError:
            # Git knows the file, and it is not there: deleted, and not yet committed.
            continue
        mode = status.st_mode
        kind = "link" if stat.S_ISLNK(mode) else "directory" if stat.S_ISDIR(mode) else "file"
        size = status.st_size if request.sizes and kind != "directory" else None
        yield layout.from_git(file.path).rstrip(b"/"), _Plain(kind, kind == "file" and bool(mode & 0o100), size)
