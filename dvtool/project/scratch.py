"""Data that comes to the disk without being tracked: by way of a cache that is gone when it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress

from dvtool.disk.beneath import open_root
from dvtool.disk.durable import PART_PREFIX
from dvtool.disk.durable import make_dirs
from dvtool.disk.exchange import NotSupported
from dvtool.disk.exchange import exchange
from dvtool.disk.lock import FileLock
from dvtool.disk.lock import LockHandle
from dvtool.errors import Locked
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.model.tree import Entry
from dvtool.project.environment import Environment
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.workspace.copying import remove_tree
from dvtool.workspace.restoring import rename_new
from dvtool.workspace.restoring import restore_entry

_PREFIX = PART_PREFIX + b"get-"
_LOCK = b"lock"
_CACHE = b"cache"
_OLD = b"old"


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
    """A cache in a temporary directory inside *folder*, which is made. What killed ones left there goes."""
    try:
        make_dirs(folder)
        _sweep(folder)
        place, lock = _begin(folder)
    except OSError as error:
        raise storage_error(error, "write", error.filename or folder) from error
    with lock:
        try:
            yield Cache(os.path.join(place, _CACHE), Settings(durable=False), environment.waiting)
        finally:
            _remove(place)


def put(cache: Cache, entry: Entry, target: bytes, reporter: Reporter) -> None:
    """Make *target* from what *entry* names, in place of what stands there. Raises as `restore_entry`.

    *cache* is one of `scratch_cache`, beside *target*.
    """
    place = os.path.dirname(cache.root)
    fresh = os.path.join(place, b"fresh")
    restore_entry(cache, entry, fresh, reporter)
    try:
        if not os.path.lexists(fresh):
            return
        if os.path.lexists(target):
            _replace(fresh, target, os.path.join(place, _OLD))
        else:
            rename_new(fresh, target)
    except OSError as error:
        raise storage_error(error, "write", target) from error


def _replace(fresh: bytes, target: bytes, old: bytes) -> None:
    """In one step, so that a kill leaves the old one or the new one; *old* is for file systems that lack it."""
    try:
        exchange(None, fresh, target)
    except NotSupported:
        if not os.path.isdir(fresh) and not os.path.isdir(target):
            os.rename(fresh, target)
            return
        os.rename(target, old)
        try:
            rename_new(fresh, target)
        except BaseException:
            os.rename(old, target)
            raise


def _begin(folder: bytes) -> tuple[bytes, LockHandle]:
    """A new directory that is locked. Until it is, who sweeps may take it away: then another."""
    while True:
        place = os.path.join(folder, _PREFIX + os.urandom(8).hex().encode("ascii"))
        os.mkdir(place, 0o700)
        try:
            lock = FileLock(os.path.join(place, _LOCK)).acquire(shared=False, what="downloading")
        except FileNotFoundError:
            continue
        except OSError:
            with suppress(OSError):
                os.rmdir(place)
            raise
        if os.path.exists(os.path.join(place, _LOCK)):
            try:
                os.mkdir(os.path.join(place, _CACHE))
            except OSError:
                _remove(place)
                lock.release()
                raise
            return place, lock
        lock.release()


def _sweep(folder: bytes) -> None:
    """Delete the directories of those who were killed: nobody holds their locks."""
    for name in os.listdir(folder):
        if not name.startswith(_PREFIX):
            continue
        place = os.path.join(folder, name)
        if os.path.lexists(os.path.join(place, _OLD)):
            continue  # killed between two renames: it may be all that there is of what stood at the target
        with suppress(OSError, Locked), FileLock(os.path.join(place, _LOCK)).acquire(shared=False, timeout=0):
            _remove(place)


def _remove(path: bytes) -> None:
    with suppress(OSError):
        parent = open_root(os.path.dirname(path))
        try:
            remove_tree(parent, os.path.basename(path))
        finally:
            os.close(parent)
