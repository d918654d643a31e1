"""Whole packs from a remote, proved before anybody may use them."""

from __future__ import annotations

import os
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
from dvtool.remote.failures import TransientError
from dvtool.store.packcheck import check_arrived
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
    """The proved pack under its temporary name, or None: ``gone`` from the remote, or else wrong twice."""

    job: WholeJob
    pack: FinishedPack | None
    gone: bool = False


def receive_whole(job: WholeJob) -> WholeResult:
    """Take a pack and prove it; one that is wrong is taken once more. Raises `StorageError`."""
    pack = job.pack
    require_space(job.tmp, pack.size, "receive into the cache")
    for _ in range(_TRIES):
        path = b""
        try:
            fd, path = open_temporary(job.tmp)
            os.close(fd)
            job.remote.get_file(key_of(pack), path, pack.size)
            return WholeResult(job, check_arrived(path, pack.pack_class, pack.id, pack.size, sync=job.sync))
        except (FormatError, IntegrityError):
            discard(None, path)
        except MissingData:
            discard(None, path)
            return WholeResult(job, None, gone=True)
        except OSError as error:
            discard(None, path)
            raise storage_error(error, "write to the cache", path or job.tmp) from error
        except BaseException as error:
            discard(None, path)
            plain = isinstance(error, StorageError) and not isinstance(error, TransientError)
            if plain and not is_there(job.remote, pack):
                return WholeResult(job, None, gone=True)
            raise
    return WholeResult(job, None)


def drop_whole(result: WholeResult) -> None:
    """Throw a pack away that nobody wants any more."""
    if result.pack is not None:
        discard(None, result.pack.path)
