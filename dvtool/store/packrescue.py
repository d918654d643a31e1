"""What is still right in a damaged pack: each object proved by its own digest."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import zstandard

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import FOOTER_BYTES
from dvtool.formats.pack import HEADER_BYTES
from dvtool.formats.pack import PACK_BYTES_LIMIT
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import RECORD_HEAD_BYTES
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.pack import TREE
from dvtool.formats.pack import RecordDecoder
from dvtool.formats.pack import check_table
from dvtool.formats.pack import decode_footer
from dvtool.formats.pack import decode_record_head
from dvtool.formats.tree import decode_page
from dvtool.hashing.digests import object_id
from dvtool.hashing.digests import pack_id
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.store.localpacks import PackKey
from dvtool.store.packcheck import check_recipe_key
from dvtool.store.packfile import Table

Found = tuple[ObjectId, int, bytes]
"""An object's key, kind and bytes."""


def table_of(path: bytes, key: PackKey) -> Table | None:
    """The table of a pack if it is right, whatever the rest is."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            file.seek(max(0, size - FOOTER_BYTES))
            foot = decode_footer(file.read(), size, show(path))
            file.seek(foot.table_offset)
            data = file.read(foot.entries * TABLE_ENTRY_BYTES)
            check_table(data, foot, key.pack_class, show(path))
        except (FormatError, IntegrityError):
            return None
    return Table(data) if pack_id(key.pack_class, data) == key.id else None


def good_objects(path: bytes, key: PackKey, table: Table | None) -> Iterator[Found]:
    """Every object that can be proved. Without a table, up to the first record that cannot be read."""
    with open(path, "rb") as file:
        data = file.read(PACK_BYTES_LIMIT)
    yield from _walk(data, key, show(path)) if table is None else _by_table(data, table, show(path))


def _by_table(data: bytes, table: Table, where: str) -> Iterator[Found]:
    at_offset: dict[int, dict[bytes, int]] = {}
    for entry in table.entries():
        at_offset.setdefault(entry.offset, {})[entry.digest] = entry.kind
    decoder = RecordDecoder()
    for offset, wanted in sorted(at_offset.items()):
        try:
            objects = decoder.decode(data, offset, where)
            is_sound = True
        except (FormatError, IntegrityError):
            objects = list(_without_checksum(data, offset, where))
            is_sound = False
        for content in objects:
            oid = object_id(content)
            if wanted.get(oid) in (BYTES, TREE):
                yield oid, wanted[oid], content
            elif is_sound and len(wanted) == len(objects) == 1:
                yield from _keyed(*next(iter(wanted.items())), content, where)


def _keyed(key: bytes, kind: int, content: bytes, where: str) -> Iterator[Found]:
    try:
        if kind == RECIPE:
            check_recipe_key(key, content, where)
    except (FormatError, IntegrityError):
        return
    if kind not in (BYTES, TREE):
        yield ObjectId(key), kind, content


def _without_checksum(data: bytes, offset: int, where: str) -> Iterator[bytes]:
    """The parts of a record that does not match its checksum: some may be as they were."""
    try:
        head = decode_record_head(data, offset, where)
        body = offset + RECORD_HEAD_BYTES
        lengths = struct.unpack_from(f"<{head.objects}I", data, body)
        start = body + 4 * head.objects
        plain = data[start : start + head.stored]
        if head.codec:
            plain = zstandard.ZstdDecompressor().decompress(plain, max_output_size=head.plain)
    except (FormatError, zstandard.ZstdError, struct.error):
        return
    at = 0
    for length in lengths:
        yield plain[at : at + length]
        at += length


def _walk(data: bytes, key: PackKey, where: str) -> Iterator[Found]:
    decoder = RecordDecoder()
    offset = HEADER_BYTES
    while True:
        try:
            total = decode_record_head(data, offset, where).total
            objects = decoder.decode(data, offset, where)
        except (FormatError, IntegrityError):
            return
        for content in objects:
            found = (object_id(content), BYTES, content) if key.pack_class == DATA else _meta(content, where)
            if found is not None:
                yield found
        offset += total


def _meta(content: bytes, where: str) -> Found | None:
    """A tree page; the keys of recipes and aliases stand in the table alone."""
    try:
        decode_page(content, where)
    except (FormatError, IntegrityError):
        return None
    return object_id(content), TREE, content
