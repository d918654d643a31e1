"""The one place that takes stored objects out of a cache: for good, or into its trash."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from dvtool.disk.lock import LockHandle
from dvtool.model.digest import ObjectId
from dvtool.store.cache import Cache
from dvtool.store.localpacks import PackKey


def delete_packs(
    cache: Cache,
    keys: Iterable[PackKey],
    lock: LockHandle,
    *,
    loose: Iterable[ObjectId] = (),
    trash: Iterable[bytes] = (),
    into: bytes | None = None,
) -> None:
    """Unlink packs, then the index files that cover no pack that is left, then loose objects, then files of the trash.

    With *into*, the directory of a trash run, packs and loose objects are moved there instead, under
    their own names. The caller proves before that every object in them lies elsewhere, durably, or
    is wanted by nobody. *lock*: the exclusive lock of the cache. *trash*: paths. Raises ``OSError``;
    what was not reached then stays.
    """
    assert not lock.shared
    assert not lock.degraded
    taken = False
    for key in keys:
        taken = True
        _take(cache, cache.packs.path(key), into)
        cache.packs.removed(key)
    if taken:
        cache.packs.drop_stale_indexes()
    for oid in loose:
        _take(cache, cache.loose_path(oid), into)
        cache.removed_loose(oid)
    for path in trash:
        _take(cache, path, None)


def _take(cache: Cache, path: bytes, into: bytes | None) -> None:
    with contextlib.suppress(FileNotFoundError):
        if into is None:
            os.unlink(path)
            return
        target = os.path.join(into, os.path.relpath(path, cache.root))
        cache.make_folder(os.path.dirname(target))
        os.rename(path, target)
