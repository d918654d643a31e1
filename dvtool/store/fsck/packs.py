"""One pack or one loose file of a cache: is it what its name says, and if not, what cannot be read from it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from collections.abc import Mapping
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import HEADER_BYTES
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import RECORD_HEAD_BYTES
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.pack import TREE
from dvtool.formats.pack import RecordDecoder
from dvtool.formats.pack import decode_record_head
from dvtool.formats.pack import unpack_table_entry
from dvtool.hashing.digests import new_hasher
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.store.localpacks import PackKey
from dvtool.store.packcheck import check_recipe_key
from dvtool.store.packcheck import check_whole
from dvtool.store.packfile import PackFile
from dvtool.store.packrescue import good_objects
from dvtool.store.packrescue import table_of

_MEDIUM_ERRORS = frozenset({errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)})
_BLOCK = 1 << 20
_WRONG = (FormatError, IntegrityError)


class PackFault(NamedTuple):
    """A damaged pack. ``unreadable``: objects that it should hold, each with its record's offset (0: unknown)."""

    key: PackKey
    why: str
    unreadable: Mapping[bytes, int]


def is_medium_error(error: OSError) -> bool:
    """Whether the medium, not a lack of rights or descriptors, keeps the bytes from us."""
    return error.errno in _MEDIUM_ERRORS


def check_pack(path: bytes, key: PackKey, size: int, *, whole: bool) -> tuple[str, int]:
    """Why the pack is not what its name says (empty when it is), and how many objects it holds.

    *whole*: every byte is read and every object hashed. Otherwise header, footer, table, id, and that the
    records follow each other without a gap. Raises ``OSError``.
    """
    try:
        table = check_whole(path, key.pack_class, key.id, size) if whole else _check_structure(path, key)
    except _WRONG as error:
        return error.message, 0
    except OSError as error:
        if not is_medium_error(error):
            raise
        return f"{show(path)}: {error.strerror}", 0
    return "", len(table) // TABLE_ENTRY_BYTES


def _check_structure(path: bytes, key: PackKey) -> bytes:
    where = show(path)
    pack = PackFile(path)
    try:
        if pack.pack_class != key.pack_class:
            raise FormatError(f"{where}: a pack of another class than its name says")
        table = pack.table(key.id)
        offsets = {int.from_bytes(table[at + 32 : at + 36], "little") for at in range(0, len(table), TABLE_ENTRY_BYTES)}
        offset = HEADER_BYTES
        while offset < pack.footer.table_offset:
            if offset not in offsets:
                raise FormatError(f"{where}: the table does not name the record at {offset}")
            offset += decode_record_head(pack.read_range(offset, RECORD_HEAD_BYTES), 0, where).total
        if offset != pack.footer.table_offset:
            raise FormatError(f"{where}: the last record reaches into the table")
        return table
    finally:
        pack.close()


def examine(path: bytes, key: PackKey, why: str, known_table: bytes | None) -> PackFault:
    """What cannot be read from a damaged pack. *known_table*: its table as an index tells it. Raises ``OSError``."""
    try:
        own = table_of(path, key)
        table = own.data if own is not None else known_table
        if table is None:
            return PackFault(key, why, {oid: 0 for oid, _, _ in good_objects(path, key, None)})
        return PackFault(key, why, _unreadable(path, key, table))
    except OSError as error:
        if not is_medium_error(error):
            raise
        return PackFault(key, why, _all_of(known_table or b""))


def _all_of(table: bytes) -> dict[bytes, int]:
    entries = (unpack_table_entry(table, at) for at in range(0, len(table), TABLE_ENTRY_BYTES))
    return {entry.digest: entry.offset for entry in entries}


def _unreadable(path: bytes, key: PackKey, table: bytes) -> dict[bytes, int]:
    try:
        pack = PackFile(path)
    except FormatError:
        return _all_of(table)
    found: dict[bytes, int] = {}
    decoder = RecordDecoder()
    try:
        for offset, members in _by_offset(table).items():
            try:
                objects = pack.read_record(offset, decoder)
                is_right = pack.pack_class == key.pack_class and _holds(objects, members, key)
            except _WRONG:
                is_right = False
            if not is_right:
                found.update(dict.fromkeys(members, offset))
    finally:
        pack.close()
    return found


def _by_offset(table: bytes) -> dict[int, dict[bytes, int]]:
    records: dict[int, dict[bytes, int]] = {}
    for at in range(0, len(table), TABLE_ENTRY_BYTES):
        entry = unpack_table_entry(table, at)
        records.setdefault(entry.offset, {})[entry.digest] = entry.kind
    return records


def _holds(objects: list[bytes], members: Mapping[bytes, int], key: PackKey) -> bool:
    if key.pack_class == META and len(members) == 1:
        ((name, kind),) = members.items()
        if kind not in (BYTES, TREE):
            if kind == RECIPE and len(objects) == 1:
                check_recipe_key(name, objects[0], "")
            return len(objects) == 1
    return {object_id(data) for data in objects} == members.keys()


def check_loose(path: bytes, oid: ObjectId, advance: Callable[[int], None]) -> str:
    """Why a loose file is not what its name says; empty when it is. Raises ``OSError``."""
    hasher = new_hasher()
    buffer = bytearray(_BLOCK)
    view = memoryview(buffer)
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while count := os.readv(fd, [view]):
            hasher.update(view[:count])
            advance(count)
    except OSError as error:
        if not is_medium_error(error):
            raise
        return f"{show(path)}: {error.strerror}"
    finally:
        os.close(fd)
    return "" if hasher.digest() == oid else f"{show(path)}: the bytes are not what their name says"
