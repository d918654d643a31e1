"""Data that follows Git: after a checkout, a merge, a rebase."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.api.checkout import CheckoutRequest
from dvtool.api.checkout import CheckoutResult
from dvtool.api.checkout import checkout
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.git.discover import find_git
from dvtool.git.followed import is_rebasing
from dvtool.git.followed import pointers_changed
from dvtool.git.followed import read_followed
from dvtool.git.followed import write_followed
from dvtool.git.revisions import head
from dvtool.git.roots import project_roots
from dvtool.git.roots import root_of
from dvtool.git.run import GitRepo
from dvtool.git.tips import commits_there
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.environment import Environment
from dvtool.project.history import changed_since
from dvtool.project.open import Project
from dvtool.project.open import open_project
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree

__all__ = ["FollowRequest", "FollowResult", "Followed", "follow"]


@dataclass(frozen=True, slots=True)
class FollowRequest:
    """``before``: the commit that stood there until now; empty where it is not known. ``uncommitted``: what changed
    is not in ``HEAD`` yet. ``known_only``: where there is no such commit nothing is brought, and not everything.
    ``rebased``: a rebase has ended, though its notes may still be there. ``now``: Unix seconds."""

    before: str = ""
    uncommitted: bool = False
    known_only: bool = False
    rebased: bool = False
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of one project. ``root``: relative to the top of the work tree. ``request`` is for `raise_for`."""

    root: bytes
    request: CheckoutRequest
    result: CheckoutResult


@dataclass(frozen=True, slots=True)
class FollowResult:
    """The projects of which something had changed; ``errors`` of those that could not be looked at."""

    projects: tuple[Followed, ...] = ()
    errors: tuple[DvtoolError, ...] = ()


def follow(environment: Environment, request: FollowRequest, reporter: Reporter = SILENT) -> FollowResult:
    """Bring the data whose pointers changed to what they say now. Contacts nothing.

    While a rebase has commits left nothing is done: at its end only what differs then is brought along.
    """
    repo = find_git(environment.cwd, environment.environ)
    if repo is None:
        return FollowResult()
    known = read_followed(repo)
    if not request.rebased and is_rebasing(repo):
        if known is None and request.before:
            write_followed(repo, request.before)
        return FollowResult()
    starts = _starts(repo, known, request.before)
    if starts is None and request.known_only:
        return FollowResult()
    done: list[Followed] = []
    errors: list[DvtoolError] = []
    for root in _touched(repo, starts):
        try:
            project = open_project(os.path.join(repo.worktree, root), environment)
            one = _bring(project, root, starts, request.now, reporter)
        except DvtoolError as error:
            errors.append(error)
            continue
        if one is not None:
            done.append(one)
    current = None if request.uncommitted else head(repo)
    if current is not None and not errors and all(one.request.allow_missing and _is_whole(one) for one in done):
        write_followed(repo, current)
    return FollowResult(tuple(done), tuple(errors))


def _touched(repo: GitRepo, starts: set[str] | None) -> list[bytes]:
    """The projects that have to be looked at: of a thousand, those of which Git changed something."""
    roots = project_roots(repo)
    if starts is None or not roots:
        return roots
    changed = {root_of(path, roots) for start in starts for path in pointers_changed(repo, start)}
    return [root for root in roots if root in changed]


def _starts(repo: GitRepo, known: str | None, before: str) -> set[str] | None:
    """The commits that the data may still stand at; None where there is no saying."""
    if not before.strip("0"):
        return None
    starts = {before, known} if known is not None else {before}
    return starts if commits_there(repo, starts) == starts else None


def _bring(project: Project, root: bytes, starts: set[str] | None, now: float, reporter: Reporter) -> Followed | None:
    if project.git is None:
        return None
    only = None if starts is None else _to_bring(project, starts)
    if only is not None and not only:
        return None
    request = CheckoutRequest(now=now, only=only)
    result = checkout(project, request, reporter)
    # What was never here is no news; what stands here in another version is.
    stale = any(os.path.lexists(os.path.join(project.root, left.path)) for left in result.missing)
    return Followed(root, CheckoutRequest(now=now, only=only, allow_missing=not stale), result)


def _to_bring(project: Project, starts: set[str]) -> frozenset[bytes]:
    """The paths whose pointers changed. Edits on top of the very version that a pointer names need nothing."""
    tracked = open_tracked(project)
    changed = {path: now for start in starts for path, _, now in changed_since(project, tracked, start)}
    if not changed:
        return frozenset()
    with open_worktree(project) as worktree:
        return frozenset(path for path, now in changed.items() if now is None or worktree.base(path) != now.as_entry)


def _is_whole(one: Followed) -> bool:
    result = one.result
    return not (result.conflicts or result.problems or any(not isinstance(e, MissingData) for e in result.errors))
