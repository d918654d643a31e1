"""What belongs to the workspace itself: its memo, its root file in a shared cache, what killed commands left in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from collections.abc import Iterator

from dvtool.api.rebuild import clear_memo
from dvtool.disk.durable import make_dirs
from dvtool.errors import DvtoolError
from dvtool.errors import storage_error
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.project.cacheroots import is_own_root_file
from dvtool.project.cacheroots import trim_own_roots
from dvtool.project.keeping import KeepRules
from dvtool.project.keeping import roots_to_keep
from dvtool.project.leftovers import LeftKind
from dvtool.project.leftovers import leftovers
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_worktree
from dvtool.state.memocheck import memo_damage
from dvtool.store.fsck.values import PATHS_KEPT
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.salvage import QUARANTINE

_MEMO = b"memo.sqlite"
_IN_CACHE = frozenset({LeftKind.CACHE, LeftKind.QUARANTINE, LeftKind.TRASH})
"""What a check of the cache tells of by itself, or what is in order."""


def workspace_notes(project: Project) -> Iterator[Finding]:
    """Findings beside the cache; all of them are notes."""
    path = os.path.join(project.layout.state_dir, _MEMO)
    damage = memo_damage(path)
    if damage:
        why = f"the memo of this workspace is damaged, which costs only time ({show(path)}: {damage})"
        yield Finding(Kind.MEMO, "", _MEMO, why, affected=1, fix="dvtool fsck --repair")
    groups: dict[tuple[str, str], list[bytes]] = {}
    for left in leftovers(project, open_cache(project)):
        if left.kind not in _IN_CACHE:
            groups.setdefault((left.what, left.next), []).append(left.path)
    for (what, following), paths in groups.items():
        shown = tuple(os.path.relpath(path, project.root) for path in paths[:PATHS_KEPT] if path)
        place = shown[0] if shown else b""
        yield Finding(Kind.LEFTOVER, "", place, what, paths=shown, affected=len(paths), fix=following)


def repair_workspace(project: Project, findings: Iterable[Finding], reporter: Reporter) -> None:
    """Begin a damaged memo anew, and write this workspace's root file again. Raises `StorageError`, `Locked`."""
    for finding in findings:
        if finding.kind is Kind.MEMO:
            _renew_memo(project, reporter)
        elif finding.kind is Kind.ROOTS and not finding.store:
            _renew_root_file(project, finding.place, reporter)


def _renew_memo(project: Project, reporter: Reporter) -> None:
    with open_worktree(project) as worktree:
        worktree.lock("fsck --repair", on_wait=reporter.note)
        clear_memo(worktree)


def _renew_root_file(project: Project, place: bytes, reporter: Reporter) -> None:
    """The old file stays under its name until the new one takes it: without one, others may collect our data."""
    cache = open_cache(project)
    path = os.path.join(cache.root, place)
    if not is_own_root_file(project, os.fsdecode(os.path.basename(path))):
        reporter.note(f"{show(path)} belongs to another workspace: run `dvtool fsck --repair` there")
        return
    try:
        roots = [keep.root for keep in roots_to_keep(project, KeepRules(all_commits=project.git is not None))]
    except DvtoolError as error:
        reporter.note(f"{show(path)} stays as it is: {error.message}")
        return
    try:
        with cache.lock.acquire(shared=False, on_wait=reporter.note, what="fsck --repair"):
            _keep_copy(os.path.join(cache.root, QUARANTINE), path)
            trim_own_roots(project, cache, roots)
    except OSError as error:
        raise storage_error(error, "write", path) from error


def _keep_copy(folder: bytes, path: bytes) -> None:
    make_dirs(folder)
    with contextlib.suppress(OSError):
        os.link(path, os.path.join(folder, os.path.basename(path) + b"-" + os.urandom(4).hex().encode("ascii")))
