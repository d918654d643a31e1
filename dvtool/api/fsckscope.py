"""Which tracked paths a check is about."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass

from dvtool.formats.lock import MAX_BYTES as LOCK_BYTES
from dvtool.formats.pack import TREE
from dvtool.model.paths import show
from dvtool.project.history import tracked_at
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.parts import relative_paths
from dvtool.project.parts import settled_items
from dvtool.project.routes import Routes
from dvtool.project.transfers import NO_REVISIONS
from dvtool.project.transfers import Revisions
from dvtool.project.transfers import commits_of
from dvtool.project.transfers import merged
from dvtool.project.transfers import wanted_in_history
from dvtool.project.transfers import wanted_now
from dvtool.project.transfers import wanted_of
from dvtool.transfer.types import Wanted
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import tracked_in
from dvtool.workspace.selection import select


@dataclass(frozen=True, slots=True)
class Scope:
    """``targets`` choose below the worktree; without any, what Git's index and HEAD name counts too.

    ``revs`` and ``revisions`` add commits.
    """

    targets: tuple[bytes, ...] = ()
    revs: tuple[str, ...] = ()
    revisions: Revisions = NO_REVISIONS


EVERYTHING = Scope()
"""The worktree, Git's index and HEAD."""


def wanted_in(project: Project, scope: Scope, *, here: bool = False) -> list[Wanted]:
    """Everything that has to be there; *here*: also what no remote is to have, if it stands in this clone.

    Adopted data is not in it: it lies in a store that is not ours. Raises `UsageError`, `FormatError`, `UnsafeInput`.
    """
    return [one for one in _wanted(project, scope, here=here) if not one.stated]


def adopted_in(project: Project, scope: Scope) -> list[Wanted]:
    """The adopted data of the same scope."""
    return [one for one in _wanted(project, scope, here=False) if one.stated]


def _wanted(project: Project, scope: Scope, *, here: bool) -> list[Wanted]:
    routes = Routes(project.config)
    is_needed = _Needed(project, here=here)
    selected = select(open_tracked(project), relative_paths(project, scope.targets))
    history = wanted_in_history(project, routes, scope.revisions)
    commits = [*scope.revs, *([] if scope.targets else _head(project))]
    further = [item for commit in commits for item in tracked_at(project, commit)]
    if not scope.targets:
        further += settled_items(project, [*_staged(project)])
    now = wanted_now(routes, (one for one in selected if is_needed(one.item)), unpushed=True)
    return merged(now, [*history, *_each_once(wanted_of(routes, item) for item in further if is_needed(item))])


def as_options(scope: Scope) -> list[str]:
    """The words of the command line that say it, fit for a shell."""
    chosen = scope.revisions
    flags = ((chosen.all_branches, "-a"), (chosen.all_tags, "-T"), (chosen.all_commits, "-A"))
    revs = [f"--rev={shlex.quote(rev)}" for rev in scope.revs]
    return [
        *(flag for is_set, flag in flags if is_set),
        *revs,
        *(shlex.quote(show(target)) for target in scope.targets),
    ]


def commits_in(project: Project, scope: Scope) -> tuple[str, ...]:
    """The commits all of whose data `wanted_in` gives."""
    if scope.targets or project.git is None:
        return ()
    from dvtool.git.revisions import resolve

    named = [resolve(project.git, rev) for rev in scope.revs]
    return tuple(sorted({*named, *_head(project), *commits_of(project, scope.revisions)}))


class _Needed:
    """Whether a check is about what an item stands for."""

    def __init__(self, project: Project, *, here: bool) -> None:
        self._root = project.root
        self._cache = open_cache(project) if here else None

    def __call__(self, item: Tracked) -> bool:
        return item.pushed or self._is_here(item)

    def _is_here(self, item: Tracked) -> bool:
        """In a clone that never ran the stage nobody misses it."""
        cache, oid = self._cache, item.pointer.digest.oid
        if cache is None:
            return False
        is_stored = cache.has_meta(oid, TREE) if item.is_directory else cache.has_blob(oid)
        return is_stored or os.path.lexists(os.path.join(self._root, item.path))


def _each_once(wanted: Iterable[Wanted]) -> list[Wanted]:
    return list({(one.directory, one.oid, one.remote): one for one in wanted}.values())


def _head(project: Project) -> list[str]:
    if project.git is None:
        return []
    from dvtool.git.revisions import head

    current = head(project.git)
    return [] if current is None else [current]


def _staged(project: Project) -> Iterator[Tracked]:
    if project.git is None:
        return
    from dvtool.git.blobs import read_blobs
    from dvtool.git.worktree import staged_pointers

    layout = project.layout
    staged = staged_pointers(project.git, layout.prefix.rstrip(b"/"), locks=True)
    places = {sha: path for path, shas in staged.items() for sha in shas}
    for sha, data in read_blobs(project.git, places, limit=LOCK_BYTES):
        path = layout.from_git(places[sha])
        yield from tracked_in(path, data, f"{show(path)} in Git's index")
