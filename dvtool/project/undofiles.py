"""Taking pointers, ignore files and config files back to the bytes that they had."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import NamedTuple

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_root
from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import write_file
from dvtool.errors import storage_error
from dvtool.formats.oplog import FileChange
from dvtool.formats.oplog import Operation
from dvtool.formats.oplog import Where
from dvtool.git.ignore import lines_of
from dvtool.git.ignore import with_lines
from dvtool.git.ignore import without_lines
from dvtool.model.paths import split
from dvtool.project.layout import Layout
from dvtool.project.locate import MARKER
from dvtool.project.oplog import path_of
from dvtool.project.oplog import read_file

_IGNORE_FILES = (b".gitignore", b"exclude")
_MODE = 0o644
_PRIVATE = 0o600


class Edit(NamedTuple):
    """A file from what it is to what it was. ``mode``: permission bits for the new bytes."""

    where: Where
    path: bytes
    current: bytes | None
    target: bytes | None
    mode: int

    @property
    def comes_first(self) -> bool:
        """Before data moves: pointers come back, and what hides data from Git. What goes, goes last."""
        if self.target is None or self.current is None:
            return self.target is not None
        return os.path.basename(self.path) not in _IGNORE_FILES or len(self.target) >= len(self.current)


class FilesPlan(NamedTuple):
    """``changed``: files that are not what the operation left; without force, they stop it."""

    edits: tuple[Edit, ...]
    changed: tuple[bytes, ...]


def merged_files(newest_first: Iterable[Operation]) -> list[FileChange]:
    """One change a file: from before the oldest operation to after the newest."""
    found: dict[tuple[Where, bytes], FileChange] = {}
    for operation in newest_first:
        for change in operation.files:
            last = found.get((change.where, change.path), change)
            found[change.where, change.path] = change._replace(after=last.after)
    return list(found.values())


def plan_files(layout: Layout, changes: Iterable[FileChange]) -> FilesPlan:
    """Look at the files and decide. In an ignore file only the lines that were changed are taken back."""
    edits: list[Edit] = []
    changed: list[bytes] = []
    for change in changes:
        current, mode = read_file(path_of(layout, change.where, change.path))
        target = change.before
        if current not in (change.after, target):
            if os.path.basename(change.path) in _IGNORE_FILES:
                target = _without_change(current or b"", change)
            else:
                changed.append(change.path)
        if current != target:
            fresh = _MODE if change.where == "project" and change.path != MARKER + b"/config.local" else _PRIVATE
            edits.append(Edit(change.where, change.path, current, target, mode or change.mode or fresh))
    return FilesPlan(tuple(edits), tuple(changed))


def write_files(layout: Layout, edits: Iterable[Edit], *, durable: bool) -> None:
    """Carry edits out, each whole or not at all, never through a link. Raises `StorageError`, `UnsafeInput`."""
    for edit in edits:
        top = layout.root if edit.where == "project" or layout.git is None else layout.git.common_dir
        directory, name = split(edit.path)
        try:
            root_fd = open_root(top)
            try:
                fd = open_dir(root_fd, directory, create=edit.target is not None)
                try:
                    _write(fd, name, edit, durable=durable)
                finally:
                    os.close(fd)
                if edit.target is None and directory == MARKER:
                    with contextlib.suppress(OSError):
                        os.rmdir(directory, dir_fd=root_fd)
            finally:
                os.close(root_fd)
        except OSError as error:
            raise storage_error(error, "write", edit.path) from error


def as_changes(edits: Iterable[Edit]) -> list[FileChange]:
    """What the log notes of *edits*."""
    return [
        FileChange(edit.where, edit.path, edit.current, edit.target, 0 if edit.current is None else edit.mode)
        for edit in edits
    ]


def _write(fd: int, name: bytes, edit: Edit, *, durable: bool) -> None:
    if edit.target is not None:
        write_file(name, edit.target, mode=edit.mode, durable=durable, dir_fd=fd)
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=fd)
    if durable:
        fsync_dir(fd)


def _without_change(current: bytes, change: FileChange) -> bytes | None:
    before, after = lines_of(change.before or b""), lines_of(change.after or b"")
    added = [line for line in after if line not in before]
    removed = [line for line in before if line not in after]
    target = with_lines(without_lines(current, added), removed)
    return target if target or change.before is not None else None
