"""Bytes of adopted data: from another tool's cache on this disk, and from its remotes. Verified by the digest that
states them, stored under BLAKE3, and both remembered together."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_file
from dvtool.disk.beneath import open_root
from dvtool.disk.clone import read_blocks
from dvtool.disk.signature import signature_of
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.formats.dvcplaces import object_key
from dvtool.formats.dvcplaces import shard_of
from dvtool.hashing.digests import digest_of
from dvtool.hashing.digests import new_hasher
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.paths import show
from dvtool.model.ports import Expecting
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.state.aliases import Aliases
from dvtool.store.cache import LOOSE_FROM
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.transfer.fetch import EVERYTHING
from dvtool.transfer.parallel import Workers
from dvtool.transfer.parallel import threads_for
from dvtool.transfer.progress import transferring
from dvtool.transfer.types import DamagedItem
from dvtool.transfer.types import FetchResult
from dvtool.transfer.types import MissingItem
from dvtool.transfer.types import Only
from dvtool.transfer.values import Bringing
from dvtool.transfer.values import Value

MANIFEST_BYTES = 1 << 30
"""No manifest is longer: seven million files."""
_MANY = 1_000
"""From so many values on, asking for the folders that they lie in takes fewer requests than asking for each."""


class Need(NamedTuple):
    """A file whose bytes are wanted: its digest as stated, and the path that needs it. ``size``: as stated; 0 where
    nobody says."""

    stated: ObjectId
    path: bytes
    size: int = 0


class LocalStore:
    """Another tool's cache below *root* on this disk. It is only read, and never through links inside of it."""

    def __init__(self, root: bytes) -> None:
        self.root = root

    def path(self, stated: ObjectId, *, is_manifest: bool = False) -> bytes:
        """Where the bytes would lie."""
        return os.path.join(self.root, os.fsencode(object_key(stated, is_manifest=is_manifest)))

    def size(self, stated: ObjectId) -> int | None:
        """Bytes of the file there, None for none; a link is none."""
        try:
            status = os.lstat(self.path(stated))
        except OSError:
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def manifest(self, stated: ObjectId) -> bytes | None:
        """A manifest, verified; None where it is not there or not right."""
        try:
            folder, name = self.opened(stated, is_manifest=True)
            try:
                with open(open_file(folder, name), "rb") as file:
                    data = file.read(MANIFEST_BYTES)
            finally:
                os.close(folder)
        except (OSError, UnsafeInput):
            return None
        return data if is_right(stated, data) else None

    def opened(self, stated: ObjectId, *, is_manifest: bool = False) -> tuple[int, bytes]:
        """The folder that the file lies in, open, and its name there. Raises ``OSError``, `UnsafeInput`."""
        folder, _, name = os.fsencode(object_key(stated, is_manifest=is_manifest)).rpartition(b"/")
        root = open_root(self.root)
        try:
            return open_dir(root, folder), name
        finally:
            os.close(root)


def is_right(stated: ObjectId, data: bytes) -> bool:
    """Whether these are the bytes that the digest states."""
    digest = as_digest(stated)
    return digest_of(data, digest.algorithm) == digest


def learn_local(aliases: Aliases, needs: Iterable[Need], stores: Sequence[LocalStore], reporter: Reporter) -> None:
    """Read those files that another tool's cache has, and remember what they are; nothing is copied."""
    for need in needs:
        for store in stores:
            if store.size(need.stated) is not None:
                found = hash_stored(store, need.stated)
                if found is not None:
                    aliases.put(need.stated, *found)
                    reporter.advance(found[1])
                    break


def hash_stored(store: LocalStore, stated: ObjectId) -> tuple[ObjectId, int] | None:
    """Address and size of a file there; None where it is not there or not what its name says."""
    try:
        folder, name = store.opened(stated)
    except (OSError, UnsafeInput):
        return None
    digest = as_digest(stated)
    try:
        fd = open_file(folder, name)
        try:
            hasher, other = new_hasher(), new_hasher(digest.algorithm)

            def update(block: bytes | memoryview) -> None:
                hasher.update(block)
                other.update(block)

            size = read_blocks(fd, update)
        finally:
            os.close(fd)
    except (OSError, DvtoolError):
        return None
    finally:
        os.close(folder)
    return (ObjectId(hasher.digest()), size) if other.digest() == digest.raw else None


def bring_local(
    cache: Cache, aliases: Aliases, needs: Sequence[Need], stores: Sequence[LocalStore], reporter: Reporter
) -> tuple[list[Need], list[DvtoolError]]:
    """Copy into the cache what other tools' caches on this disk have (reflinked where that goes).

    The needs that none of them could serve, and an error for each damaged file. Raises `StorageError`, `Locked`.
    """
    left: list[Need] = []
    damaged: list[DvtoolError] = []
    known = aliases.files(need.stated for need in needs)
    wanted = [need for need in needs if need.stated not in known or not cache.has_blob(known[need.stated].oid)]
    here = [need for need in wanted if any(store.size(need.stated) is not None for store in stores)]
    if not here:
        return wanted, damaged
    done: set[ObjectId] = set()
    reporter.begin("copying", total=len(here), unit="files")
    with CacheWriter(cache, what="dvtool", on_wait=reporter.note) as writer:
        for need in wanted:
            if need.stated not in done:
                if _copied(writer, aliases, stores, need, damaged):
                    done.add(need.stated)
                    reporter.advance(1)
                else:
                    left.append(need)
        writer.commit()
    reporter.end()
    aliases.save()
    return left, damaged


def _copied(
    writer: CacheWriter, aliases: Aliases, stores: Sequence[LocalStore], need: Need, damaged: list[DvtoolError]
) -> bool:
    for store in stores:
        try:
            if _copy(writer, aliases, store, need):
                return True
        except IntegrityError as error:
            damaged.append(error)
    return False


def _copy(writer: CacheWriter, aliases: Aliases, store: LocalStore, need: Need) -> bool:
    size = store.size(need.stated)
    if size is None:
        return False
    digest = as_digest(need.stated)
    try:
        folder, name = store.opened(need.stated)
    except (OSError, UnsafeInput):
        return False
    try:
        fd = open_file(folder, name)
        try:
            before = os.fstat(fd)
            if before.st_size < LOOSE_FROM:
                data = os.read(fd, LOOSE_FROM)
                if not is_right(need.stated, data):
                    raise _wrong(store, need)
                aliases.put(need.stated, writer.put_small(data), len(data))
                return True
            other = new_hasher(digest.algorithm)
            read_blocks(fd, other.update)
        finally:
            os.close(fd)
        if other.digest() != digest.raw:
            raise _wrong(store, need)
        oid, after = writer.put_file(folder, name, need.path)
        if signature_of(before) != signature_of(after):
            raise StorageError(f"{show(store.path(need.stated))} changed while being read")
        aliases.put(need.stated, oid, after.st_size)
    except (OSError, UnsafeInput):
        return False
    finally:
        os.close(folder)
    return True


def _wrong(store: LocalStore, need: Need) -> IntegrityError:
    path = store.path(need.stated)
    return IntegrityError(
        f"{show(path)}: the bytes are not what their name says ({show(need.path)} needs them)",
        path=path,
        hint="remove that file of DVC's cache, then `dvtool pull` fetches it again",
    )


def bring_manifests(
    aliases: Aliases, needs: Iterable[Need], remote: Remote, jobs: int
) -> tuple[list[MissingItem], list[DamagedItem], int]:
    """Fetch manifests of directories and remember them: what is missing, what was wrong, and the bytes received."""
    missing: list[MissingItem] = []
    damaged: list[DamagedItem] = []
    received = 0

    def fetch(need: Need) -> tuple[Need, bytes | None]:
        key = object_key(need.stated, is_manifest=True)
        item = remote.stat(key)
        if item is None or item.size > MANIFEST_BYTES:
            return need, None
        try:
            return need, remote.get(key, 0, item.size)
        except MissingData:
            return need, None

    with Workers(threads_for([remote], jobs)) as workers:
        for need, data in workers.map(fetch, list(needs)):
            if data is None:
                missing.append(MissingItem(need.path, need.stated))
                continue
            received += len(data)
            if is_right(need.stated, data):
                aliases.put_manifest(need.stated, data)
            else:
                key = object_key(need.stated, is_manifest=True)
                damaged.append(DamagedItem(need.path, need.stated, remote.name, key))
    return missing, damaged, received


def bring(
    cache: Cache,
    aliases: Aliases,
    needs: Sequence[Need],
    remote: Remote,
    *,
    jobs: int,
    reporter: Reporter,
    only: Only = EVERYTHING,
    dry_run: bool = False,
) -> FetchResult:
    """Fetch files from another tool's remote. What cannot be had does not stop the rest: the result lists it.

    Raises `StorageError` when the network or the disk fails.
    """
    with Workers(threads_for([remote], jobs)) as workers:
        paths: dict[ObjectId, list[bytes]] = {}
        for need in needs:
            paths.setdefault(need.stated, []).append(need.path)
        if isinstance(remote, Expecting):
            remote.expect({object_key(need.stated): need.size for need in needs if need.size})
        sizes = _sizes(workers, remote, list(paths))
        missing = [
            MissingItem(path, stated) for stated, found in paths.items() if sizes.get(stated) is None for path in found
        ]
        values: list[Value] = []
        left_out = left_out_bytes = 0
        for stated, found in paths.items():
            size = sizes.get(stated)
            if size is None:
                continue
            if not any(only.takes(path, size) for path in found):
                left_out += 1
                left_out_bytes += size
                continue
            values.append(Value(object_key(stated), size, stated, as_digest(stated)))
        total = sum(value.size for value in values)
        if dry_run:
            return FetchResult(len(values), 0, tuple(missing), (), (), total, left_out, left_out_bytes)
        work = Bringing(cache, aliases, remote, workers)
        if values:
            with transferring(reporter, "downloading", [remote], total) as progress:
                work.run(values, progress)
        damaged = [
            DamagedItem(path, each.stated, remote.name, each.key)
            for each in work.damaged
            for path in paths[each.stated]
        ]
        missing += [MissingItem(path, each.stated) for each in work.gone for path in paths[each.stated]]
    return FetchResult(work.objects, work.received, tuple(missing), tuple(damaged), (), total, left_out, left_out_bytes)


def _sizes(workers: Workers, remote: Remote, stated: Sequence[ObjectId]) -> dict[ObjectId, int]:
    """How long each is, of those that are there."""
    keys = {object_key(each): each for each in stated}
    found: dict[ObjectId, int] = {}
    if len(keys) >= _MANY and remote.capabilities.listing:

        def listed(prefix: str) -> list[tuple[str, int]]:
            return [(item.key, item.size) for item in remote.list(prefix)]

        for items in workers.map(listed, sorted({shard_of(key) for key in keys})):
            found.update((keys[key], size) for key, size in items if key in keys)
        return found

    def asked(key: str) -> tuple[str, int | None]:
        item = remote.stat(key)
        return key, None if item is None else item.size

    for key, size in workers.map(asked, list(keys)):
        if size is not None:
            found[keys[key]] = size
    return found
