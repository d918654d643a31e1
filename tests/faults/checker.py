"""A strict look at a whole store on disk: everything is read and hashed, nothing is believed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from dvtool.errors import DvtoolError
from dvtool.formats.index import IndexReader
from dvtool.formats.pack import ALIAS
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import FOOTER_BYTES
from dvtool.formats.pack import HEADER_BYTES
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.pack import TREE
from dvtool.formats.pack import RecordDecoder
from dvtool.formats.pack import check_header
from dvtool.formats.pack import check_table
from dvtool.formats.pack import decode_footer
from dvtool.formats.pack import decode_record_head
from dvtool.formats.pack import unpack_table_entry
from dvtool.formats.recipe import PAGE
from dvtool.formats.recipe import decode_recipe
from dvtool.formats.records import decode_dead_list
from dvtool.formats.records import decode_root_record
from dvtool.formats.records import decode_store_file
from dvtool.formats.runentry import decode_entry
from dvtool.hashing.digests import object_id
from dvtool.hashing.digests import pack_id
from dvtool.model.digest import ObjectId
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import TreeRef
from dvtool.store.names import pack_name
from dvtool.store.names import parse_pack_name
from dvtool.store.trees import walk
from dvtool.workspace.pointers import tracked_in

_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass
class Contents:
    """What a store really holds. ``blobs``: sizes by digest; ``leftovers``: files below ``tmp``; ``trash``: the blobs
    that a collection has put there.
    """

    blobs: dict[bytes, int] = field(default_factory=dict)
    trees: dict[bytes, bytes] = field(default_factory=dict)
    recipes: dict[bytes, bytes] = field(default_factory=dict)
    packs: dict[str, bytes] = field(default_factory=dict)
    indexed: set[str] = field(default_factory=set)
    leftovers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    trash: set[bytes] = field(default_factory=set)
    doomed: set[str] = field(default_factory=set)

    def has_blob(self, oid: bytes, size: int) -> bool:
        """Whether the bytes are there, whole or in pieces."""
        if oid in self.blobs:
            return self.blobs[oid] == size
        return oid in self.recipes and self._pieces_size(oid) == size

    def _pieces_size(self, oid: bytes) -> int:
        total = 0
        for digest, length, kind in decode_recipe(self.recipes[oid], oid.hex()).pieces:
            held = self._pieces_size(digest) if kind == PAGE and digest in self.recipes else self.blobs.get(digest)
            total += length if held == length else 0
        return total

    def page(self, oid: ObjectId) -> bytes:
        """A tree page, for `dvtool.store.trees`."""
        return self.trees[oid]

    def lacks(self, data: bytes, path: bytes = b"x.dvt") -> list[str]:
        """What a pointer or lock needs and the store does not hold."""
        return [each for item in tracked_in(path, data, "a root") for each in self._lacks(item.pointer)]

    def _lacks(self, value: Pointer) -> list[str]:
        oid = value.digest.oid
        if value.kind is not Kind.DIRECTORY:
            return [] if self.has_blob(oid, value.size) else [f"blob {oid.hex()}"]
        lacking: list[str] = []
        try:
            for path, entry in walk(self.page, TreeRef(oid, value.size, value.files)):
                if entry.kind == FILE and not self.has_blob(entry.raw, entry.size):
                    lacking.append(os.fsdecode(path))
                assert entry.kind != DIRECTORY or entry.raw in self.trees
        except KeyError as error:
            lacking.append(f"tree page {error.args[0].hex()}")
        return lacking


def read_store(root: Path) -> Contents:
    """Everything in the cache or directory remote at *root*; an absent one is empty."""
    found = Contents()
    for path in sorted(_files(root)):
        name = str(path.relative_to(root))
        try:
            _look(found, name, path)
        except DvtoolError as error:
            found.problems.append(f"{name}: {error.message}")
        except _Wrong as error:
            found.problems.append(f"{name}: {error}")
    found.problems += [
        f"an index names {name}, which is not there" for name in found.indexed - found.packs.keys() - found.doomed
    ]
    return found


class _Wrong(Exception):
    pass


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            yield Path(folder) / name


def _look(found: Contents, name: str, path: Path) -> None:
    top = name.partition("/")[0]
    status = path.lstat()
    if path.name.startswith(".dvtool-"):
        found.leftovers.append(name)
        return
    if not stat.S_ISREG(status.st_mode):
        raise _Wrong("not a regular file")
    if top == "trash":
        _, _, below = name.split("/", 2) if name.count("/") > 1 else (top, "", "")
        aside = Contents()
        if below and below != "run.json":
            _look(aside, below, path)
        found.trash |= aside.blobs.keys()
    elif top in ("tmp", "clock"):
        found.leftovers.append(name)
    elif top in ("data", "meta"):
        _pack(found, name, path.read_bytes())
    elif top == "objects":
        _loose(found, name, path.read_bytes(), status.st_mode)
    elif top == "index":
        _index(found, path)
    elif top == "runs":
        # A torn last line counts as absent; what is named need not be there.
        for line in path.read_bytes().split(b"\n")[:-1]:
            decode_entry(line + b"\n", name)
    elif top == "roots":
        decode_root_record(path.read_bytes(), name)
    elif top == "dead":
        found.doomed.update(decode_dead_list(path.read_bytes(), name).packs)
    elif name == "dvtool-store.json":
        decode_store_file(path.read_bytes(), name)
    elif top not in ("lock", "remotes", "catalog", "quarantine"):
        raise _Wrong("nothing of that name belongs here")


def _pack(found: Contents, name: str, data: bytes) -> None:
    parsed = parse_pack_name(name)
    if parsed is None:
        raise _Wrong("not the name of a pack")
    pack_class, stated, _ = parsed
    foot = decode_footer(data[-FOOTER_BYTES:], len(data), name)
    table = data[foot.table_offset : -FOOTER_BYTES]
    check_table(table, foot, pack_class, name)
    if check_header(data[:HEADER_BYTES], name) != pack_class or pack_id(pack_class, table) != stated:
        raise _Wrong("the pack is not the one that its name says")
    entries = [unpack_table_entry(table, at) for at in range(0, len(table), TABLE_ENTRY_BYTES)]
    wanted = {(entry.digest, entry.offset, entry.size) for entry in entries}
    keyed = {entry.offset: entry for entry in entries if entry.kind in (RECIPE, ALIAS)}
    decoder = RecordDecoder()
    at = HEADER_BYTES
    while at < foot.table_offset:
        for blob in decoder.decode(data, at, name):
            if at in keyed:
                found.recipes[keyed[at].digest] = blob
                wanted.discard((keyed[at].digest, at, len(blob)))
                continue
            oid = object_id(blob)
            if (oid, at, len(blob)) not in wanted:
                raise _Wrong(f"an object at {at} that the table does not name")
            wanted.discard((oid, at, len(blob)))
            if pack_class == META:
                found.trees[oid] = blob
            else:
                found.blobs[oid] = len(blob)
        at += decode_record_head(data, at, name).total
    if wanted or at != foot.table_offset or {entry.kind for entry in entries} - {BYTES, TREE, RECIPE, ALIAS}:
        raise _Wrong("the pack does not hold what its table says")
    found.packs[name] = table


def _loose(found: Contents, name: str, data: bytes, mode: int) -> None:
    oid = object_id(data)
    if name != f"objects/{oid.hex()[:2]}/{oid.hex()}":
        raise _Wrong("the bytes are not what the name says")
    if mode & 0o222:
        raise _Wrong("an object that can be written to")
    found.blobs[oid] = len(data)


def _index(found: Contents, path: Path) -> None:
    data = path.read_bytes()
    if not _HEX.fullmatch(path.name) or object_id(data).hex() != path.name:
        raise _Wrong("the bytes are not what the name says")
    reader = IndexReader(data, path.name)
    reader.verify()
    for pack, table in zip(reader.packs, reader.tables()):
        if pack_id(pack.pack_class, table) != pack.id:
            raise _Wrong("entries that are not those of the pack")
        if any(pack.suffix):
            # On a remote. In a cache packs are merged, and its index files decide nothing.
            found.indexed.add(pack_name(pack.pack_class, pack.id, pack.suffix))
