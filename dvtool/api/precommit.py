"""What must not get into a commit: data in Git's own store, pointers and locks that nobody can read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.formats.bytesizes import parse_byte_size
from dvtool.formats.lock import MAX_BYTES
from dvtool.git.blobs import read_blobs
from dvtool.git.discover import find_git
from dvtool.git.roots import project_roots
from dvtool.git.roots import root_of
from dvtool.git.run import GitRepo
from dvtool.git.staged import NewFile
from dvtool.git.staged import files_between
from dvtool.git.staged import locks_of
from dvtool.git.staged import pointers_beside
from dvtool.git.staged import sizes
from dvtool.git.staged import staged_files
from dvtool.git.worktree import names_data
from dvtool.model.paths import show
from dvtool.project.environment import Environment
from dvtool.project.open import Project
from dvtool.project.open import open_project
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import tracked_in

__all__ = ["PreCommitRequest", "PreCommitResult", "Refused", "pre_commit", "raise_for"]


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
    not what the staged pointer says."""

    refused: tuple[Refused, ...] = ()
    unreadable: tuple[DvtoolError, ...] = ()
    differing: tuple[bytes, ...] = ()


def pre_commit(environment: Environment, request: PreCommitRequest) -> PreCommitResult:
    """Look at what is about to be committed. Contacts nothing; reads data only where its pointer is in the commit.

    Raises `ConfigError`, `UnsafeInput`, `FormatError` for settings that cannot be read.
    """
    repo = find_git(environment.cwd, environment.environ)
    if repo is None:
        return PreCommitResult()
    roots = project_roots(repo)
    if not roots:
        return PreCommitResult()
    files = files_between(repo, request.old, request.new) if request.new else staged_files(repo)
    by_root: dict[bytes, list[NewFile]] = {}
    for file in files:
        root = root_of(file.path, roots)
        if root is not None:
            by_root.setdefault(root, []).append(file)
    results = [_look(repo, root, by_root[root], environment, request) for root in sorted(by_root)]
    return PreCommitResult(
        tuple(one for result in results for one in result.refused),
        tuple(one for result in results for one in result.unreadable),
        tuple(one for result in results for one in result.differing),
    )


def raise_for(result: PreCommitResult) -> None:
    """Raise the error that the commit is refused with."""
    causes: list[DvtoolError] = list(result.unreadable)
    hint = None
    if result.refused:
        names = " ".join(show(one.path) for one in result.refused[:5])
        large = [one.path for one in result.refused if not one.tracked_by]
        hint = f"git rm --cached {names}"
        if large:
            hint += f" && dvtool add {' '.join(map(show, large[:5]))}"
        hint += "; to commit all the same: git commit --no-verify"
        causes += [DvtoolError(_why(one), path=one.path) for one in result.refused]
    if len(causes) == 1 and not result.refused:
        raise causes[0]
    if causes:
        what = "data does not belong into Git" if result.refused else f"{len(causes)} files cannot be read"
        raise DvtoolError(f"nothing was committed: {what}", hint=hint, causes=tuple(causes))


def _why(one: Refused) -> str:
    if one.tracked_by:
        return f"{show(one.path)}: {one.tracked_by} stands for it"
    return f"{show(one.path)}: {one.size:,} bytes, and core.git_file_limit is {one.limit}"


def _look(
    repo: GitRepo, root: bytes, files: Sequence[NewFile], environment: Environment, request: PreCommitRequest
) -> PreCommitResult:
    project = open_project(os.path.join(repo.worktree, root), environment)
    if project.git is None:
        return PreCommitResult()
    own = [file for file in files if names_data(file.path, locks=True)]
    plain = [file for file in files if not names_data(file.path, locks=True)]
    tracked, unreadable = _read(project, own)
    refused = _tracked_out(project, plain, request.new)
    known = {one.path for one in refused}
    refused += [one for one in _large(project, plain) if one.path not in known]
    differing = _differing(project, tracked) if tracked and not request.new else []
    layout = project.layout
    return PreCommitResult(tuple(refused), tuple(unreadable), tuple(layout.to_git(path) for path in differing))


def _read(project: Project, files: Sequence[NewFile]) -> tuple[list[Tracked], list[DvtoolError]]:
    """What the pointers and locks in the commit say."""
    assert project.git is not None
    found: list[Tracked] = []
    problems: list[DvtoolError] = []
    contents = dict(read_blobs(project.git, dict.fromkeys(file.blob for file in files), limit=MAX_BYTES))
    for file in files:
        try:
            found += tracked_in(project.layout.from_git(file.path), contents[file.blob], show(file.path))
        except DvtoolError as error:
            problems.append(error)
    return found, problems


def _large(project: Project, files: Sequence[NewFile]) -> list[Refused]:
    """What is larger than the limit, and was not before: of that Git has to carry the history anyway."""
    assert project.git is not None
    text = project.config.text("core.git_file_limit") or ""
    limit = parse_byte_size(text)
    known = sizes(project.git, (file.blob for file in files))
    large = [file for file in files if known.get(file.blob, 0) > limit]
    before = sizes(project.git, (file.before for file in large if file.before is not None))
    return [
        Refused(file.path, known[file.blob], text)
        for file in large
        if file.before is None or before.get(file.before, 0) <= limit
    ]


def _tracked_out(project: Project, files: Sequence[NewFile], rev: str) -> list[Refused]:
    """What a pointer or a lock in the same commit stands for."""
    assert project.git is not None
    if not files:
        return []
    layout = project.layout
    paths = {layout.from_git(file.path): file for file in files}
    prefix = layout.prefix.rstrip(b"/")
    pointers = {
        path: sha
        for path, sha in pointers_beside(project.git, (file.path for file in files), rev or None).items()
        if path.startswith(layout.prefix)
    }
    locks = locks_of(project.git, prefix, rev or None)
    contents = dict(read_blobs(project.git, {*pointers.values(), *locks.values()}, limit=MAX_BYTES))
    standing: dict[bytes, str] = {}
    for path, sha in {**pointers, **locks}.items():
        data = contents[sha]
        if path in locks and not _may_name(data, paths):
            continue
        try:
            items = tracked_in(layout.from_git(path), data, show(path))
        except DvtoolError:
            # Told of where it is itself in the commit; an old one is no reason to refuse this one.
            continue
        standing.update((item.path, item.source) for item in items)
    known = sizes(project.git, (file.blob for file in files)) if standing else {}
    refused = []
    for path, file in paths.items():
        source = _owner(standing, path)
        if source is not None:
            refused.append(Refused(file.path, known.get(file.blob, 0), tracked_by=source))
    return refused


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
    different = {one.path for one in found.workspace} | {one.path for one in found.missing if one.change == "outdated"}
    return sorted(path for path in wanted if any(each == path or each.startswith(path + b"/") for each in different))
