"""Changing config files."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextvars import ContextVar

from dvtool.disk.durable import discard_parts
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.disk.lock import FileLock
from dvtool.errors import ConfigError
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats import config as text
from dvtool.formats.settings import check_in_project
from dvtool.formats.settings import needs_trust
from dvtool.formats.settings import parse_value
from dvtool.formats.settings import setting_of
from dvtool.project.config import Level
from dvtool.project.config import level_path
from dvtool.project.config import read_config_file
from dvtool.project.config import unwritten
from dvtool.project.layout import Layout
from dvtool.project.oplog import current
from dvtool.project.oplog import file_changes
from dvtool.project.oplog import require_own

_PRIVATE = (Level.LOCAL, Level.USER)


class _Edits:
    """What a command has changed so far. The locks of the files are held until all is written."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.locks = contextlib.ExitStack()
        self.locked: set[bytes] = set()
        self.texts: dict[bytes, bytes] = {}
        self.levels: dict[bytes, Level] = {}


_together: ContextVar[_Edits | None] = ContextVar("edits", default=None)


@contextlib.contextmanager
def together(layout: Layout) -> Iterator[None]:
    """Each file that is edited inside is written once, at the end, or not at all; reading settings shows the edits.

    Raises `StorageError`, and as `set_setting`.
    """
    if _together.get() is not None:
        yield
        return
    edits = _Edits(layout)
    token, shown = _together.set(edits), unwritten.set(edits.texts)
    with edits.locks:
        try:
            yield
        finally:
            _together.reset(token)
            unwritten.reset(shown)
        for path, data in edits.texts.items():
            _write(layout, path, edits.levels[path], data)


def set_setting(layout: Layout, level: Level, key: str, value: str, *, with_trust: bool = False) -> bytes:
    """Write one setting into the file of a level and return the file's path. *with_trust*: into the
    committed one also what counts only for those who trust the remote.

    Raises `UnsafeInput` for a secret, or anything else that must not be committed, aimed at the
    project; `ConfigError` for an unknown key or a wrong value.
    """
    parsed = text.parse_key(key)
    setting = setting_of(parsed)
    if level is Level.PROJECT:
        if not (with_trust and needs_trust(parsed, value)):
            check_in_project(parsed, value)
    elif setting.only_project:
        raise UsageError(f"{key} belongs into the committed file", hint=f"dvtool config --project {key} VALUE")
    parse_value(parsed, value)
    with _editing(layout, level) as path:
        return _rewrite(layout, path, level, text.set_value(read_config_file(path), parsed, value, os.fsdecode(path)))


def unset_setting(layout: Layout, level: Level, key: str) -> bytes:
    """Take one setting, known or not, out of the file of a level; raises `ConfigError` if it is not in there."""
    parsed = text.parse_key(key)
    with _editing(layout, level) as path:
        where = os.fsdecode(path)
        old = read_config_file(path)
        if all(entry.key != parsed for entry in text.parse_config(old, where)):
            raise ConfigError(f"{key} is not set in {where}", path=path, hint="dvtool config --list --show-origin")
        return _rewrite(layout, path, level, text.unset_value(old, parsed, where))


def remove_remote(layout: Layout, level: Level, name: str) -> bytes | None:
    """Drop all settings of a remote from one file; None if it has none."""
    with _editing(layout, level) as path:
        old = read_config_file(path)
        new = text.remove_section(old, "remote", name, os.fsdecode(path))
        return None if new == old else _rewrite(layout, path, level, new)


def rename_remote(layout: Layout, level: Level, old_name: str, new_name: str) -> bytes | None:
    """Call a remote otherwise in one file; None if that file does not know it."""
    with _editing(layout, level) as path:
        old = read_config_file(path)
        new = text.rename_section(old, "remote", old_name, text.check_name(new_name), os.fsdecode(path))
        return None if new == old else _rewrite(layout, path, level, new)


@contextlib.contextmanager
def _editing(layout: Layout, level: Level) -> Iterator[bytes]:
    """The file of a level, which nobody else edits meanwhile: of two edits at once both count."""
    if level is Level.PROJECT:
        require_own(layout, "config --project")
    path = level_path(layout, level)
    # The committed file lies among the user's own.
    beside = os.path.join(layout.state_dir, b"config") if level is Level.PROJECT else path
    edits = _together.get()
    if edits is not None and beside in edits.locked:
        yield path
        return
    try:
        make_dirs(os.path.dirname(beside))
        lock = FileLock(beside + b".lock", waiting=layout.waiting).acquire(shared=False, what="editing settings")
    except OSError as error:
        raise storage_error(error, "write", path) from error
    if edits is not None:
        edits.locks.enter_context(lock)
        edits.locked.add(beside)
        yield path
        return
    with lock:
        yield path


def _rewrite(layout: Layout, path: bytes, level: Level, data: bytes) -> bytes:
    edits = _together.get()
    if edits is None:
        return _write(layout, path, level, data)
    edits.texts[path] = data
    edits.levels[path] = level
    return path


def _write(layout: Layout, path: bytes, level: Level, data: bytes) -> bytes:
    operation = current()
    if operation is not None and level in (Level.LOCAL, Level.PROJECT):
        operation.record(files=file_changes(layout, {path: data}))
    try:
        make_dirs(os.path.dirname(path))
        if level is Level.PROJECT:
            discard_parts(os.path.dirname(path))
        write_file(path, data, mode=0o600 if level in _PRIVATE else _mode(path))
    except OSError as error:
        raise storage_error(error, "write", path) from error
    return path


def _mode(path: bytes) -> int:
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except FileNotFoundError:
        return 0o644
