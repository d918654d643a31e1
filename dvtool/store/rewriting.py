"""A partly needed pack made anew without what is not needed. Every object that is kept is proved on the way."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.disk.durable import discard
from dvtool.disk.durable import fsync_file
from dvtool.disk.durable import open_temporary
from dvtool.disk.durable import write_all
from dvtool.errors import IntegrityError
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import FOOTER_BYTES
from dvtool.formats.pack import HEADER_BYTES
from dvtool.formats.pack import RECORD_OBJECTS_LIMIT
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.pack import TREE
from dvtool.formats.pack import RecordDecoder
from dvtool.formats.pack import RecordEncoder
from dvtool.formats.pack import decode_record_head
from dvtool.formats.pack import footer
from dvtool.formats.pack import header
from dvtool.formats.pack import pack_table_entry
from dvtool.hashing.digests import object_id
from dvtool.hashing.digests import pack_id
from dvtool.model.paths import show
from dvtool.store.cache import Cache
from dvtool.store.localpacks import PackKey
from dvtool.store.packfile import PackFile
from dvtool.store.packfile import Table
from dvtool.store.packwriter import RECORD_WANTED
from dvtool.store.packwriter import FinishedPack

IsKept = Callable[[bytes, int], bool]
"""Whether an object stays, by digest and kind."""


class _Record(NamedTuple):
    """An encoded record and the digest, plain size and kind of each object in it."""

    data: bytes
    objects: list[tuple[bytes, int, int]]


def rewritten_size(cache: Cache, key: PackKey, is_kept: IsKept) -> int:
    """Exactly how many bytes `rewrite` will write. Raises as it does."""
    total = HEADER_BYTES + FOOTER_BYTES
    for record in _records(cache, key, is_kept):
        total += len(record.data) + TABLE_ENTRY_BYTES * len(record.objects)
    return total


def rewrite(cache: Cache, key: PackKey, is_kept: IsKept) -> FinishedPack:
    """A new pack under a temporary name, synced, as old as the one it stands for.

    Raises `IntegrityError` or `FormatError` where the old one is damaged, ``OSError``.
    """
    fd, path = open_temporary(cache.tmp)
    try:
        entries: list[bytes] = []
        offset = HEADER_BYTES
        write_all(fd, header(key.pack_class))
        for record in _records(cache, key, is_kept):
            write_all(fd, record.data)
            entries += [pack_table_entry(digest, offset, size, kind) for digest, size, kind in record.objects]
            offset += len(record.data)
        entries.sort()
        table = b"".join(entries)
        write_all(fd, table + footer(offset, table))
        os.fchmod(fd, 0o444)
        old = os.stat(cache.packs.path(key))
        os.utime(fd, ns=(old.st_atime_ns, old.st_mtime_ns))
        if cache.settings.durable:
            fsync_file(fd)
        size = os.fstat(fd).st_size
    except BaseException:
        discard(None, path)
        raise
    finally:
        os.close(fd)
    return FinishedPack(path, key.pack_class, pack_id(key.pack_class, table), size, table)


def _records(cache: Cache, key: PackKey, is_kept: IsKept) -> Iterator[_Record]:
    """Records of which all is kept as they are, what is left of the others grouped anew."""
    path = cache.packs.path(key)
    where = show(path)
    pack = PackFile(path)
    try:
        at_offset: dict[int, dict[bytes, int]] = {}
        for entry in Table(pack.table(key.id)).entries():
            at_offset.setdefault(entry.offset, {})[entry.digest] = entry.kind
        encoder, decoder = RecordEncoder(), RecordDecoder()
        waiting: list[tuple[bytes, int, bytes]] = []
        waiting_bytes = 0
        ends = [*sorted(at_offset)[1:], pack.footer.table_offset]
        for (offset, wanted), end in zip(sorted(at_offset.items()), ends, strict=True):
            kept = {digest for digest, kind in wanted.items() if is_kept(digest, kind)}
            if not kept:
                continue
            data = pack.read_range(offset, end - offset)
            objects = _proved(decoder.decode(data, 0, where), wanted, where, path)
            if len(kept) == len(wanted):
                whole = data[: decode_record_head(data, 0, where).total]
                yield _Record(whole, [(digest, len(content), kind) for digest, kind, content in objects])
                continue
            for digest, kind, content in objects:
                if digest not in kept:
                    continue
                if waiting and (waiting_bytes + len(content) > RECORD_WANTED or len(waiting) == RECORD_OBJECTS_LIMIT):
                    yield _encoded(encoder, waiting)
                    waiting, waiting_bytes = [], 0
                waiting.append((digest, kind, content))
                waiting_bytes += len(content)
        if waiting:
            yield _encoded(encoder, waiting)
    finally:
        pack.close()


def _encoded(encoder: RecordEncoder, waiting: list[tuple[bytes, int, bytes]]) -> _Record:
    data = encoder.encode([content for _, _, content in waiting])
    return _Record(data, [(digest, len(content), kind) for digest, kind, content in waiting])


def _proved(objects: list[bytes], wanted: dict[bytes, int], where: str, path: bytes) -> list[tuple[bytes, int, bytes]]:
    """Digest, kind and bytes of each object; recipes and aliases, alone in their record, as the table names them."""
    if len(wanted) == len(objects) == 1:
        [(digest, kind)] = wanted.items()
        if kind not in (BYTES, TREE):
            return [(digest, kind, objects[0])]
    found = [(object_id(content), content) for content in objects]
    if {digest for digest, _ in found} != wanted.keys():
        raise IntegrityError(f"{where}: a record does not hold what the table says", path=path)
    return [(bytes(digest), wanted[digest], content) for digest, content in found]
