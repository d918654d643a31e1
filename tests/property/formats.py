"""Every on-disk format as one row: values that its writer may write, how to write, read and seal them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from xxhash import xxh3_64_hexdigest
from xxhash import xxh3_64_intdigest

from dvtool.formats import index
from dvtool.formats import pack
from dvtool.formats import pointer
from dvtool.formats import recipe
from dvtool.formats import records
from dvtool.formats import trashrun
from dvtool.formats import tree
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.digest import ObjectId
from dvtool.model.paths import name_problem
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.pointer import Source
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import ends_page

WHERE = "somewhere"
Seal = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Format:
    """``seal`` makes a damaged encoding pass its checksums, so that what lies behind them is reached."""

    name: str
    values: st.SearchStrategy[Any]
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    seal: Seal | None = None
    sees_all: bool = False
    """True when a checksum covers every byte."""

    def __str__(self) -> str:
        return self.name


U63 = st.integers(0, 2**63 - 1)
IDS = st.binary(min_size=32, max_size=32)
NAMES = st.one_of(
    st.binary(min_size=1, max_size=12), st.text(min_size=1, max_size=8).map(lambda s: s.encode("utf-8", "replace"))
).filter(lambda name: name_problem(name) is None)


@st.composite
def _digests(draw: st.DrawFn) -> Digest:
    algorithm = draw(st.sampled_from(Algorithm))
    return Digest(algorithm, draw(st.binary(min_size=algorithm.size, max_size=algorithm.size)))


def _name_in_text(name: bytes) -> bool:
    return not any(byte < 0x20 or byte in b"\x7f\\" for byte in name) and name[1:2] != b":"


EXTRAS = st.lists(
    st.one_of(
        st.just("# a comment\n"),
        st.just("\n"),
        st.builds(
            "note{}: {}\n".format, st.integers(0, 3), st.sampled_from(("x", '"y: z"', "5", "[1, {a: b}]", "2024-01-01"))
        ),
    ),
    max_size=4,
    unique=True,
).map(lambda lines: "".join({line.split(":")[0]: line for line in lines}.values()))


TEXTS = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30).filter(
    lambda text: not text.startswith("-")
)


@st.composite
def _sources(draw: st.DrawFn) -> Source:
    digest, rev = draw(_digests()), draw(st.one_of(st.just(""), TEXTS))
    if draw(st.booleans()):
        return Source(digest, url=draw(TEXTS), etag=rev)
    parts = st.lists(NAMES.filter(_name_in_text), max_size=3)
    commit = draw(st.binary(min_size=20, max_size=20)).hex()
    return Source(digest, draw(TEXTS), rev, commit, b"/".join(draw(parts)), draw(st.sampled_from(["", "eu", "no"])))


@st.composite
def _pointers(draw: st.DrawFn) -> Pointer:
    kind = draw(st.sampled_from(Kind))
    is_file = kind is Kind.FILE
    return Pointer(
        draw(NAMES.filter(_name_in_text)),
        kind,
        draw(_digests()),
        draw(U63),
        1 if is_file else draw(U63),
        is_file and draw(st.booleans()),
        draw(EXTRAS),
        draw(st.sampled_from(["", "eu", "2024", "no", "a.b_c-d"])),
        draw(st.one_of(st.none(), _sources())),
    )


POINTERS = _pointers()


@st.composite
def _entries(draw: st.DrawFn) -> Entry:
    name, kind = draw(NAMES), draw(st.sampled_from((FILE, DIRECTORY, LINK)))
    if kind == LINK:
        target = draw(st.binary(min_size=1, max_size=20).filter(lambda target: b"\0" not in target))
        return Entry(name, LINK, False, 0, b"", len(target), 1, target)
    if kind == DIRECTORY:
        return Entry(name, DIRECTORY, False, Algorithm.BLAKE3.code, draw(IDS), draw(U63), draw(U63))
    digest = draw(_digests())
    return Entry(name, FILE, draw(st.booleans()), digest.algorithm.code, digest.raw, draw(U63))


def _by_name(item: Any) -> bytes:
    return bytes(item[0])


LEAVES = st.lists(_entries(), max_size=6, unique_by=_by_name).map(lambda rows: sorted(rows, key=_by_name))
UPPERS = st.lists(
    st.builds(PageRef, NAMES.filter(lambda name: not ends_page(name, 1)), IDS, U63, U63),
    min_size=1,
    max_size=5,
    unique_by=_by_name,
).map(lambda rows: sorted(rows, key=_by_name))


def _decode_leaf(data: bytes) -> Any:
    page = tree.decode_page(data, WHERE)
    return page.entries if isinstance(page, tree.Leaf) else page


def _encode_page(page: Any) -> bytes:
    return tree.encode_upper(page.level, page.pages) if isinstance(page, tree.Upper) else tree.encode_leaf(page)


def _seal_record(data: bytes) -> bytes:
    return data[:24] + struct.pack("<Q", xxh3_64_intdigest(data[:24] + data[32:])) + data[32:]


KINDS = st.sampled_from([(c, kind) for c, kinds in pack.KINDS_OF_CLASS.items() for kind in sorted(kinds)])
RECORD_BYTES = 40


@st.composite
def _tables(draw: st.DrawFn) -> tuple[int, bytes, bytes]:
    """Class, what stands for the records, table."""
    pack_class, kind = draw(KINDS)
    digests = draw(st.lists(IDS, min_size=1, max_size=6, unique=True))
    records_used = draw(st.integers(1, len(digests)))
    rows = sorted(
        pack.pack_table_entry(
            digest, pack.HEADER_BYTES + RECORD_BYTES * (number % records_used), draw(st.integers(0, 8 << 20)), kind
        )
        for number, digest in enumerate(digests)
    )
    return pack_class, bytes(RECORD_BYTES * records_used), b"".join(rows)


def _encode_ends(value: tuple[int, bytes, bytes]) -> bytes:
    pack_class, middle, table = value
    return pack.header(pack_class) + middle + table + pack.footer(pack.HEADER_BYTES + len(middle), table)


def _decode_ends(data: bytes) -> tuple[int, bytes, bytes]:
    """A pack without its records, which the other format covers."""
    pack_class = pack.check_header(data, WHERE)
    foot = pack.decode_footer(data[-pack.FOOTER_BYTES :], len(data), WHERE)
    table = data[foot.table_offset : -pack.FOOTER_BYTES]
    pack.check_table(table, foot, pack_class, WHERE)
    return pack_class, data[pack.HEADER_BYTES : foot.table_offset], table


def _seal_ends(data: bytes) -> bytes:
    table_offset = struct.unpack_from("<Q", data, len(data) - pack.FOOTER_BYTES)[0]
    table = data[table_offset : -pack.FOOTER_BYTES]
    return data[:-16] + struct.pack("<Q", xxh3_64_intdigest(table)) + data[-8:]


@st.composite
def _indexes(draw: st.DrawFn) -> list[tuple[index.IndexedPack, bytes]]:
    covered = []
    for pack_id in sorted(draw(st.lists(IDS, max_size=3, unique=True))):
        pack_class, middle, table = draw(_tables())
        suffix = draw(st.binary(min_size=4, max_size=4))
        size = pack.HEADER_BYTES + len(middle) + len(table) + pack.FOOTER_BYTES
        covered.append((index.IndexedPack(pack_id, suffix, pack_class, size), table))
    return covered


def _decode_index(data: bytes) -> list[tuple[index.IndexedPack, bytes]]:
    reader = index.IndexReader(data, WHERE)
    reader.verify()
    return list(zip(reader.packs, reader.tables()))


def _seal_index(data: bytes) -> bytes:
    return data[:-16] + struct.pack("<Q", xxh3_64_intdigest(data[:-16])) + data[-8:]


@st.composite
def _recipes(draw: st.DrawFn) -> recipe.Recipe:
    kind = draw(st.sampled_from((recipe.PIECE, recipe.PAGE)))
    lengths = draw(st.lists(st.integers(1, 8 << 20), min_size=1, max_size=6))
    pieces = tuple(recipe.Piece(draw(IDS), length, kind) for length in lengths)
    return recipe.Recipe(draw(IDS), sum(lengths), draw(st.sampled_from((recipe.FIXED, recipe.FASTCDC))), pieces)


def _hex(size: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=size, max_size=size).map(bytes.hex)


@st.composite
def _pack_keys(draw: st.DrawFn) -> str:
    digits = draw(_hex(32))
    suffix = draw(st.one_of(st.just(""), _hex(4).map("-{}".format)))
    return f"{draw(st.sampled_from(('data', 'meta')))}/{digits[:2]}/{digits}{suffix}"


def _sorted_tuple(items: st.SearchStrategy[Any], key: Any = None) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=3, unique=True).map(lambda found: tuple(sorted(found, key=key)))


STORES = st.builds(
    records.StoreFile,
    _hex(16),
    st.builds(
        records.ChunkerSettings,
        st.sampled_from(("fastcdc", "fixed")),
        st.integers(4_096, 65_536),
        st.integers(65_536, 1 << 20),
        st.integers(1 << 20, 8 << 20),
    ),
)


def _record_keys() -> st.SearchStrategy[str]:
    return st.builds("roots/{}/{}-{}".format, _hex(16), _hex(20), _hex(8))


ROOT_RECORDS = st.builds(
    records.RootRecord,
    _hex(16),
    _sorted_tuple(_hex(20)),
    _sorted_tuple(st.builds(records.Root, st.booleans(), IDS.map(ObjectId)), lambda root: (root.directory, root.oid)),
    _sorted_tuple(_pack_keys()),
    st.text(max_size=10),
)


def _seal_json(data: bytes) -> bytes:
    return xxh3_64_hexdigest(data[17:-1]).encode("ascii") + data[16:]


FORMATS = [
    Format("pointer", POINTERS, pointer.encode_pointer, lambda data: pointer.decode_pointer(data, WHERE)),
    Format("leaf", LEAVES, _encode_page, _decode_leaf),
    Format(
        "upper", UPPERS.map(lambda rows: tree.Upper(1, rows)), _encode_page, lambda data: tree.decode_page(data, WHERE)
    ),
    Format(
        "record",
        st.lists(st.binary(max_size=200), min_size=1, max_size=4),
        lambda objects: pack.RecordEncoder().encode(objects),
        lambda data: pack.RecordDecoder().decode(data, 0, WHERE),
        _seal_record,
        sees_all=True,
    ),
    Format("pack-ends", _tables(), _encode_ends, _decode_ends, _seal_ends),
    Format("index", _indexes(), index.encode_index, _decode_index, _seal_index, sees_all=True),
    Format("recipe", _recipes(), recipe.encode_recipe, lambda data: recipe.decode_recipe(data, WHERE)),
    Format(
        "store",
        STORES,
        records.encode_store_file,
        lambda data: records.decode_store_file(data, WHERE),
        _seal_json,
        sees_all=True,
    ),
    Format(
        "roots",
        ROOT_RECORDS,
        records.encode_root_record,
        lambda data: records.decode_root_record(data, WHERE),
        _seal_json,
        sees_all=True,
    ),
    Format(
        "dead",
        st.builds(records.DeadList, _sorted_tuple(_pack_keys()), _sorted_tuple(_record_keys())),
        records.encode_dead_list,
        lambda data: records.decode_dead_list(data, WHERE),
        _seal_json,
        sees_all=True,
    ),
    Format(
        "trash",
        st.builds(
            trashrun.TrashRun,
            st.from_regex(r"\A[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}\Z"),
            st.integers(0, 1 << 40),
            st.text(max_size=9),
            st.integers(0, 1 << 62),
            st.integers(0, 1 << 62),
        ),
        trashrun.encode_trash_run,
        lambda data: trashrun.decode_trash_run(data, WHERE),
        _seal_json,
        sees_all=True,
    ),
]
