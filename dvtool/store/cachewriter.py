"""Writes objects into the cache: hash what is stored, publish once, durable before named."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from blake3 import blake3

from dvtool.disk.beneath import open_file
from dvtool.disk.clone import copy_range
from dvtool.disk.clone import read_blocks
from dvtool.disk.clone import reflink
from dvtool.disk.durable import PART_PREFIX
from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.disk.durable import discard
from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import fsync_file
from dvtool.disk.durable import open_temporary
from dvtool.disk.durable import publish
from dvtool.disk.partial import PARTIAL_PREFIX
from dvtool.disk.partial import drop_stale_partials
from dvtool.disk.signature import FileSystemClock
from dvtool.disk.signature import signature_of
from dvtool.disk.space import require_space
from dvtool.disk.writers import has_writer
from dvtool.errors import DvtoolError
from dvtool.errors import Locked
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import TREE
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.store.cache import LOOSE_FROM
from dvtool.store.cache import Cache
from dvtool.store.consolidate import consolidate_if_due
from dvtool.store.foreign import is_right
from dvtool.store.localpacks import PackKey
from dvtool.store.loosetemporary import LooseTemporary
from dvtool.store.packwriter import FinishedPack
from dvtool.store.packwriter import PackWriter

_LARGE = 1 << 20
"""What is as large is not read again by the process that stored it; of millions of small ones none keeps a list."""
_BLOCK = 1 << 20
_TRIES = 3
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
_SWEPT = (b"tmp", b"", b"index", b"roots")
"""Folders of a cache in which a killed command may leave a temporary; those who write there hold the lock."""


_PARTIALS_KEPT_NS = 7 * 86_400 * 1_000_000_000


class CacheWriter:
    """One writing session on a cache: a context manager that holds the cache's shared lock.

    Objects count only after `commit`: then all are complete, synced (unless the cache is set
    otherwise) and published, file bytes before the trees and recipes that name them. Without
    `commit` nothing of what was packed here remains; loose blobs and packs that came whole may.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        what: str,
        timeout: float | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        self._cache = cache
        self._what = what
        self._timeout = timeout
        self._on_wait = on_wait
        self._known: set[bytes] = set()
        self._keep_pages = False
        self._pages: dict[bytes, bytes] = {}
        self._folders_to_sync: set[bytes] = set()
        self._loose_limit = 1 if cache.settings.loose_all else LOOSE_FROM
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._finished: list[FinishedPack] = []
        self._has_new_packs = False
        sync = cache.settings.durable
        self._data = PackWriter(DATA, cache.tmp, self._finished.append, sync=sync, executor=self._executor)
        self._meta = PackWriter(META, cache.tmp, self._finished.append, sync=sync, executor=self._executor)

    def __enter__(self) -> CacheWriter:
        try:
            self._cache.make_folder(self._cache.tmp)
            self._sweep()
            self._lock = self._cache.lock.acquire(shared=True, timeout=self._timeout, on_wait=self._on_wait)
            try:
                self._cache.create()
            except BaseException:
                self._lock.release()
                raise
        except OSError as error:
            self._executor.shutdown()
            raise storage_error(error, "write to the cache", error.filename or self._cache.root) from error
        except BaseException:
            self._executor.shutdown()
            raise
        self._lock.leave_note(self._what)
        self._cache.forget()
        return self

    def _sweep(self) -> None:
        """Delete what killed commands left in the cache, if nobody else is writing just now.

        Half a download stays for a week: the next fetch goes on with it.
        """
        leftovers: list[bytes] = []
        for folder in _SWEPT:
            directory = os.path.join(self._cache.root, folder)
            with contextlib.suppress(FileNotFoundError):
                names = os.listdir(directory)
                leftovers += [
                    os.path.join(directory, name) for name in names if name.startswith((TEMPORARY_PREFIX, PART_PREFIX))
                ]
                if any(name.startswith(PARTIAL_PREFIX) for name in names):
                    drop_stale_partials(directory, FileSystemClock.start(directory).horizon_ns - _PARTIALS_KEPT_NS)
        if not leftovers:
            return
        try:
            lock = self._cache.lock.acquire(shared=False, timeout=0.0)
        except Locked:
            return
        with lock:
            if not lock.degraded:
                for path in leftovers:
                    discard(None, path)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._data.abort()
            self._meta.abort()
            for pack in self._finished:
                discard(None, pack.path)
            self._executor.shutdown()
        finally:
            self._lock.release()
        if self._has_new_packs and kind is None:
            # All is published: a merge that fails harms nobody, and the next command tries again.
            with contextlib.suppress(OSError, DvtoolError):
                consolidate_if_due(self._cache)

    def put_small(self, data: bytes, oid: ObjectId | None = None) -> ObjectId:
        """Store the bytes of one small file; *oid* if the caller has hashed exactly *data* already."""
        if oid is None:
            oid = object_id(data)
        if oid not in self._known:
            self._known.add(oid)
            if not self._cache.has_sound_blob(oid):
                if len(data) >= self._loose_limit:
                    self._put_loose_bytes(oid, data)
                else:
                    self._data.add(oid, BYTES, data)
        return oid

    def is_small(self, size: int) -> bool:
        """True when a file of *size* bytes is to be read whole and passed to `put_small`."""
        return size < LOOSE_FROM

    def put_tree(self, page: bytes) -> ObjectId:
        """Store one tree page."""
        oid = object_id(page)
        if oid not in self._known:
            self._known.add(oid)
            if not self._cache.has_sound_page(oid):
                self._meta.add(oid, TREE, page)
                if self._keep_pages:
                    self._pages[oid] = page
        return oid

    def keep_pages(self) -> None:
        """From now on `pending_page` knows the pages that are put: an edit may read what it has just written."""
        self._keep_pages = True

    def pending_page(self, oid: ObjectId) -> bytes | None:
        """A page put since `keep_pages` and not yet committed."""
        return self._pages.get(oid)

    def put_keyed(self, key: ObjectId, kind: int, data: bytes) -> None:
        """Store a recipe or an alias under the digest of something else; the first one stays."""
        if not self._cache.has_meta(key, kind):
            self._meta.add_alone(key, kind, data)

    def put_file(self, directory_fd: int, name: bytes, path: bytes) -> tuple[ObjectId, os.stat_result]:
        """Store one large file: reflinked where the file system can, else copied; hashed as stored.

        *path* is for messages. Returns the address and the status of the source at that time.
        Raises `StorageError` when the file keeps changing, `UnsafeInput`, ``OSError`` for the source.
        """
        for _ in range(_TRIES):
            source = open_file(directory_fd, name, shown=path)
            try:
                before = os.fstat(source)
                temporary, oid, copied = self._copy(source, before.st_size, directory_fd, name)
                after = os.fstat(source)
            finally:
                os.close(source)
            if signature_of(before) == signature_of(after) and copied == before.st_size:
                try:
                    self._publish_loose(temporary, oid)
                except OSError as error:
                    raise self._not_written(error) from error
                return oid, after
            discard(None, temporary)
        raise StorageError(
            f"{show(path)} changed while being added",
            path=path,
            hint="run the command again when nothing writes to it",
        )

    def _copy(self, source: int, size: int, directory_fd: int, name: bytes) -> tuple[bytes, ObjectId, int]:
        try:
            target, temporary = open_temporary(self._cache.tmp)
        except OSError as error:
            raise self._not_written(error) from error
        try:
            if reflink(source, target):
                digest, copied = self._hash_clone(source, target, directory_fd, name)
            else:
                require_space(self._cache.tmp, size, "add to the cache")
                hasher = blake3()
                copied = copy_range(source, target, size + 1, hasher.update, block=_BLOCK)
                digest = hasher.digest()
            os.fchmod(target, 0o444)
            if self._cache.settings.durable:
                fsync_file(target)
        except BaseException as error:
            discard(None, temporary)
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                raise self._not_written(error) from error
            raise
        finally:
            os.close(target)
        return temporary, ObjectId(digest), copied

    def _hash_clone(self, source: int, target: int, directory_fd: int, name: bytes) -> tuple[bytes, int]:
        """Digest and size of the clone *target*, read from *source* where the two cannot differ.

        A clone shares blocks, but not what is in memory: reading 2 GiB of it from the disk took 7 s
        where the source took 1 s. They cannot differ if nobody could write to the source meanwhile:
        it is our own, its times are old enough to show a change, and no process has it open or
        mapped for writing, before and after.
        """
        moment = FileSystemClock.start(self._cache.tmp)
        before = os.fstat(source)
        is_own = not hasattr(os, "getuid") or before.st_uid == os.getuid()
        if is_own and moment.is_settled(signature_of(before)) and not has_writer(directory_fd, name):
            hasher = blake3()
            copied = read_blocks(source, hasher.update, block=_BLOCK)
            if not has_writer(directory_fd, name) and signature_of(os.fstat(source)) == signature_of(before):
                return hasher.digest(), copied
        hasher = blake3()
        os.lseek(target, 0, os.SEEK_SET)
        copied = read_blocks(target, hasher.update, block=_BLOCK)
        return hasher.digest(), copied

    def _not_written(self, error: OSError) -> StorageError:
        return storage_error(error, "write to the cache", error.filename or self._cache.tmp)

    def _put_loose_bytes(self, oid: ObjectId, data: bytes) -> None:
        try:
            with self.loose_temporary() as temporary:
                temporary.write(data)
                temporary.publish(oid)
        except OSError as error:
            raise self._not_written(error) from error

    def loose_temporary(self, name: bytes = b"") -> LooseTemporary:
        """A large blob that arrives in pieces; it counts once it is published under its digest.

        With *name* (no temporary has the same) it can be gone on with by a later command.
        """
        return LooseTemporary(self._cache.tmp, self._publish_loose, durable=self._cache.settings.durable, name=name)

    def _publish_loose(self, temporary: bytes, oid: ObjectId) -> None:
        final = self._cache.loose_path(oid)
        folder = os.path.dirname(final)
        if folder not in self._folders_to_sync:
            self._cache.make_folder(folder)
            self._folders_to_sync.add(folder)
        is_wrong = os.path.lexists(final) and not self._cache.is_sound_loose(oid)
        size = os.lstat(temporary).st_size
        self._make_way(final, size, is_wrong=is_wrong)
        if publish(temporary, final) and size >= _LARGE:
            self._cache.added_large(oid, signature_of(os.lstat(final)))
        else:
            self._cache.added_loose(oid)
        self._known.add(oid)

    def commit(self) -> None:
        """Complete, sync and publish everything. Afterwards a pointer may name it."""
        try:
            self._data.finish()
            self._meta.finish()
            finished, self._finished[:] = sorted(self._finished, key=lambda pack: pack.pack_class), []
            durable = self._cache.settings.durable
            for pack in finished:
                self._publish_pack(pack)
                self._has_new_packs = True
            if durable:
                parents = {os.path.dirname(folder) for folder in self._folders_to_sync}
                for folder in sorted(self._folders_to_sync | parents, reverse=True):
                    fsync_dir(folder)
            self._folders_to_sync.clear()
            self._cache.packs.write_index_if_due()
        except OSError as error:
            raise self._not_written(error) from error

    def _publish_pack(self, pack: FinishedPack) -> None:
        key = PackKey(pack.pack_class, pack.id)
        final = self._cache.packs.path(key)
        folder = os.path.dirname(final)
        if folder not in self._folders_to_sync:
            self._cache.make_folder(folder)
            self._folders_to_sync.add(folder)
        # An equal pack whose objects were not found: another command has just made it, or it is damaged.
        is_wrong = os.path.lexists(final) and not is_right(final, key)
        if self._make_way(final, pack.size, is_wrong=is_wrong):
            self._cache.packs.removed(key)
        publish(pack.path, final)
        self._cache.packs.added(key, pack.size, pack.table)

    def _make_way(self, final: bytes, size: int, *, is_wrong: bool) -> bool:
        """Set aside what has the name already if it is wrong: found so before, or of another size. True when done."""
        try:
            is_wrong |= os.lstat(final).st_size != size
        except FileNotFoundError:
            return False
        if is_wrong:
            from dvtool.store.salvage import set_aside_file

            moved_to = set_aside_file(self._cache, final)
            if self._on_wait is not None:
                self._on_wait(f"{show(final)} was damaged and is set aside in {show(moved_to)}")
        return is_wrong

    def adopt_pack(self, pack: FinishedPack) -> None:
        """Publish a whole pack that was received and verified (id, table, every record).

        File bytes at once, so that what is killed next has less to bring again; trees with `commit`, after them.
        """
        if pack.pack_class != DATA:
            self._finished.append(pack)
            return
        try:
            self._publish_pack(pack)
        except OSError as error:
            raise self._not_written(error) from error
        self._has_new_packs = True
