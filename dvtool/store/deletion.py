"""Taking packs out of a cache."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable

from dvtool.disk.lock import LockHandle
from dvtool.store.cache import Cache
from dvtool.store.localpacks import PackKey


def delete_packs(cache: Cache, keys: Iterable[PackKey], lock: LockHandle) -> None:
    """Unlink packs, then the index files that cover no pack that is left.

    The caller proves before that every object in them lies elsewhere, durably, or is wanted by nobody.
    *lock*: the exclusive lock of the cache. Raises ``OSError``; what was not reached then stays.
    """
    assert not lock.shared
    assert not lock.degraded
    for key in keys:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(cache.packs.path(key))
        cache.packs.removed(key)
    cache.packs.drop_stale_indexes()
