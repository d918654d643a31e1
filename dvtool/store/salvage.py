"""Setting damaged files of a cache aside, so that what they held counts as missing and can be fetched again.

Nothing is deleted: a file that was proved wrong goes to ``quarantine/``, and only after every
object in it that is still right lies in a new pack. A file that proves right stays.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import publish
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import storage_error
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.store.cache import Cache
from dvtool.store.fsck.packs import check_loose
from dvtool.store.fsck.packs import check_pack
from dvtool.store.fsck.packs import is_medium_error
from dvtool.store.localpacks import PackKey
from dvtool.store.names import parse_loose_name
from dvtool.store.names import parse_pack_name
from dvtool.store.packfile import Table
from dvtool.store.packrescue import good_objects
from dvtool.store.packrescue import table_of
from dvtool.store.packwriter import FinishedPack
from dvtool.store.packwriter import PackWriter

QUARANTINE = b"quarantine"


class SetAside(NamedTuple):
    """A damaged file of the cache. ``saved``: objects of it that were right and lie in a new pack now.

    ``lost``: those that are missing from now on, unless another pack has them; empty where the
    damage hides what it held.
    """

    path: bytes
    moved_to: bytes
    saved: int
    lost: tuple[ObjectId, ...]


def set_aside_damage(
    cache: Cache,
    errors: Iterable[BaseException] = (),
    *,
    what: str,
    on_wait: Callable[[str], None] | None = None,
) -> list[SetAside]:
    """Look at every file of the cache that *errors* name, and at packs whose table cannot be read.

    What is proved wrong is set aside. Where the packs are right, the index lied: it is made
    again. Afterwards the cache is looked at afresh. Raises `StorageError`, `Locked`.
    """
    try:
        cache.create()
        with cache.lock.acquire(shared=True, on_wait=on_wait, what=what):
            done = []
            is_index_wrong = False
            for path in _suspects(cache, errors):
                found, is_right = _look(cache, path)
                done += found
                is_index_wrong |= is_right
            if is_index_wrong or cache.packs.has_damaged_index:
                cache.packs.rebuild_index()
        cache.forget()
    except OSError as error:
        raise storage_error(error, "set damaged files aside in", error.filename or cache.root) from error
    return done


def damage_errors(cache: Cache) -> list[IntegrityError]:
    """An error for each pack that is there and counts as absent because its table cannot be read."""
    return [
        IntegrityError(why, path=cache.packs.path(key), hint="`dvtool pull` fetches again what it held")
        for key, why in sorted(cache.packs.damaged().items())
    ]


def set_aside_pack(cache: Cache, key: PackKey, known_table: bytes | None = None) -> SetAside | None:
    """Prove one pack or set it aside; None when it is right. Needs the cache's lock. Raises ``OSError``.

    *known_table*: the pack's table, should its own be damaged; the caller has proved it by the pack's id.
    """
    path = cache.packs.path(key)
    size = os.lstat(path).st_size
    why, _ = check_pack(path, key, size, whole=True)
    if not why:
        return None
    finished: list[FinishedPack] = []
    sync = cache.settings.durable
    good: set[ObjectId] = set()
    table = None
    writer = PackWriter(key.pack_class, cache.tmp, finished.append, sync=sync)
    try:
        try:
            table = table_of(path, key) or (Table(known_table) if known_table is not None else None)
            for oid, kind, data in good_objects(path, key, table):
                if oid not in good:
                    good.add(oid)
                    (writer.add if kind in (BYTES, TREE) else writer.add_alone)(oid, kind, data)
        except OSError as error:
            if not is_medium_error(error):
                raise
        writer.finish()
    except BaseException:
        writer.abort()
        raise
    moved_to = _replace_pack(cache, key, path, finished)
    entries = [] if table is None else table.entries()
    lost = tuple(ObjectId(entry.digest) for entry in entries if entry.digest not in good)
    return SetAside(path, moved_to, len(good), lost)


def set_aside_loose(cache: Cache, oid: ObjectId) -> SetAside | None:
    """Prove one loose object or set it aside; None when it is right. Needs the cache's lock. Raises ``OSError``."""
    path = cache.loose_path(oid)
    if not check_loose(path, oid, lambda _: None):
        return None
    return SetAside(path, set_aside_file(cache, path), 0, (oid,))


def set_aside_file(cache: Cache, path: bytes) -> bytes:
    """Take a file that was proved wrong out of its name; where it is now. Raises ``OSError``."""
    moved_to = _quarantine_name(cache, path)
    os.rename(path, moved_to)
    _sync(cache, path)
    return moved_to


def _suspects(cache: Cache, errors: Iterable[BaseException]) -> list[bytes]:
    root = os.path.abspath(cache.root)
    paths = {cache.packs.path(key) for key in cache.packs.damaged()}
    paths.update(os.path.join(root, os.fsencode(path)) for path in _named(errors))
    return sorted(path for path in map(os.path.abspath, paths) if path.startswith(root + b"/"))


def _named(errors: Iterable[BaseException]) -> Iterator[str]:
    for error in errors:
        if isinstance(error, DvtoolError):
            if isinstance(error, IntegrityError | FormatError) and error.path is not None:
                yield error.path
            yield from _named(error.causes)


def _look(cache: Cache, path: bytes) -> tuple[list[SetAside], bool]:
    """What was set aside, and whether it was a pack that is right."""
    name = os.fsdecode(os.path.relpath(path, os.path.abspath(cache.root)))
    pack = parse_pack_name(name)
    oid = parse_loose_name(name)
    try:
        if pack is not None and not pack[2]:
            found = set_aside_pack(cache, PackKey(pack[0], pack[1]))
            return ([], True) if found is None else ([found], False)
        if oid is not None:
            loose = set_aside_loose(cache, oid)
            return ([] if loose is None else [loose]), False
    except FileNotFoundError:
        pass
    return [], False


def _replace_pack(cache: Cache, key: PackKey, path: bytes, finished: list[FinishedPack]) -> bytes:
    """Publish what was saved, then take the damaged pack out of its name."""
    moved_to = _quarantine_name(cache, path)
    same = None
    for pack in finished:
        if pack.id == key.id:
            same = pack
            continue
        final = cache.packs.path(PackKey(pack.pack_class, pack.id))
        cache.make_folder(os.path.dirname(final))
        publish(pack.path, final, durable=cache.settings.durable)
    if same is not None:
        # Only the table was damaged: the pack made of its records has the very name of the old one.
        try:
            os.link(path, moved_to)
        except OSError:
            moved_to = path
        os.replace(same.path, path)
    else:
        os.rename(path, moved_to)
    cache.packs.removed(key)
    _sync(cache, path)
    return moved_to


def _quarantine_name(cache: Cache, path: bytes) -> bytes:
    folder = os.path.join(cache.root, QUARANTINE)
    cache.make_folder(folder)
    return os.path.join(folder, os.path.basename(path) + b"-" + os.urandom(4).hex().encode("ascii"))


def _sync(cache: Cache, path: bytes) -> None:
    if cache.settings.durable:
        fsync_dir(os.path.join(cache.root, QUARANTINE))
        fsync_dir(os.path.dirname(path))
