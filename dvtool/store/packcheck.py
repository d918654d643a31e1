"""Whole packs that come in or go out: every record, nothing between them, every object."""

from __future__ import annotations

import os
from collections.abc import Iterator

from xxhash import xxh3_64

from dvtool.disk.durable import fsync_file
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import HEADER_BYTES
from dvtool.formats.pack import PACK_BYTES_LIMIT
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import RECORD_HEAD_BYTES
from dvtool.formats.pack import TREE
from dvtool.formats.pack import RecordDecoder
from dvtool.formats.pack import check_record
from dvtool.formats.pack import decode_record_head
from dvtool.formats.pack import header
from dvtool.formats.pack import pack_table_entry
from dvtool.formats.recipe import decode_recipe
from dvtool.hashing.digests import object_id
from dvtool.model.paths import show
from dvtool.store.packfile import PackFile
from dvtool.store.packfile import Table
from dvtool.store.packwriter import FinishedPack

_WINDOW = 4 << 20


def check_leaving(path: bytes, pack_class: int, pack_id: bytes, size: int) -> bytes:
    """The table of a pack that is copied as it is: its id, and every record's checksum, are right.

    Raises `IntegrityError`, `FormatError`, ``OSError``.
    """
    pack = PackFile(path)
    try:
        table = _table(pack, path, pack_class, pack_id, size)
        for offset, window, at in _records(pack, show(path)):
            head = decode_record_head(window, at, show(path))
            view = memoryview(window)
            checksum = xxh3_64(view[at : at + 24])
            checksum.update(view[at + RECORD_HEAD_BYTES : at + head.total])
            if checksum.intdigest() != head.checksum:
                raise IntegrityError(f"{show(path)}: the record at {offset} does not match its checksum", path=path)
        return table
    finally:
        pack.close()


def check_whole(path: bytes, pack_class: int, pack_id: bytes, size: int) -> bytes:
    """The table of a pack that is right in all: id, table, every record, every object by its own digest.

    Raises as `check_leaving`.
    """
    where = show(path)
    pack = PackFile(path)
    try:
        table = _table(pack, path, pack_class, pack_id, size)
        decoder = RecordDecoder()
        keyed = {} if pack_class == DATA else _keyed(table)
        found: list[bytes] = []
        for offset, window, at in _records(pack, where):
            objects = decoder.decode(window, at, where)
            if offset in keyed:
                found.append(_keyed_entry(keyed[offset], offset, objects, where))
                continue
            kind = BYTES if pack_class == DATA else TREE
            found += [pack_table_entry(object_id(data), offset, len(data), kind) for data in objects]
        found.sort()
        if b"".join(found) != table:
            raise IntegrityError(f"{where}: the pack does not hold what its table says", path=path)
        return table
    finally:
        pack.close()


def check_arrived(path: bytes, pack_class: int, pack_id: bytes, size: int, *, sync: bool) -> FinishedPack:
    """Prove a pack that was received, as `check_whole`.

    The file is made read-only and, with *sync*, brought to the medium. Raises as `check_leaving`.
    """
    table = check_whole(path, pack_class, pack_id, size)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fchmod(fd, 0o444)
        if sync:
            fsync_file(fd)
    finally:
        os.close(fd)
    return FinishedPack(path, pack_class, pack_id, size, table)


def sound_beginning(path: bytes, pack_class: int) -> int:
    """How many bytes from the start of half a pack are its header and whole records. Raises ``OSError``."""
    where = show(path)
    with open(path, "rb", buffering=0) as file:
        fd = file.fileno()
        if os.pread(fd, HEADER_BYTES, 0) != header(pack_class):
            return 0
        end, window, at = HEADER_BYTES, b"", 0
        while True:
            try:
                if len(window) - at < RECORD_HEAD_BYTES:
                    window, at = os.pread(fd, _WINDOW, end), 0
                total = decode_record_head(window, at, where).total
                if len(window) - at < total:
                    window, at = os.pread(fd, max(total, _WINDOW), end), 0
                check_record(window, at, where)
            except (FormatError, IntegrityError):
                return end
            end += total
            at += total


def _table(pack: PackFile, path: bytes, pack_class: int, pack_id: bytes, size: int) -> bytes:
    if pack.size != size or pack.pack_class != pack_class or size > PACK_BYTES_LIMIT:
        raise IntegrityError(f"{show(path)}: the pack has another size or class than stated", path=path)
    return pack.table(pack_id)


def _keyed(table: bytes) -> dict[int, tuple[bytes, int]]:
    """Records that hold one recipe or alias: offset to its key and kind."""
    return {entry.offset: (entry.digest, entry.kind) for entry in Table(table).entries() if entry.kind != TREE}


def _keyed_entry(key: tuple[bytes, int], offset: int, objects: list[bytes], where: str) -> bytes:
    digest, kind = key
    if len(objects) != 1:
        raise FormatError(f"{where}: the record at {offset} holds more than the one object that its key names")
    if kind == RECIPE:
        check_recipe_key(digest, objects[0], where)
    return pack_table_entry(digest, offset, len(objects[0]), kind)


def check_recipe_key(key: bytes, data: bytes, where: str) -> None:
    """Raise unless *data* is the recipe of the blob *key*, or the recipe page whose own digest is *key*."""
    if decode_recipe(data, where).blob != key and object_id(data) != key:
        raise IntegrityError(f"{where}: a recipe for another blob than blake3:{key.hex()}")


def _records(pack: PackFile, where: str) -> Iterator[tuple[int, bytes, int]]:
    """Offset of each record, a window of the file that holds all of it, and where in the window it begins."""
    offset = HEADER_BYTES
    end = pack.footer.table_offset
    window, start = b"", offset
    while offset < end:
        at = offset - start
        if len(window) - at < RECORD_HEAD_BYTES:
            window, start, at = pack.read_range(offset, min(_WINDOW, end - offset)), offset, 0
        total = decode_record_head(window, at, where).total
        if total > end - offset:
            raise FormatError(f"{where}: the record at {offset} reaches past the table")
        if len(window) - at < total:
            window, start, at = pack.read_range(offset, max(total, min(_WINDOW, end - offset))), offset, 0
            if len(window) < total:
                raise FormatError(f"{where}: the pack became shorter while it was read")
        yield offset, window, at
        offset += total
