"""Healing a remote: dooming what is damaged there, sending again what is lost."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import closing

from dvtool.api.fsckheal import heal_from_worktree
from dvtool.api.fsckscope import Scope
from dvtool.api.fsckscope import commits_in
from dvtool.errors import DvtoolError
from dvtool.formats.records import Root
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.project.history import tracked_at
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.project.transfers import push_context
from dvtool.transfer.fsck.doom import RemoteRepair
from dvtool.transfer.fsck.doom import doom_keys
from dvtool.transfer.fsck.gather import execute_remote_repair
from dvtool.transfer.rootrecords import write_records
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted


def repair_remote(
    project: Project,
    remote: Remote,
    plan: RemoteRepair,
    wanted: Sequence[Wanted],
    scope: Scope,
    reporter: Reporter,
    *,
    jobs: int,
    now: float,
) -> None:
    """Carry *plan* out. Killed anywhere, the same command goes on. Raises `StorageError`.

    What is nowhere to be had stays missing; the check that follows tells.
    """
    settings = project.config.remote(remote.name)
    context = push_context(project, settings, commits_in(project, scope), jobs=jobs, now=now)
    if plan.send:
        heal_from_worktree(project, wanted, reporter)
    with ExitStack() as stack:
        names = [name for name in project.config.remotes() if name != remote.name]
        others = [stack.enter_context(closing(open_remote_of(project, name))) for name in names]
        execute_remote_repair(open_cache(project), remote, others, plan, wanted, context, reporter)
    _renew_records(project, remote, plan.records, context, reporter)


def _renew_records(
    project: Project, remote: Remote, keys: Sequence[str], context: PushContext, reporter: Reporter
) -> None:
    """A damaged root record of this repository is replaced by a new one for its commit, then released.

    One of another repository, or of a commit that is not known here, stays: what it keeps is not known,
    and it stops every collection until somebody who knows has seen to it.
    """
    for key in keys:
        commit = _commit_of(project, key)
        roots = [] if commit is None else list(_roots_at(project, commit))
        if commit is None or not roots:
            reporter.note(f"remote {remote.name}: {key} stays: only a clone that knows its commit can replace it")
            continue
        write_records(remote, context._replace(commits=(commit,)), roots, [])
        doom_keys(remote, records=[key])


def _commit_of(project: Project, key: str) -> str | None:
    _, _, rest = key.partition("/")
    repository, _, name = rest.partition("/")
    return name.partition("-")[0] if repository == project.repo_id and project.git is not None else None


def _roots_at(project: Project, commit: str) -> Iterator[Root]:
    try:
        for item in tracked_at(project, commit):
            if item.pushed:
                yield Root(item.is_directory, item.pointer.digest.oid)
    except DvtoolError:
        return
