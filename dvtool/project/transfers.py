"""What a push or fetch is about: selections and revisions turned into what the transfer engine wants."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from dvtool.formats.settings import is_true
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.project.config import RemoteSettings
from dvtool.project.history import tracked_at
from dvtool.project.open import Project
from dvtool.project.parts import settled_items
from dvtool.project.routes import Routes
from dvtool.project.unchunked import unchunked_paths
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import tracked_in
from dvtool.workspace.selection import Selected


@dataclass(frozen=True, slots=True)
class Revisions:
    """Which commits count besides the worktree: all branches, all tags, all commits of every ref, those named.

    ``brought``: what a part of the history has brought in, given as to ``git log`` (``tip``, ``^known``).
    """

    all_branches: bool = False
    all_tags: bool = False
    all_commits: bool = False
    commits: tuple[str, ...] = ()
    brought: tuple[str, ...] = ()

    @property
    def is_any(self) -> bool:
        return self.all_branches or self.all_tags or self.all_commits or bool(self.commits or self.brought)


NO_REVISIONS = Revisions()
"""The worktree alone."""


def wanted_of(routes: Routes, item: Tracked, below: Iterable[bytes] = ()) -> Wanted:
    """One tracked path for the transfer engine. Raises `ConfigError` where two remotes claim it."""
    pointer, owner = item.pointer, routes.owner(item)
    stated = ObjectId(b"") if item.stated is None else item.stated.oid
    oid = pointer.digest.oid
    return Wanted(item.is_directory, oid, pointer.size, pointer.files, item.path, tuple(below), owner, stated)


def wanted_now(routes: Routes, selected: Iterable[Selected], *, unpushed: bool = False) -> list[Wanted]:
    """The worktree's selection; several parts of one directory are one wish.

    *unpushed*: with outputs that no remote is to have.
    """
    parts: dict[Tracked, list[bytes]] = {}
    for one in selected:
        if one.item.pushed or unpushed:
            parts.setdefault(one.item, []).append(one.below)
    return [wanted_of(routes, item, () if b"" in below else sorted(below)) for item, below in parts.items()]


def commits_of(project: Project, revisions: Revisions) -> list[str]:
    """The commits that *revisions* mean, each once."""
    if project.git is None or not revisions.is_any:
        return []
    from dvtool.git import revisions as git

    found = dict.fromkeys(revisions.commits)
    if revisions.all_branches:
        found.update(dict.fromkeys(git.branches(project.git).values()))
    if revisions.all_tags:
        found.update(dict.fromkeys(git.tags(project.git).values()))
    if revisions.all_commits:
        found.update(dict.fromkeys(git.all_commits(project.git)))
    return list(found)


def note_unpushed(selected: Iterable[Selected], targets: Sequence[bytes], reporter: Reporter) -> None:
    """Say of what was asked for by name that it stays here."""
    for one in selected if targets else ():
        if one.item.is_imported:
            repo = one.item.pointer.source.repo if one.item.pointer.source else ""
            reporter.note(f"left out: {show(one.path)}: it is imported from {repo}, which has it")
        elif not one.item.pushed:
            reporter.note(f"left out: {show(one.path)}: by `push: false` of {one.item.source} no remote has it")


Imports = list[tuple[Tracked, Wanted]]
"""What is imported from other repositories: they are read for it."""


def imports_now(routes: Routes, selected: Iterable[Selected]) -> Imports:
    """Those of the worktree's selection."""
    parts: dict[Tracked, list[bytes]] = {}
    for one in selected:
        if one.item.is_imported:
            parts.setdefault(one.item, []).append(one.below)
    return [(item, wanted_of(routes, item, () if b"" in below else sorted(below))) for item, below in parts.items()]


def wanted_in_history(
    project: Project, routes: Routes, revisions: Revisions, imports: Imports | None = None
) -> list[Wanted]:
    """Everything that the pointers and locks of those commits have on remotes, each content once for a remote.

    What they import is added to *imports*.
    """
    from dvtool.git.blobs import read_blobs
    from dvtool.git.history import all_pointer_blobs

    if project.git is None or not revisions.is_any:
        return []
    found: dict[tuple[bool, bytes, str], Wanted] = {}
    if revisions.all_commits or revisions.brought:
        from dvtool.formats.lock import MAX_BYTES as LOCK_BYTES

        layout = project.layout
        subdir = layout.prefix.rstrip(b"/")
        blobs: dict[str, dict[bytes, None]] = {}
        revs = None if revisions.all_commits else revisions.brought
        for blob in all_pointer_blobs(project.git, revs, subdir=subdir, locks=True):
            blobs.setdefault(blob.blob, {})[layout.from_git(blob.path)] = None
        for sha, data in read_blobs(project.git, blobs, limit=LOCK_BYTES):
            for path in blobs[sha]:
                items = tracked_in(path, data, f"{show(path)} in history")
                _add(found, routes, settled_items(project, items), imports)
    for commit in commits_of(project, replace(revisions, all_commits=False)):
        _add(found, routes, tracked_at(project, commit), imports)
    return list(found.values())


def _add(
    found: dict[tuple[bool, bytes, str], Wanted], routes: Routes, items: Iterable[Tracked], imports: Imports | None
) -> None:
    for item in items:
        if item.is_imported and imports is not None:
            imports.append((item, wanted_of(routes, item)))
        if item.pushed:
            one = wanted_of(routes, item)
            found.setdefault((one.directory, one.oid, one.remote), one)


def merged(now: Iterable[Wanted], history: Iterable[Wanted]) -> list[Wanted]:
    """Both, without asking twice for one content; a whole directory covers its parts."""
    whole = {(one.directory, one.oid, one.remote): one for one in history}
    rest = [one for one in now if (one.directory, one.oid, one.remote) not in whole]
    return [*rest, *whole.values()]


def push_context(
    project: Project, settings: RemoteSettings, commits: tuple[str, ...], *, jobs: int, now: float
) -> PushContext:
    """What the transfer engine wants to know about this clone. *jobs* 0 is what the remote's settings say."""
    return PushContext(
        repository_id=project.repo_id,
        commits=commits,
        author=_author(project),
        journal_dir=os.path.join(project.layout.state_dir, b"push"),
        now=now,
        jobs=jobs or int(settings.options.get("jobs", "0")),
        chunk=is_true(settings.options.get("chunk", "true")),
        unchunked=unchunked_paths(project.config),
    )


def _author(project: Project) -> str:
    """Who pushes, as Git would name the author of a commit; empty where it cannot say."""
    if project.git is None:
        return ""
    output = project.git.run("var", "GIT_AUTHOR_IDENT", expect=(0, 128))
    return output.stdout.decode("utf-8", "replace").rpartition(">")[0] + ">" if b">" in output.stdout else ""
