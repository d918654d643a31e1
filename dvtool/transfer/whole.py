"""Whole packs from a remote, proved before anybody may use them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from dvtool.disk.durable import discard
from dvtool.disk.durable import open_temporary
from dvtool.disk.partial import open_partial
from dvtool.disk.partial import settled
from dvtool.disk.space import require_space
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.formats.index import IndexedPack
from dvtool.model.ports import Remote
from dvtool.remote.appending import append_rest
from dvtool.remote.failures import TransientError
from dvtool.store.packcheck import check_arrived
from dvtool.store.packcheck import sound_beginning
from dvtool.store.packwriter import FinishedPack
from dvtool.transfer.presence import key_of
from dvtool.transfer.ranges import is_there

_TRIES = 2


class WholeJob(NamedTuple):
    """Take *pack* from *remote* into a temporary in *tmp*."""

    remote: Remote
    pack: IndexedPack
    tmp: bytes
    sync: bool


class WholeResult(NamedTuple):
    """The proved pack under its temporary name, or None: ``gone`` from the remote, or else wrong twice.

    ``received``: the bytes that came for it now."""

    job: WholeJob
    pack: FinishedPack | None
    gone: bool = False
    received: int = 0


def receive_whole(job: WholeJob) -> WholeResult:
    """Take a pack and prove it; one that is wrong is taken once more. Raises `StorageError`.

    What arrived before the network failed, or the process was killed, is gone on with by the next command.
    """
    pack = job.pack
    require_space(job.tmp, pack.size, "receive into the cache")
    received = 0
    for attempt in range(_TRIES):
        path = b""
        try:
            with _temporary(job, may_go_on=attempt == 0) as (path, start):
                received += pack.size - start
                _fetch(job, path, start)
                arrived = check_arrived(path, pack.pack_class, pack.id, pack.size, sync=job.sync)
                # Still under its lock: then nobody goes on with it.
                return WholeResult(job, arrived._replace(path=settled(path)), received=received)
        except (FormatError, IntegrityError):
            discard(None, path)
        except MissingData:
            discard(None, path)
            return WholeResult(job, None, gone=True)
        except OSError as error:
            discard(None, path)
            raise storage_error(error, "write to the cache", path or job.tmp) from error
        except StorageError as error:
            if not isinstance(error, TransientError) and not is_there(job.remote, pack):
                discard(None, path)
                return WholeResult(job, None, gone=True)
            raise
    return WholeResult(job, None, received=received)


@contextmanager
def _temporary(job: WholeJob, *, may_go_on: bool) -> Iterator[tuple[bytes, int]]:
    """Where to write, and how many right bytes are there. Half a pack stays there after a `StorageError` or a kill."""
    pack = job.pack
    name = key_of(pack).replace("/", "-").encode("ascii")
    partial = open_partial(job.tmp, name) if may_go_on and job.remote.capabilities.ranges else None
    fd, path = partial or open_temporary(job.tmp)
    try:
        held = sound_beginning(path, pack.pack_class) if os.fstat(fd).st_size else 0
        held = held if held < pack.size else 0
        os.ftruncate(fd, held)
        yield path, held
    except StorageError:
        if partial is None:
            discard(None, path)
        raise
    finally:
        os.close(fd)


def _fetch(job: WholeJob, path: bytes, start: int) -> None:
    key, size = key_of(job.pack), job.pack.size
    if start:
        append_rest(job.remote, key, path, size)
    else:
        job.remote.get_file(key, path, size)


def drop_whole(result: WholeResult) -> None:
    """Throw a pack away that nobody wants any more."""
    if result.pack is not None:
        discard(None, result.pack.path)
