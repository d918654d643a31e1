"""Packs of a remote, each by itself: its table, or every byte of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from dvtool.disk.durable import discard
from dvtool.disk.durable import open_temporary
from dvtool.disk.space import require_space
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.formats.index import IndexedPack
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.remote.failures import TransientError
from dvtool.store.cache import Cache
from dvtool.store.packcheck import check_whole
from dvtool.transfer.presence import key_of
from dvtool.transfer.ranges import is_there
from dvtool.transfer.remotestore import proved_table

_TRIES = 2
_WRONG = (FormatError, IntegrityError)


class PackLook(NamedTuple):
    """What a look at one pack gave: its table, or ``why`` it is damaged, or neither where it is gone by now."""

    pack: IndexedPack
    table: bytes
    why: str = ""
    whole: bool = False


class LookJob(NamedTuple):
    """Look at *pack*; *tmp* for a whole copy, empty for a look at its table only."""

    remote: Remote
    pack: IndexedPack
    tmp: bytes = b""


@contextmanager
def temporaries(cache: Cache, reporter: Reporter) -> Iterator[bytes]:
    """The folder for temporaries, in which nobody sweeps while this is open. Raises `StorageError`, `Locked`."""
    try:
        cache.make_folder(cache.tmp)
        lock = cache.lock.acquire(shared=True, on_wait=reporter.note, what="fsck")
    except OSError as error:
        raise storage_error(error, "make temporaries in", error.filename or cache.tmp) from error
    with lock:
        yield cache.tmp


def look_at(job: LookJob) -> PackLook:
    """Make the look; what is wrong is read once more before it counts as damaged. Raises `StorageError`."""
    why = ""
    for _ in range(_TRIES):
        try:
            table = _whole(job) if job.tmp else proved_table(job.remote, job.pack)
            return PackLook(job.pack, table, whole=bool(job.tmp))
        except MissingData:
            return PackLook(job.pack, b"")
        except _WRONG as error:
            why = _without_temporary(error.message, job)
        except TransientError:
            raise
        except StorageError:
            if is_there(job.remote, job.pack):
                raise
            return PackLook(job.pack, b"")
    return PackLook(job.pack, b"", why)


def _whole(job: LookJob) -> bytes:
    path = take_whole(job.remote, job.pack, job.tmp)
    try:
        return check_whole(path, job.pack.pack_class, job.pack.id, job.pack.size)
    except OSError as error:
        raise storage_error(error, "read", path) from error
    finally:
        discard(None, path)


def take_whole(remote: Remote, pack: IndexedPack, tmp: bytes) -> bytes:
    """The bytes of a pack as they are, in a temporary that is the caller's to remove. Raises as `Remote.get_file`."""
    require_space(tmp, pack.size, "receive for checking")
    try:
        fd, path = open_temporary(tmp)
    except OSError as error:
        raise storage_error(error, "write to", tmp) from error
    os.close(fd)
    try:
        remote.get_file(key_of(pack), path, pack.size)
    except BaseException:
        discard(None, path)
        raise
    return path


def _without_temporary(message: str, job: LookJob) -> str:
    """The message about the key, not about the temporary that its bytes were taken into."""
    where = f"remote {job.remote.name}: {key_of(job.pack)}"
    return message if message.startswith(where) else f"{where}: {message.rpartition(': ')[2]}"
