"""Outputs of stages that the user changed: recording them in their locks, and what only a stage may do with them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Sequence

from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.project.open import Project
from dvtool.project.oplog import current
from dvtool.project.oplog import file_changes
from dvtool.workspace.pointers import Tracked


def refused(item: Tracked, path: bytes, hint: str) -> UsageError:
    """That *path*, an output or in one, is not what a command may be used on."""
    what = "is an output of" if path == item.path else f"lies in {show(item.path)}, an output of"
    return UsageError(f"{show(path)} {what} {item.source}", path=path, hint=hint)


def record_outputs(project: Project, items: Sequence[Tracked], *, durable: bool) -> tuple[bytes, ...]:
    """Write what *items* are now into their locks; the caller holds the workspace's lock. Returns the locks written.

    Whatever else a lock says stays: nobody claims that the stage ran again. Raises `StorageError`, `FormatError`.
    """
    if not items:
        return ()
    # `add` does without all this.
    from dvtool.formats.lock import Content
    from dvtool.formats.lock import encode_lock
    from dvtool.pipeline.lockfile import LockReader
    from dvtool.pipeline.lockfile import LockWriter
    from dvtool.pipeline.lockfile import definition_of

    root, state_dir = project.root, project.layout.state_dir
    with LockWriter(root, state_dir, durable=durable) as writer:
        reader = LockReader(root, state_dir)
        locks = {path: reader.read_lock(path) for path in sorted({item.pointer_path for item in items})}
        changed = {}
        for item in items:
            pointer, stages = item.pointer, locks[item.pointer_path]
            now = Content(pointer.kind, pointer.digest, pointer.size, pointer.files, pointer.executable)
            before = stages[item.stage]
            if before.outs[item.path] != now:
                stages[item.stage] = before._replace(outs={**before.outs, item.path: now})
                changed[item.pointer_path, item.stage] = stages[item.stage]
        if changed:
            _note(project, {path: encode_lock(locks[path]) for path, _ in changed})
        writer.record_all((definition_of(path), stage, record) for (path, stage), record in changed.items())
    written = tuple(sorted({path for path, _ in changed}))
    if project.git is not None and written and project.config.flag("core.autostage"):
        from dvtool.git.worktree import stage as stage_in_git

        stage_in_git(project.git, [project.layout.to_git(path) for path in written])
    return written if project.git is not None else ()


def _note(project: Project, locks: Mapping[bytes, bytes]) -> None:
    """Let the operation log know before anything is written."""
    from dvtool.project.runfiles import MOST_BYTES
    from dvtool.project.runfiles import too_large

    operation = current()
    if operation is None:
        return
    large = [path for path, data in locks.items() if len(data) > MOST_BYTES]
    if large:
        operation.record(lasting=too_large(large[0]))
        return
    operation.prepare(is_staged=project.config.flag("core.autostage"))
    wanted = {os.path.join(project.root, path): data for path, data in locks.items()}
    operation.record(files=file_changes(project.layout, wanted))
