"""Moving a project in that another tool began: what is written is one plan, and one operation that `undo` takes back.

No byte of data is read, hashed, copied or sent: pointers and locks state the digests that the other tool knew.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_root
from dvtool.disk.durable import discard_parts
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.errors import storage_error
from dvtool.formats.config import Key
from dvtool.git.lfsfiles import forget_files
from dvtool.git.worktree import stage as stage_in_git
from dvtool.model.paths import join
from dvtool.model.paths import split
from dvtool.pipeline.types import Stage
from dvtool.project.config import Level
from dvtool.project.confirm import set_confirmed
from dvtool.project.environment import Environment
from dvtool.project.layout import Layout
from dvtool.project.locate import MARKER
from dvtool.project.oplog import begin_at
from dvtool.project.oplog import file_changes
from dvtool.workspace.pointers import remove_pointer

CONFIG = MARKER + b"/config"
_ATTRIBUTES = b".gitattributes"
_LOOKED_FOR_FIRST = (b"dvc.yaml", b"config")
"""Names of DVC's by which the rest is found, a lock by its definition, all by the settings: they go after the rest."""


class Converted(NamedTuple):
    """A file of the other tool, and what takes its place. ``what``: pointer, pipeline, lock, ignore or settings."""

    what: str
    source: bytes
    target: bytes


@dataclass(frozen=True, slots=True)
class Migration:
    """``files``: path from the root, the text that it is to have, None to take it away. ``settings`` go into the
    user's own file. ``notes``: what people should know, a line each. ``stages``: those that are defined.
    ``tracked``: the paths that are data then; ``untracked``: those of them that leave Git's index."""

    origin: str
    files: Mapping[bytes, bytes | None]
    converted: tuple[Converted, ...] = ()
    settings: tuple[tuple[Key, str], ...] = ()
    notes: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    tracked: tuple[bytes, ...] = ()
    untracked: tuple[bytes, ...] = ()

    @property
    def removed(self) -> tuple[bytes, ...]:
        """The files that go."""
        return tuple(path for path, data in self.files.items() if data is None)

    @property
    def is_empty(self) -> bool:
        return not self.files and not self.settings


def carry_out(layout: Layout, environment: Environment, migration: Migration) -> None:
    """Write it all and stage it in Git. A killed one is finished by the next: what it was made from goes last.

    Raises `StorageError`, `UnsafeInput` for a path through a link.
    """
    wanted = {os.path.join(layout.root, path): data for path, data in migration.files.items()}
    with begin_at(layout, environment, "migrate") as operation:
        operation.prepare(summary=f"from {migration.origin}", is_staged=layout.git is not None)
        operation.record(files=file_changes(layout, wanted))
        written = [path for path, data in migration.files.items() if data is not None]
        _sweep(layout.root, {MARKER, *(split(path)[0] for path in written)})
        for path in sorted(written, key=lambda path: path == CONFIG):
            _write(layout.root, path, migration.files[path] or b"")
        for key, value in migration.settings:
            set_confirmed(layout, environment, Level.LOCAL, str(key), value)
        for path in sorted(migration.removed, key=_removal_rank):
            remove_pointer(layout.root, path, durable=True)
        if layout.git is not None:
            forget_files(layout.git, [layout.to_git(path) for path in migration.untracked])
            staged = [path for path in migration.files if path not in migration.untracked]
            count = sum(split(path)[1] == _ATTRIBUTES for path in staged)
            # Git takes attributes that are gone from the worktree out of its index: they go first.
            staged.sort(key=lambda path: split(path)[1] != _ATTRIBUTES)
            for some in (staged[:count], staged[count:]):
                stage_in_git(layout.git, [layout.to_git(path) for path in some])


def _removal_rank(path: bytes) -> int:
    name = split(path)[1]
    return 1 + _LOOKED_FOR_FIRST.index(name) if name in _LOOKED_FOR_FIRST else 0


def _write(root: bytes, path: bytes, data: bytes) -> None:
    folder, name = split(path)
    try:
        if folder == MARKER:
            make_dirs(join(root, MARKER))
        root_fd = open_root(root)
        try:
            fd = open_dir(root_fd, folder)
        finally:
            os.close(root_fd)
        try:
            write_file(name, data, mode=_mode(name, fd), dir_fd=fd)
        finally:
            os.close(fd)
    except OSError as error:
        raise storage_error(error, "write", path) from error


def _sweep(root: bytes, folders: Iterable[bytes]) -> None:
    root_fd = open_root(root)
    try:
        for folder in folders:
            with suppress(OSError):
                fd = open_dir(root_fd, folder)
                try:
                    discard_parts(fd)
                finally:
                    os.close(fd)
    finally:
        os.close(root_fd)


def _mode(name: bytes, fd: int) -> int:
    try:
        return stat.S_IMODE(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return 0o644
