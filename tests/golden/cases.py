"""One small value of each format, whose bytes are pinned in ``formats/<name>/``.

They show in the format pages and must never change: a store that was written today is read
for ever. ``DVTOOL_PIN=1 pytest tests/golden`` writes the files anew, for a new format version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from dvtool.formats import catalog
from dvtool.formats import checktimes
from dvtool.formats import index
from dvtool.formats import oplog
from dvtool.formats import pack
from dvtool.formats import pointer
from dvtool.formats import recipe
from dvtool.formats import records
from dvtool.formats import trashrun
from dvtool.formats import tree
from dvtool.hashing.digests import digest_of
from dvtool.hashing.digests import object_id
from dvtool.model.digest import Algorithm
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.pointer import Source
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import link_entry
from tests.golden.oplogcases import ADD
from tests.golden.oplogcases import EVERYTHING

WHERE = "golden"
HELLO = b"hello\n"
RUN = b"#!/bin/sh\necho hi\n"
ROWS = b"".join(b"%d,name-%d,%d\n" % (n, n % 7, n * n) for n in range(200))


class Case(NamedTuple):
    """``file`` lies below ``formats/``; decoding it gives ``value``, encoding that gives the file."""

    file: str
    value: Any
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


class Packed(NamedTuple):
    """A whole pack: class, and records of (kind, digest, bytes)."""

    pack_class: int
    records: tuple[tuple[tuple[int, bytes, bytes], ...], ...]


def encode_pack(value: Packed) -> bytes:
    """A pack in memory, as the writer makes it on disk."""
    encoder = pack.RecordEncoder()
    data = pack.header(value.pack_class)
    rows = []
    for record in value.records:
        rows += [pack.pack_table_entry(digest, len(data), len(plain), kind) for kind, digest, plain in record]
        data += encoder.encode([plain for _, _, plain in record])
    table = b"".join(sorted(rows))
    return data + table + pack.footer(len(data), table)


def decode_pack(data: bytes) -> Packed:
    """Reads a pack from byte 16 to the table, record by record."""
    pack_class = pack.check_header(data, WHERE)
    foot = pack.decode_footer(data[-pack.FOOTER_BYTES :], len(data), WHERE)
    table = data[foot.table_offset : -pack.FOOTER_BYTES]
    pack.check_table(table, foot, pack_class, WHERE)
    entries = [pack.unpack_table_entry(table, at) for at in range(0, len(table), pack.TABLE_ENTRY_BYTES)]
    decoder = pack.RecordDecoder()
    found: list[tuple[tuple[int, bytes, bytes], ...]] = []
    at = pack.HEADER_BYTES
    while at < foot.table_offset:
        here = [entry for entry in entries if entry.offset == at]
        objects = decoder.decode(data, at, WHERE)
        named = {object_id(plain): plain for plain in objects}
        if len(here) == 1:
            found.append(((here[0].kind, here[0].digest, objects[0]),))
        else:
            kinds = {entry.digest: entry.kind for entry in here}
            found.append(tuple((kinds[oid], bytes(oid), plain) for oid, plain in named.items() if oid in kinds))
        at += pack.decode_record_head(data, at, WHERE).total
    assert at == foot.table_offset
    return Packed(pack_class, tuple(found))


def _decode_index(data: bytes) -> list[tuple[index.IndexedPack, bytes]]:
    reader = index.IndexReader(data, WHERE)
    reader.verify()
    return list(zip(reader.packs, reader.tables()))


def _decode_leaf(data: bytes) -> list[Entry]:
    page = tree.decode_page(data, WHERE)
    assert isinstance(page, tree.Leaf)
    return page.entries


LEAF = [
    directory_entry(b"empty", TreeRef(object_id(tree.encode_leaf(())), 0, 0)),
    Entry(b"hello.txt", 1, False, Algorithm.BLAKE3.code, object_id(HELLO), len(HELLO)),
    link_entry(b"latest", b"hello.txt"),
    Entry(b"odd\n\xff", 1, False, Algorithm.MD5.code, digest_of(HELLO, Algorithm.MD5).raw, len(HELLO)),
    Entry(b"run", 1, True, Algorithm.BLAKE3.code, object_id(RUN), len(RUN)),
]
UPPER = tree.Upper(1, [PageRef(b"000231", object_id(b"a"), 4_096, 231), PageRef(b"000300", object_id(b"b"), 70, 69)])

DATA_PACK = Packed(
    pack.DATA,
    (
        tuple((pack.BYTES, bytes(object_id(plain)), plain) for plain in (HELLO, RUN, b"")),
        ((pack.BYTES, bytes(object_id(ROWS)), ROWS),),
    ),
)
RECIPE = recipe.Recipe(
    object_id(ROWS + HELLO),
    len(ROWS) + len(HELLO),
    recipe.FASTCDC,
    (
        recipe.Piece(object_id(ROWS), len(ROWS), recipe.PIECE),
        recipe.Piece(object_id(HELLO), len(HELLO), recipe.PIECE),
    ),
)
META_PACK = Packed(
    pack.META,
    (
        ((pack.TREE, bytes(object_id(tree.encode_leaf(LEAF))), tree.encode_leaf(LEAF)),),
        ((pack.RECIPE, RECIPE.blob, recipe.encode_recipe(RECIPE)),),
    ),
)


def _covered(value: Packed, suffix: bytes) -> tuple[index.IndexedPack, bytes]:
    data = encode_pack(value)
    foot = pack.decode_footer(data[-pack.FOOTER_BYTES :], len(data), WHERE)
    table = data[foot.table_offset : -pack.FOOTER_BYTES]
    pack_id = object_id(bytes((value.pack_class,)) + table)
    return index.IndexedPack(pack_id, suffix, value.pack_class, len(data)), table


COVERED = sorted([_covered(DATA_PACK, bytes.fromhex("0badcafe")), _covered(META_PACK, bytes.fromhex("00c0ffee"))])
KEYS = tuple(
    sorted(
        f"{'data' if item.pack_class == pack.DATA else 'meta'}/{item.id.hex()[:2]}/{item.id.hex()}-{item.suffix.hex()}"
        for item, _ in COVERED
    )
)
ROOT = TreeRef(object_id(tree.encode_leaf(LEAF)), 30, 4)


CHECKED = tuple((key, 1_790_000_000 + number) for number, key in enumerate(KEYS))


def _decode_check_times(data: bytes) -> tuple[tuple[str, int | None], ...]:
    times = checktimes.decode_check_times(data, WHERE)
    return tuple((key, times.when(key)) for key in KEYS)


def _pointer(file: str, value: Pointer) -> Case:
    return Case(f"pointer/{file}", value, pointer.encode_pointer, lambda data: pointer.decode_pointer(data, WHERE))


IMPORTED = Pointer(
    b"images",
    Kind.DIRECTORY,
    digest_of(tree.encode_leaf(LEAF)),
    30,
    4,
    source=Source(
        digest_of(tree.encode_leaf(LEAF)),
        "https://git.example.org/data/registry.git",
        "main",
        "0b7d1c1f1f2f6f58e7a5e2b3b0f3a0d6a3c1d9e4",
        b"data/images",
    ),
)

CASES = [
    _pointer("file.dvt", Pointer(b"rows.csv", Kind.FILE, digest_of(ROWS), len(ROWS))),
    _pointer("remote.dvt", Pointer(b"rows.csv", Kind.FILE, digest_of(ROWS), len(ROWS), remote="eu")),
    _pointer("executable.dvt", Pointer(b"run", Kind.FILE, digest_of(RUN), len(RUN), executable=True)),
    _pointer("directory.dvt", Pointer(b"data", Kind.DIRECTORY, digest_of(tree.encode_leaf(LEAF)), 30, 4)),
    _pointer("quoted.dvt", Pointer('caf\u00e9 "1"'.encode(), Kind.FILE, digest_of(HELLO), len(HELLO))),
    _pointer("latin1.dvt", Pointer(b"caf\xe9", Kind.FILE, digest_of(HELLO), len(HELLO))),
    _pointer("imported.dvt", IMPORTED),
    _pointer(
        "imported-url.dvt",
        Pointer(
            b"rows.csv",
            Kind.FILE,
            digest_of(ROWS),
            len(ROWS),
            source=Source(digest_of(ROWS), url="https://data.example.org/rows.csv", etag='"5e2-1f"'),
        ),
    ),
    _pointer(
        "adopted.dvt",
        Pointer(b"old", Kind.FILE, digest_of(HELLO, Algorithm.MD5), len(HELLO), extra="# kept\nowner: somebody\n"),
    ),
    Case("tree/leaf.bin", LEAF, tree.encode_leaf, _decode_leaf),
    Case("tree/empty.bin", [], tree.encode_leaf, _decode_leaf),
    Case(
        "tree/upper.bin",
        UPPER,
        lambda value: tree.encode_upper(value.level, value.pages),
        lambda data: tree.decode_page(data, WHERE),
    ),
    Case("pack/data.pack", DATA_PACK, encode_pack, decode_pack),
    Case("pack/meta.pack", META_PACK, encode_pack, decode_pack),
    Case("index/two-packs.idx", COVERED, index.encode_index, _decode_index),
    Case("fsck/check-times", CHECKED, checktimes.encode_check_times, _decode_check_times),
    Case("recipe/two-pieces.bin", RECIPE, recipe.encode_recipe, lambda data: recipe.decode_recipe(data, WHERE)),
    Case(
        "remote/dvtool-store.json",
        records.StoreFile("00112233445566778899aabbccddeeff"),
        records.encode_store_file,
        lambda data: records.decode_store_file(data, WHERE),
    ),
    Case(
        "remote/root-record",
        records.RootRecord(
            "5c1e7a90f2b34d68",
            ("a" * 40,),
            (records.Root(directory=False, oid=object_id(ROWS)), records.Root(directory=True, oid=ROOT.oid)),
            KEYS,
            "Ada Example <ada@example.org>",
        ),
        records.encode_root_record,
        lambda data: records.decode_root_record(data, WHERE),
    ),
    Case(
        "remote/dead-list",
        records.DeadList(KEYS[:1]),
        records.encode_dead_list,
        lambda data: records.decode_dead_list(data, WHERE),
    ),
    Case(
        "remote/dead-list-with-records",
        records.DeadList(KEYS, ("roots/5c1e7a90f2b34d68/" + "a" * 40 + "-00112233aabbccdd",)),
        records.encode_dead_list,
        lambda data: records.decode_dead_list(data, WHERE),
    ),
    Case(
        "remote/catalog",
        catalog.Catalog(tuple(sorted(object_id(each).hex() for each in (HELLO, RUN))), ("00112233aabbccdd",)),
        catalog.encode_catalog,
        lambda data: catalog.decode_catalog(data, WHERE),
    ),
    Case("oplog/add.json", ADD, oplog.encode_operation, lambda data: oplog.decode_operation(data, WHERE)),
    Case("oplog/everything.json", EVERYTHING, oplog.encode_operation, lambda data: oplog.decode_operation(data, WHERE)),
    Case(
        "trash/run.json",
        trashrun.TrashRun("20260131T120000Z-0badcafe", 1_769_860_800, "gc", 12, 34_567_890),
        trashrun.encode_trash_run,
        lambda data: trashrun.decode_trash_run(data, WHERE),
    ),
]
