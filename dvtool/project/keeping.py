"""What a collection keeps: from keep rules to roots. Any doubt raises, for what is not in the answer may be deleted."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.formats.lock import MAX_BYTES as LOCK_BYTES
from dvtool.formats.records import Root
from dvtool.git.run import GitRepo
from dvtool.model.digest import is_adopted
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import show
from dvtool.model.pointer import Kind
from dvtool.project.open import Project
from dvtool.project.workspaces import state_dirs
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import find_pointers
from dvtool.workspace.pointers import outputs_of
from dvtool.workspace.pointers import read_tracked
from dvtool.workspace.pointers import tracked_in

EXPERIMENTS = "refs/dvtool"
"""Refs below this are experiments."""
_SHORT = 10


@dataclass(frozen=True, slots=True)
class KeepRules:
    """What is kept. ``workspace`` is kept whatever the rules say; stating it alone keeps nothing more.

    ``last``: so many commits of each of ``revs`` (of HEAD without any), by first parents; negative
    means all. ``since``: every commit made at or after it, Unix seconds. ``all_commits``: the whole
    history of every ref.
    """

    workspace: bool = True
    all_branches: bool = False
    all_tags: bool = False
    all_commits: bool = False
    revs: tuple[str, ...] = ()
    last: int = 0
    since: float | None = None
    all_experiments: bool = False

    @property
    def selects_commits(self) -> bool:
        """Whether more is kept than what is kept in any case."""
        return replace(self, workspace=True) != KeepRules()


class Keep(NamedTuple):
    """Something to keep and who says so.

    ``path`` is relative to the root of the project (``../`` in front for another project of the
    same repository). ``commit`` is its full name; empty for this worktree, or words such as
    "index", "stash", "worktree /path". ``remote``: the one that the pointer states. ``pushed``: whether
    remotes are to have it.
    """

    root: Root
    path: bytes
    commit: str
    remote: str = ""
    pushed: bool = True


def roots_to_keep(project: Project, rules: KeepRules) -> list[Keep]:
    """Every root that must not be collected, each once for a path.

    Always: the pointers and locks in this and every linked worktree, what runs have finished that no lock names
    yet, their indexes and HEADs, stashes, and what a stopped merge, rebase, cherry-pick or bisect refers to; of every
    project in the repository, for they share a cache. Beyond that, what *rules* select. Raises the error that
    belongs to whatever cannot be read (`FormatError` for an empty pointer, `UnsafeInput`,
    `MissingData`, `StorageError`), `UsageError` for an unknown revision.
    """
    found: dict[tuple[Root, bytes], Keep] = {}
    git = project.git
    if git is None:
        if rules.selects_commits:
            raise UsageError(
                "this project works without Git, so there are no commits to keep", hint="dvtool gc --workspace"
            )
        keeps: Iterator[Keep] = chain(
            _unwritten(project),
            _in_files(project.root, find_pointers(project.root, None, b"", locks=True), b"", ""),
        )
    else:
        keeps = _in_git(project, git, rules)
    for keep in _known(project, chain(keeps, _of_dvc(project, rules))):
        first = found.setdefault((keep.root, keep.path), keep)
        if keep.pushed and not first.pushed:
            found[keep.root, keep.path] = keep
    return list(found.values())


def _of_dvc(project: Project, rules: KeepRules) -> Iterator[Keep]:
    from dvtool.project.dvckeeping import dvc_found

    found = dvc_found(project, lambda: sorted(commits_to_keep(project, rules)), everything=rules.all_commits)
    yield from (_keep(item, project.layout.prefix, label) for item, label in found)


def _known(project: Project, keeps: Iterable[Keep]) -> Iterator[Keep]:
    """With adopted data as what it is in the cache; of what is not known, nothing is there."""
    found = list(keeps)
    if any(is_adopted(keep.root.oid) for keep in found):
        from dvtool.project.dvckeeping import known_roots

        known = known_roots(project, (keep.root for keep in found))
        found = [keep._replace(root=root) for keep in found for root in known.get(keep.root, (keep.root,))]
    yield from found


def commits_to_keep(project: Project, rules: KeepRules) -> frozenset[str]:
    """The commits whose pointers `roots_to_keep` keeps, by full name; stashes are left out. Raises as it does."""
    from dvtool.git import revisions
    from dvtool.git.worktrees import under_way
    from dvtool.git.worktrees import worktrees

    git = project.git
    if git is None:
        return frozenset()
    always: dict[str, None] = {}
    for tree in worktrees(git).open:
        current = _head(tree)
        always.update(dict.fromkeys([current] if current is not None else []))
        always.update(dict.fromkeys(revisions.resolve(tree, name) for name in under_way(tree).commits))
    commits = _commits(git, rules, always)
    if rules.all_commits:
        commits.update(dict.fromkeys(revisions.all_commits(git)))
    return frozenset(commits)


def _in_git(project: Project, git: GitRepo, rules: KeepRules) -> Iterator[Keep]:
    from dvtool.git.revisions import resolve
    from dvtool.git.worktrees import under_way
    from dvtool.git.worktrees import worktrees

    prefix = project.layout.prefix
    listed = worktrees(git)
    for path in listed.gone:
        raise MissingData(
            f"the linked worktree {show(path)} cannot be read, so what it needs is not known",
            path=path,
            hint="bring it back, or forget it with `git worktree prune` if it is gone for good",
        )
    commits: dict[str, None] = {}
    stashed: dict[str, None] = {}
    yield from _standing(project, git, listed.open, prefix)
    for tree in listed.open:
        halted = under_way(tree)
        current = _head(tree)
        commits.update(dict.fromkeys([current] if current is not None else []))
        commits.update(dict.fromkeys(resolve(tree, name) for name in halted.commits))
        stashed.update(dict.fromkeys(resolve(tree, name) for name in halted.autostashes))
    yield from _stashed(git, stashed, prefix)
    yield from _selected(git, rules, commits, prefix)
    # Once more: `git stash pop` moves a pointer from where it was not read yet to where it was looked for already.
    yield from _standing(project, git, listed.open, prefix)


def _unwritten(project: Project) -> Iterator[Keep]:
    """What runs under way or killed ones have finished, of every workspace of the repository."""
    from dvtool.pipeline.lockfile import unwritten_stages

    for state_dir in state_dirs(project):
        label = "" if state_dir == project.layout.state_dir else "another worktree"
        for lock, name, stage in unwritten_stages(state_dir):
            yield from (_keep(item, b"", label) for item in outputs_of(lock, name, stage))


def _standing(project: Project, git: GitRepo, trees: Iterable[GitRepo], prefix: bytes) -> Iterator[Keep]:
    """What journals, the files and the index of each work tree name."""
    from dvtool.git.worktree import pointers_in_worktree
    from dvtool.git.worktree import staged_pointers

    # Journals first, for what they hold goes from there to the files.
    yield from _unwritten(project)
    for tree in trees:
        place = "" if tree is git else show(tree.worktree)
        yield from _in_files(
            tree.worktree,
            pointers_in_worktree(tree, nested=True, locks=True),
            prefix,
            f"worktree {place}" if place else "",
        )
        staged = ((path, sha) for path, shas in staged_pointers(tree, nested=True, locks=True).items() for sha in shas)
        yield from _in_blobs(git, staged, prefix, f"index of {place}" if place else "index")


def _commits(git: GitRepo, rules: KeepRules, always: Iterable[str]) -> dict[str, None]:
    """*always* and what *rules* select one by one."""
    from dvtool.git import revisions

    commits = dict.fromkeys(always)
    for wanted, refs in (
        (rules.all_branches, "refs/heads"),
        (rules.all_tags, "refs/tags"),
        (rules.all_experiments, EXPERIMENTS),
    ):
        if wanted:
            commits.update(dict.fromkeys(ref.commit for ref in revisions.refs(git, refs)))
    named = [revisions.resolve(git, rev) for rev in rules.revs]
    commits.update(dict.fromkeys(named))
    if rules.last:
        current = _head(git)
        for commit in named or ([current] if current is not None else []):
            commits.update(dict.fromkeys(revisions.last_commits(git, commit, rules.last)))
    if rules.since is not None:
        commits.update(dict.fromkeys(revisions.commits_since(git, rules.since)))
    return commits


def _selected(git: GitRepo, rules: KeepRules, always: Iterable[str], prefix: bytes) -> Iterator[Keep]:
    from dvtool.git.history import all_pointer_blobs
    from dvtool.git.history import pointer_blobs_of
    from dvtool.git.worktree import names_data

    by_commit = pointer_blobs_of(git, list(_commits(git, rules, always)))
    yield from _in_commits(git, ((blob.path, blob.blob, blob.commit) for blob in by_commit), prefix)
    if rules.all_commits:
        ever = (blob for blob in all_pointer_blobs(git, locks=True) if names_data(blob.path, locks=True))
        yield from _in_commits(git, ((blob.path, blob.blob, blob.commit) for blob in ever), prefix)


def _stashed(git: GitRepo, autostashes: Iterable[str], prefix: bytes) -> Iterator[Keep]:
    """A stash is a commit of the worktree; its second parent holds the index, a third one untracked files."""
    from dvtool.git.history import pointer_blobs_of
    from dvtool.git.revisions import parents
    from dvtool.git.revisions import stashes

    entries = list(dict.fromkeys([*stashes(git), *autostashes]))
    holders = [commit for entry, above in parents(git, entries).items() for commit in (entry, *above[1:])]
    blobs = pointer_blobs_of(git, holders)
    yield from _in_blobs(git, ((blob.path, blob.blob) for blob in blobs), prefix, "stash")


def _head(git: GitRepo) -> str | None:
    from dvtool.git.revisions import head

    found = head(git)
    if found is None and git.run("symbolic-ref", "-q", "HEAD", expect=(0, 1)).code:
        raise DvtoolError(f"the HEAD of {show(git.worktree)} cannot be read", hint="`git fsck` says what is damaged")
    return found


def _in_files(root: bytes, paths: Iterable[bytes], prefix: bytes, label: str) -> Iterator[Keep]:
    for path in paths:
        yield from (_keep(item, prefix, label) for item in read_tracked(root, path))


def _in_blobs(git: GitRepo, blobs: Iterable[tuple[bytes, str]], prefix: bytes, label: str) -> Iterator[Keep]:
    return _in_commits(git, ((path, sha, label) for path, sha in blobs), prefix)


def _in_commits(git: GitRepo, blobs: Iterable[tuple[bytes, str, str]], prefix: bytes) -> Iterator[Keep]:
    from dvtool.git.blobs import read_blobs

    first: dict[tuple[str, bytes], str] = {}
    for path, sha, label in blobs:
        first.setdefault((sha, path), label)
    pointers: dict[str, list[tuple[bytes, str]]] = {}
    for (sha, path), label in first.items():
        pointers.setdefault(sha, []).append((path, label))
    for sha, data in read_blobs(git, pointers, limit=LOCK_BYTES):
        for path, label in pointers[sha]:
            where = f"{show(path)} in {label if ' ' in label or len(label) < _SHORT else label[:_SHORT]}"
            yield from (_keep(item, prefix, label) for item in tracked_in(path, data, where))


def _keep(item: Tracked, prefix: bytes, label: str) -> Keep:
    pointer = item.pointer
    path = item.pointer_path if item.stage else item.path
    shown = path[len(prefix) :] if path.startswith(prefix) else os.path.relpath(path, prefix)
    if item.stage:
        # Only of a lock at the root is it known that no project further down has it.
        shown = item.path if shown == LOCK_NAME else shown + b": " + item.path
    root = Root(pointer.kind is Kind.DIRECTORY, pointer.digest.oid)
    return Keep(root, shown, label, pointer.remote, item.pushed)
