"""What a run of stages changes beside the data: ignore files first, locks, and the note of both for `undo`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from dvtool.errors import UnsafeInput
from dvtool.formats.oplog import FileChange
from dvtool.formats.oplog import Place
from dvtool.formats.oplog import Row
from dvtool.model.paths import show
from dvtool.pipeline.lockfile import lock_path
from dvtool.pipeline.recording import Change
from dvtool.pipeline.types import Stage
from dvtool.project.open import Project
from dvtool.project.oplog import Recorder
from dvtool.project.oplog import file_changes
from dvtool.project.oplog import read_file

MOST_BYTES = 256 << 10
"""A lock larger than that is not copied into the operation log, which keeps 1,000 operations."""
_SHOWN = 3


def too_large(lock: bytes) -> str:
    """Why a change of it cannot be taken back."""
    return f"{show(lock)} is too large to be kept twice: go back with Git, then `dvtool checkout`"


class RunFiles:
    """For one run of *stages*, noted in *operation*. ``changed``: what belongs into the next commit."""

    def __init__(self, project: Project, operation: Recorder, stages: Sequence[Stage]) -> None:
        self._project = project
        self._operation = operation
        self._stages = stages
        paths = {lock_path(stage.file) for stage in stages}
        self._locks = {path: read_file(os.path.join(project.root, path)) for path in paths}
        self.changed: set[bytes] = set()
        self.visible: tuple[bytes, ...] = ()

    def begin(self) -> None:
        """Before the first stage runs: make Git ignore the outputs that go into the cache.

        Raises `UnsafeInput` for one that Git tracks, or where an ignore file is a link.
        """
        project = self._project
        outs = list(dict.fromkeys(out.path for stage in self._stages for out in stage.outs if out.cache))
        if project.git is None or not outs:
            return
        from dvtool.git.ignore import ensure_ignored

        self._refuse_tracked(outs)
        result = ensure_ignored(
            project.git,
            [project.layout.to_git(path) for path in outs],
            where="exclude" if project.config.text("core.ignore") == "exclude" else "gitignore",
            about_to=self._note_ignore_files,
        )
        layout = project.layout
        files = [path for path in result.changed if not path.startswith(b"/") and path.startswith(layout.prefix)]
        self.changed |= {layout.from_git(path) for path in files}
        self.visible = tuple(layout.from_git(path) for path in result.visible)

    def end(self, written: Iterable[bytes], changes: Mapping[bytes, Change], bases: Iterable[bytes]) -> None:
        """Note the locks that were *written* and what became of outputs; *bases*: those that are kept in the cache."""
        project = self._project
        files: list[FileChange] = []
        lasting = ""
        for path in sorted(written):
            if path not in self._locks:
                # A stage elsewhere had an output that belongs now to one of these.
                self.changed.add(path)
                lasting = f"{show(path)} lost an output to a stage that ran: go back with Git, then `dvtool checkout`"
                continue
            before, mode = self._locks[path]
            after, _ = read_file(os.path.join(project.root, path))
            if before == after:
                continue
            self.changed.add(path)
            if max(len(before or b""), len(after or b"")) > MOST_BYTES:
                lasting = too_large(path)
            else:
                files.append(FileChange("project", path, before, after, mode))
        if lasting:
            files = []
        tracked = set(bases)
        rows = [Row(change.path, change.before, change.after) for change in changes.values() if change.path in tracked]
        self._operation.prepare(bases=rows, is_staged=project.config.flag("core.autostage"))
        self._operation.record(
            files=files,
            places=[] if lasting else [Place(each.path, each.before, each.after) for each in changes.values()],
            lasting=lasting,
            summary=_summary([each.path for each in changes.values()]),
        )
        if project.git is not None and self.changed and project.config.flag("core.autostage"):
            from dvtool.git.worktree import stage

            stage(project.git, [project.layout.to_git(path) for path in sorted(self.changed)])

    def _note_ignore_files(self, edits: Mapping[bytes, bytes | None]) -> None:
        project = self._project
        top = project.git.worktree if project.git is not None else project.root
        changes = file_changes(project.layout, {os.path.join(top, path): data for path, data in edits.items()})
        self._operation.record(files=changes)

    def _refuse_tracked(self, outs: Sequence[bytes]) -> None:
        from dvtool.git.worktree import tracked

        project = self._project
        if project.git is None:
            return
        layout = project.layout
        taken = tracked(project.git, [layout.to_git(path) for path in outs])
        for path in outs:
            if layout.to_git(path) in taken:
                owner = next(stage for stage in self._stages if any(out.path == path for out in stage.outs))
                raise UnsafeInput(
                    f"{show(path)}, an output of stage {owner.address}, is tracked by Git",
                    path=path,
                    hint=f"git rm -r --cached {show(path)}, or say `cache: false` where the stage names it",
                )


def _summary(paths: Sequence[bytes]) -> str:
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return ", ".join(map(show, paths[:_SHOWN])) + more
