"""What must not get into a commit: data in Git's own store, pointers and locks that nobody can read."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.formats.bytesizes import parse_byte_size
from dvtool.git.blobs import read_blobs
from dvtool.git.discover import find_git
from dvtool.git.roots import root_of
from dvtool.git.run import GitRepo
from dvtool.git.staged import NewFile
from dvtool.git.staged import OwnFiles
from dvtool.git.staged import files_between
from dvtool.git.staged import own_files_at
from dvtool.git.staged import own_files_staged
from dvtool.git.staged import sizes
from dvtool.git.staged import staged_files
from dvtool.git.worktree import names_data
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.project.environment import Environment
from dvtool.project.open import Project
from dvtool.project.open import open_project

if TYPE_CHECKING:
    from dvtool.workspace.pointers import Tracked

__all__ = ["PreCommitRequest", "PreCommitResult", "Refused", "pre_commit", "raise_for"]

_NAMED = 5
_MOST_BYTES = 256 << 20
"""The longest lock."""


@dataclass(frozen=True, slots=True)
class PreCommitRequest:
    """The index against ``HEAD``; with both given, the commit ``new`` against ``old``."""

    old: str = ""
    new: str = ""


class Refused(NamedTuple):
    """A file, relative to the top of the work tree, and why. ``tracked_by``: what stands for it, else it is too
    large: ``size`` bytes and not ``limit``."""

    path: bytes
    size: int
    limit: str = ""
    tracked_by: str = ""


@dataclass(frozen=True, slots=True)
class PreCommitResult:
    """``unreadable``: pointers and locks that are not in their format. ``differing``: tracked paths whose files are
    not what the staged pointer says. ``undecided``: pointers in which a merge left open what nobody has decided."""

    refused: tuple[Refused, ...] = ()
    unreadable: tuple[DvtoolError, ...] = ()
    differing: tuple[bytes, ...] = ()
    undecided: tuple[DvtoolError, ...] = ()


def pre_commit(environment: Environment, request: PreCommitRequest) -> PreCommitResult:
    """Look at what is about to be committed. Contacts nothing; reads data only where its pointer is in the commit.

    Raises `ConfigError`, `UnsafeInput`, `FormatError` for settings that cannot be read.
    """
    repo = find_git(environment.cwd, environment.environ)
    if repo is None:
        return PreCommitResult()
    own = own_files_at(repo, request.new) if request.new else own_files_staged(repo)
    if not own.roots:
        return PreCommitResult()
    files = files_between(repo, request.old, request.new) if request.new else staged_files(repo)
    by_root: dict[bytes, list[NewFile]] = {}
    for file in files:
        root = root_of(file.path, own.roots)
        if root is not None:
            by_root.setdefault(root, []).append(file)
    sizes_of = sizes(repo, (blob for file in files for blob in (file.blob, file.before) if blob is not None))
    results = []
    for root in sorted(by_root):
        project = open_project(os.path.join(repo.worktree, root), environment)
        if project.git is not None:
            look = _Look(project, repo, own, sizes_of, is_next=not request.new)
            results.append(look.at(by_root[root]))
    return PreCommitResult(
        tuple(one for result in results for one in result.refused),
        tuple(one for result in results for one in result.unreadable),
        tuple(one for result in results for one in result.differing),
        () if request.new else tuple(_undecided(environment, repo, own.roots)),
    )


def _undecided(environment: Environment, repo: GitRepo, roots: Iterable[bytes]) -> Iterator[DvtoolError]:
    from dvtool.git.unmerged import continuation

    if not continuation(repo):
        return
    from dvtool.project.undecided import undecided

    for root in roots:
        yield from undecided(open_project(os.path.join(repo.worktree, root), environment))


def raise_for(result: PreCommitResult) -> None:
    """Raise the error that the commit is refused with."""
    causes: list[DvtoolError] = [*result.unreadable, *result.undecided]
    hint = None
    if result.refused:
        names = _words([one.path for one in result.refused])
        large = [one.path for one in result.refused if not one.tracked_by]
        hint = f"git rm --cached {names}"
        if large:
            hint += f" && dvtool add {_words(large)}"
        hint += "; to commit all the same: git commit --no-verify"
        causes += [DvtoolError(_why(one), path=one.path) for one in result.refused]
    if len(causes) == 1 and not result.refused:
        raise causes[0]
    if causes:
        what = "data does not belong into Git" if result.refused else f"{len(causes)} files are not as they must be"
        raise DvtoolError(f"nothing was committed: {what}", hint=hint, causes=tuple(causes))


def _words(paths: Sequence[bytes]) -> str:
    """As a shell takes them."""
    words = [shlex.quote("./" + show(path) if path.startswith(b"-") else show(path)) for path in paths[:_NAMED]]
    return " ".join([*words, "..."] if len(paths) > _NAMED else words)


def _why(one: Refused) -> str:
    if one.tracked_by:
        return f"{show(one.path)}: {one.tracked_by} stands for it"
    return f"{show(one.path)}: {one.size:,} bytes, and core.git_file_limit is {one.limit}"


class _Look:
    """At the files of one project. ``own``: the pointers and locks of all; ``known``: sizes by blob; ``is_next``: what
    is to be committed, so that the work tree counts too."""

    def __init__(
        self, project: Project, repo: GitRepo, own: OwnFiles, known: Mapping[str, int], *, is_next: bool
    ) -> None:
        self._project = project
        self._is_next = is_next
        self._repo = repo
        self._own = own
        self._known = known

    def at(self, files: Sequence[NewFile]) -> PreCommitResult:
        stated = [file for file in files if names_data(file.path, locks=True)]
        plain = [file for file in files if not names_data(file.path, locks=True)]
        tracked, unreadable = self._read(stated)
        refused = self._tracked_out(plain)
        taken = {one.path for one in refused}
        refused += [one for one in self._large(plain) if one.path not in taken]
        differing = _differing(self._project, tracked) if tracked and self._is_next else []
        to_git = self._project.layout.to_git
        return PreCommitResult(tuple(refused), tuple(unreadable), tuple(map(to_git, differing)))

    def _read(self, files: Sequence[NewFile]) -> tuple[list[Tracked], list[DvtoolError]]:
        """What the pointers and locks in the commit say."""
        found: list[Tracked] = []
        problems: list[DvtoolError] = []
        contents = dict(read_blobs(self._repo, dict.fromkeys(file.blob for file in files), limit=_MOST_BYTES))
        for file in files:
            try:
                found += _items(self._project.layout.from_git(file.path), contents[file.blob], show(file.path))
            except DvtoolError as error:
                problems.append(error)
        return found, problems

    def _large(self, files: Sequence[NewFile]) -> list[Refused]:
        """What is larger than the limit, and was not before: of that Git has to carry the history anyway."""
        text = self._project.config.text("core.git_file_limit") or ""
        limit = parse_byte_size(text)
        return [
            Refused(file.path, self._known.get(file.blob, 0), text)
            for file in files
            if self._known.get(file.blob, 0) > limit >= self._known.get(file.before or "", 0)
        ]

    def _tracked_out(self, files: Sequence[NewFile]) -> list[Refused]:
        """What a pointer or a lock in the same commit stands for."""
        layout = self._project.layout
        paths = {layout.from_git(file.path): file for file in files}
        folders = {folder for path in paths for folder in _above(path)}
        # A pointer stands for what lies beside it, under any name.
        stating = {
            path: sha
            for path, sha in self._own.pointers.items()
            if path.startswith(layout.prefix) and split(path[len(layout.prefix) :])[0] in folders
        }
        if paths:
            stating |= {path: sha for path, sha in self._own.locks.items() if path.startswith(layout.prefix)}
        standing: dict[bytes, str] = {}
        contents = dict(read_blobs(self._repo, set(stating.values()), limit=_MOST_BYTES))
        for path, sha in stating.items():
            if path in self._own.locks and not _may_name(contents[sha], paths):
                continue
            try:
                items = _items(layout.from_git(path), contents[sha], show(path))
            except DvtoolError:
                # Told of where it is itself in the commit; an old one is no reason to refuse this one.
                continue
            standing.update((item.path, item.source) for item in items)
        if self._is_next:
            standing |= self._not_staged(paths)
        return [
            Refused(file.path, self._known.get(file.blob, 0), tracked_by=source)
            for path, file in paths.items()
            if (source := _owner(standing, path)) is not None
        ]

    def _not_staged(self, paths: Iterable[bytes]) -> dict[bytes, str]:
        """What pointers beside them stand for that are in the work tree alone."""
        found: dict[bytes, str] = {}
        for place in {each for path in paths for each in (path, *_above(path)) if each}:
            pointer = place + POINTER_SUFFIX
            known = self._project.layout.to_git(pointer) in self._own.pointers
            if known or not os.path.lexists(os.path.join(self._project.root, pointer)):
                continue
            try:
                from dvtool.workspace.pointers import read_tracked

                found.update((item.path, item.source) for item in read_tracked(self._project.root, pointer))
            except DvtoolError:
                # It is in nobody's way: it is not in this commit, and what it stands for is not known.
                continue
        return found


def _items(path: bytes, data: bytes, where: str) -> list[Tracked]:
    # Nothing of it is needed where no pointer lies around.
    from dvtool.workspace.pointers import tracked_in

    return tracked_in(path, data, where)


def _above(path: bytes) -> Iterator[bytes]:
    while path:
        path = split(path)[0]
        yield path


def _may_name(lock: bytes, paths: Iterable[bytes]) -> bool:
    """Whether the text of a lock has one of the paths, or a directory above, as a key: reading it all takes longer."""
    for path in paths:
        at = path
        while at:
            try:
                if json.dumps(at.decode("utf-8"), ensure_ascii=False).encode("utf-8") in lock:
                    return True
            except UnicodeError:
                return True
            at = at.rpartition(b"/")[0]
    return False


def _owner(standing: Mapping[bytes, str], path: bytes) -> str | None:
    while path:
        if path in standing:
            return standing[path]
        path = path.rpartition(b"/")[0]
    return None


def _differing(project: Project, tracked: Sequence[Tracked]) -> list[bytes]:
    """Of these paths, as far as the worktree's pointers name them, those whose files are different."""
    from dvtool.api.status import StatusRequest
    from dvtool.api.status import status

    try:
        targets = tuple(os.path.join(project.root, item.path) for item in tracked if not item.stage)
        found = status(project, StatusRequest(targets)) if targets else None
    except DvtoolError:
        # No more than a remark hangs on it.
        return []
    if found is None:
        return []
    wanted = {item.path for item in tracked}
    different = {one.path for one in found.workspace}
    return sorted(path for path in wanted if any(each == path or each.startswith(path + b"/") for each in different))
