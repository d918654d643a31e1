"""From another cache on this disk into ours: what it has, verified; what it lacks or has damaged is passed over."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from dvtool.disk.beneath import open_root
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import storage_error
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.transfer.types import Only
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import Need
from dvtool.transfer.walk import Walk

_AT_ONCE = 20_000


def copy_from_cache(
    cache: Cache, other: Cache, wanted: Iterable[Wanted], only: Only, reporter: Reporter
) -> tuple[int, int]:
    """Bring what *wanted* needs, *only* takes and *other* has: how many files, and their bytes.

    Raises `UsageError` for a path that is not in its directory, `StorageError` where ours cannot be written or theirs
    not be read.
    """
    with CacheWriter(cache, what="copying from another cache", on_wait=reporter.note) as writer:
        work = _Copying(cache, other, writer, reporter)
        pending: list[Need] = []
        for need in Walk(work.pages).needs(wanted):
            if need.kind == BYTES and only.takes(need.path, need.size) and not cache.has_blob(need.oid):
                pending.append(need)
                if len(pending) >= _AT_ONCE:
                    work.copy(pending)
                    pending = []
        work.copy(pending)
        writer.commit()
    cache.forget()
    return work.files, work.size


class _Copying:
    def __init__(self, cache: Cache, other: Cache, writer: CacheWriter, reporter: Reporter) -> None:
        self._cache = cache
        self._other = other
        self._writer = writer
        self._reporter = reporter
        self.files = 0
        self.size = 0

    def pages(self, oids: Sequence[ObjectId]) -> Mapping[ObjectId, bytes | DvtoolError]:
        return {oid: self._page(oid) for oid in oids}

    def _page(self, oid: ObjectId) -> bytes | DvtoolError:
        try:
            return self._cache.read_meta(oid, TREE)
        except (MissingData, IntegrityError):
            pass
        try:
            page = self._other.read_meta(oid, TREE)
        except (DvtoolError, OSError) as error:
            return error if isinstance(error, DvtoolError) else MissingData(str(error))
        self._writer.put_tree(page)
        return page

    def copy(self, needs: Sequence[Need]) -> None:
        if not needs:
            return
        self._reporter.begin("copying", total=len(needs))
        packed, rest = self._other.in_pack_order(dict.fromkeys(need.oid for need in needs))
        for oid, data in self._other.read_packed(packed):
            if not isinstance(data, IntegrityError):
                self._writer.put_small(data, oid)
                self._count(len(data))
        for oid in rest:
            if self._other.has_loose(oid):
                self._loose(oid)
        self._reporter.end()

    def _loose(self, oid: ObjectId) -> None:
        path = self._other.loose_path(oid)
        try:
            folder = open_root(os.path.dirname(path))
        except OSError:
            return
        try:
            size = os.stat(path).st_size
            if self._writer.is_small(size):
                self._writer.put_small(self._other.read_blob(oid), oid)
            else:
                # Hashed as it is stored: under whichever name it turns out to be, that is right.
                self._writer.put_file(folder, os.path.basename(path), path)
            self._count(size)
        except (FileNotFoundError, PermissionError):
            return
        except OSError as error:
            # Not passed over: which of the two disks it was is not told, and "absent" would send people elsewhere.
            raise storage_error(error, "copy", path) from error
        finally:
            os.close(folder)

    def _count(self, size: int) -> None:
        self.files += 1
        self.size += size
        self._reporter.advance(1)
