"""Data that comes to the disk without being tracked: by way of a cache that is gone when it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress

from dvtool.disk.beneath import open_root
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import part_name
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.model.tree import Entry
from dvtool.project.environment import Environment
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.workspace.copying import remove_tree
from dvtool.workspace.restoring import restore_entry


def output_path(stated: bytes | None, name: bytes, environment: Environment, *, force: bool) -> bytes:
    """Where something called *name* goes, absolute; as `cp` does, into a directory that is there.

    Raises `UsageError` where something stands there, unless *force*.
    """
    full = os.path.normpath(os.path.join(environment.cwd, stated if stated is not None else name))
    if stated is not None and os.path.isdir(full) and not force:
        full = os.path.join(full, name)
    if os.path.lexists(full) and not force:
        raise UsageError(
            f"{show(stated or name)} is there already, and nothing is replaced",
            path=full,
            hint="name another place with -o, or replace it with --force",
        )
    return full


@contextmanager
def scratch_cache(folder: bytes, environment: Environment) -> Iterator[Cache]:
    """A cache in a temporary directory inside *folder*, which is made."""
    place = os.path.join(folder, part_name())
    try:
        make_dirs(folder)
        os.mkdir(place, 0o700)
    except OSError as error:
        raise storage_error(error, "write", error.filename or folder) from error
    try:
        yield Cache(place, Settings(durable=False), environment.waiting)
    finally:
        _remove(place)


def put(cache: Cache, entry: Entry, target: bytes, reporter: Reporter) -> None:
    """Make *target* from what *entry* names, in place of what stands there. Raises as `restore_entry`."""
    if not os.path.lexists(target):
        restore_entry(cache, entry, target, reporter)
        return
    fresh = os.path.join(os.path.dirname(target), part_name())
    restore_entry(cache, entry, fresh, reporter)
    old = os.path.join(os.path.dirname(target), part_name())
    try:
        os.rename(target, old)
        os.rename(fresh, target)
    except OSError as error:
        raise storage_error(error, "write", target) from error
    _remove(old)


def _remove(path: bytes) -> None:
    with suppress(OSError):
        parent = open_root(os.path.dirname(path))
        try:
            remove_tree(parent, os.path.basename(path))
        finally:
            os.close(parent)
