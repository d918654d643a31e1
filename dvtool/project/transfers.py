"""What a push or fetch is about: selections and revisions turned into what the transfer engine wants."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from dvtool.formats.settings import is_true
from dvtool.model.ports import Reporter
from dvtool.project.config import RemoteSettings
from dvtool.project.history import tracked_at
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.selection import Selected


@dataclass(frozen=True, slots=True)
class Revisions:
    """Which commits count besides the worktree: all branches, all tags, all commits of every ref."""

    all_branches: bool = False
    all_tags: bool = False
    all_commits: bool = False

    @property
    def is_any(self) -> bool:
        return self.all_branches or self.all_tags or self.all_commits


NO_REVISIONS = Revisions()
"""The worktree alone."""


def wanted_of(item: Tracked, below: Iterable[bytes] = ()) -> Wanted:
    """One tracked path for the transfer engine."""
    pointer = item.pointer
    return Wanted(item.is_directory, pointer.digest.oid, pointer.size, pointer.files, item.path, tuple(below))


def wanted_now(selected: Iterable[Selected]) -> list[Wanted]:
    """The worktree's selection; several parts of one directory are one wish."""
    parts: dict[Tracked, list[bytes]] = {}
    for one in selected:
        parts.setdefault(one.item, []).append(one.below)
    return [wanted_of(item, () if b"" in below else sorted(below)) for item, below in parts.items()]


def commits_of(project: Project, revisions: Revisions) -> list[str]:
    """The commits that *revisions* mean, each once."""
    if project.git is None or not revisions.is_any:
        return []
    from dvtool.git import revisions as git

    found: dict[str, None] = {}
    if revisions.all_branches:
        found.update(dict.fromkeys(git.branches(project.git).values()))
    if revisions.all_tags:
        found.update(dict.fromkeys(git.tags(project.git).values()))
    if revisions.all_commits:
        found.update(dict.fromkeys(git.all_commits(project.git)))
    return list(found)


def wanted_in_history(project: Project, revisions: Revisions) -> list[Wanted]:
    """Everything that the pointers of those commits stand for, each content once."""
    from dvtool.git.blobs import read_blobs
    from dvtool.git.history import all_pointer_blobs

    if project.git is None or not revisions.is_any:
        return []
    found: dict[tuple[bool, bytes], Wanted] = {}
    if revisions.all_commits:
        from dvtool.formats.pointer import decode_pointer
        from dvtool.model.paths import show

        layout = project.layout
        subdir = layout.prefix.rstrip(b"/")
        blobs = {blob.blob: blob.path for blob in all_pointer_blobs(project.git, subdir=subdir)}
        for sha, data in read_blobs(project.git, blobs):
            path = layout.from_git(blobs[sha])
            item = Tracked(path, decode_pointer(data, f"{show(path)} in history"))
            found.setdefault((item.is_directory, item.pointer.digest.raw), wanted_of(item))
    for commit in commits_of(project, Revisions(revisions.all_branches, revisions.all_tags)):
        for item in tracked_at(project, commit):
            found.setdefault((item.is_directory, item.pointer.digest.raw), wanted_of(item))
    return list(found.values())


def merged(now: Iterable[Wanted], history: Iterable[Wanted]) -> list[Wanted]:
    """Both, without asking twice for one content; a whole directory covers its parts."""
    whole = {(one.directory, one.oid): one for one in history}
    rest = [one for one in now if (one.directory, one.oid) not in whole]
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
    )


def _author(project: Project) -> str:
    """Who pushes, as Git would name the author of a commit; empty where it cannot say."""
    if project.git is None:
        return ""
    output = project.git.run("var", "GIT_AUTHOR_IDENT", expect=(0, 128))
    return output.stdout.decode("utf-8", "replace").rpartition(">")[0] + ">" if b">" in output.stdout else ""


def missing_on_remote(
    project: Project, selected: Iterable[Selected], name: str | None, reporter: Reporter
) -> list[tuple[bytes, int]]:
    """Path and size of everything selected that the remote does not hold."""
    from dvtool.transfer.cloudstatus import remote_status

    with closing(open_remote_of(project, name)) as remote:
        found = remote_status(open_cache(project), remote, wanted_now(selected), reporter=reporter)
    return [(item.path, item.size) for item in found]
