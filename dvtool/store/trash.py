"""The trash of a cache: what collections took, until it expires. See ``docs/formats/trash.md``.

One directory a run, with what it holds under the names it had in the cache, and ``run.json``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from datetime import datetime
from datetime import timezone
from typing import NamedTuple

from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import write_file
from dvtool.disk.lock import LockHandle
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.trashrun import TrashRun
from dvtool.formats.trashrun import decode_trash_run
from dvtool.formats.trashrun import encode_trash_run
from dvtool.formats.trashrun import is_run_id
from dvtool.model.paths import show
from dvtool.store.cache import Cache
from dvtool.store.deletion import delete_packs

TRASH = b"trash"
_RUN = b"run.json"
_MOST_TEXT = 1 << 20


class TrashedRun(NamedTuple):
    """A run in the trash. ``stored``: bytes of the files that are in it now."""

    run: TrashRun
    stored: int


class PutBack(NamedTuple):
    """``files`` went back to their names; ``present`` were in the cache again already."""

    files: int
    bytes: int
    present: int


def new_run(cache: Cache, *, now: float, why: str, objects: int, size: int) -> tuple[TrashRun, bytes]:
    """Begin a run: its directory, with a durable ``run.json`` before anything is moved there. Raises ``OSError``."""
    stamp = datetime.fromtimestamp(int(now), tz=timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    run = TrashRun(f"{stamp}-{os.urandom(4).hex()}", int(now), why, objects, size)
    folder = _folder(cache, run.id)
    cache.make_folder(folder)
    write_file(os.path.join(folder, _RUN), encode_trash_run(run), durable=cache.settings.durable)
    if cache.settings.durable:
        fsync_dir(os.path.dirname(folder))
        fsync_dir(cache.root)
    return run, folder


def sync_run(cache: Cache, run_id: str) -> None:
    """Bring the names of everything in a run to the medium. Raises ``OSError``."""
    if cache.settings.durable:
        for folder, _, _ in os.walk(_folder(cache, run_id)):
            fsync_dir(folder)


def list_runs(cache: Cache) -> list[TrashedRun]:
    """Every run that holds something, the oldest first. Raises `FormatError`, `IntegrityError`, `StorageError`."""
    found = []
    for name in _names(cache):
        files = list(_files(cache, name))
        if files:
            found.append(TrashedRun(_read(cache, name), sum(size for _, size in files)))
    return sorted(found, key=lambda each: (each.run.when, each.run.id))


def put_back(cache: Cache, run_id: str) -> PutBack:
    """Move all of a run back to where it was; then the run is gone.

    What has its name again already stays as it is there. Waits for the exclusive lock as the cache
    is set to. Killed on the way, the same call goes on. Raises `UsageError` for an unknown or
    expired run, `Locked`, `StorageError`.
    """
    try:
        with cache.lock.acquire(
            shared=False, timeout=cache.waiting.timeout, on_wait=cache.waiting.on_wait, what="taking a gc back"
        ) as lock:
            if lock.degraded:
                raise no_locks(cache)
            return _put_back(cache, run_id, lock)
    except OSError as error:
        raise storage_error(error, "put back from the trash", error.filename or cache.root) from error


def expire(cache: Cache, now: float, keep_seconds: float, lock: LockHandle) -> int:
    """Delete the runs that are at least so old; the bytes that this freed. Needs the exclusive *lock*.

    A run whose ``run.json`` cannot be read stays. Raises ``OSError``.
    """
    freed = 0
    for name in _names(cache):
        is_empty = not any(_files(cache, name))
        try:
            is_due = is_empty or _read(cache, name).when <= now - keep_seconds
        except DvtoolError:
            continue
        if is_due:
            freed += _delete(cache, name, lock)
    return freed


def expired(cache: Cache, now: float, keep_seconds: float) -> list[TrashedRun]:
    """The runs that `expire` would delete. Raises as `list_runs`."""
    return [each for each in list_runs(cache) if each.run.when <= now - keep_seconds]


def no_locks(cache: Cache) -> StorageError:
    """The error for a file system without locks, on which nothing is taken away."""
    return StorageError(
        f"the file system of {show(cache.root)} has no locks, so nothing can be deleted beside other commands",
        path=cache.root,
        hint="move the cache to another file system: dvtool cache dir PATH",
    )


def _put_back(cache: Cache, run_id: str, lock: LockHandle) -> PutBack:
    if not is_run_id(run_id) or run_id not in _names(cache):
        raise UsageError(f"there is no run {run_id} in the trash of the cache", hint="it may have expired")
    files = back = present = 0
    folders: set[bytes] = set()
    for path, size in list(_files(cache, run_id)):
        target = os.path.join(cache.root, os.path.relpath(path, _folder(cache, run_id)))
        if os.path.lexists(target):
            present += 1
            continue
        cache.make_folder(os.path.dirname(target))
        os.rename(path, target)
        files, back = files + 1, back + size
        folders.update((os.path.dirname(target), os.path.dirname(os.path.dirname(target))))
    if cache.settings.durable:
        for folder in sorted(folders, reverse=True):
            fsync_dir(folder)
    _delete(cache, run_id, lock)
    cache.forget()
    return PutBack(files, back, present)


def _delete(cache: Cache, run_id: str, lock: LockHandle) -> int:
    top = _folder(cache, run_id)
    files = list(_files(cache, run_id))
    # The description goes last: what is left after a kill is still a run.
    others = [os.path.join(top, name) for name in os.listdir(top) if not os.path.isdir(os.path.join(top, name))]
    delete_packs(cache, (), lock, trash=[*(path for path, _ in files), *others])
    for folder, _, _ in os.walk(top, topdown=False):
        os.rmdir(folder)
    return sum(size for _, size in files)


def _names(cache: Cache) -> list[str]:
    folder = os.path.join(cache.root, TRASH)
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise storage_error(error, "list", folder) from error
    return sorted(name for name in map(os.fsdecode, names) if is_run_id(name))


def _files(cache: Cache, run_id: str) -> Iterator[tuple[bytes, int]]:
    """Everything in a run but its description, with its size."""
    for name in (b"data", b"meta", b"objects"):
        for folder, _, files in os.walk(os.path.join(_folder(cache, run_id), name)):
            for file in sorted(files):
                path = os.path.join(folder, file)
                yield path, os.lstat(path).st_size


def _folder(cache: Cache, run_id: str) -> bytes:
    return os.path.join(cache.root, TRASH, os.fsencode(run_id))


def _read(cache: Cache, run_id: str) -> TrashRun:
    path = os.path.join(_folder(cache, run_id), _RUN)
    try:
        with open(path, "rb") as file:
            return decode_trash_run(file.read(_MOST_TEXT), show(path))
    except OSError as error:
        raise storage_error(error, "read", path) from error


def stored_bytes(runs: Iterable[TrashedRun]) -> int:
    """What these runs take on the disk."""
    return sum(each.stored for each in runs)
