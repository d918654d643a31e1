"""Which objects of a cache are needed: everything below given roots. Any doubt raises or is reported."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dvtool.errors import MissingData
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.formats.recipe import PAGE
from dvtool.formats.recipe import decode_recipe
from dvtool.formats.records import Root
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import BLAKE3_CODE
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.store.cache import Cache
from dvtool.store.packfile import Table
from dvtool.store.unnamed import Marks


class Absent(NamedTuple):
    """A tree page that a root needs and the cache does not have, so that what lies below is not known."""

    root: Root
    page: ObjectId


def mark_live(cache: Cache, roots: Iterable[Root], live: Marks, reporter: Reporter = SILENT) -> list[Absent]:
    """Mark the roots and all below them; the pages that are not here.

    Raises `IntegrityError` or `FormatError` for a page or recipe that cannot be read: what it
    names is not known, so nothing may be deleted.
    """
    absent: list[Absent] = []
    # Exact, unlike marks: a page taken for one that was read would leave all below it unmarked.
    seen: set[bytes] = set()
    reporter.begin("marking what is kept", unit="objects")
    for root in roots:
        live.add(root.oid)
        if root.directory and root.oid not in seen:
            _mark_tree(cache, root, live, seen, absent, reporter)
    _mark_pieces(cache, live)
    reporter.end()
    return absent


def _mark_tree(
    cache: Cache, root: Root, live: Marks, seen: set[bytes], absent: list[Absent], reporter: Reporter
) -> None:
    todo: list[bytes] = [root.oid]
    seen.add(root.oid)
    while todo:
        oid = ObjectId(todo.pop())
        live.add(oid)
        try:
            page = decode_page(cache.read_meta(oid, TREE), f"blake3:{oid.hex()}")
        except MissingData:
            absent.append(Absent(root, oid))
            continue
        below = []
        if isinstance(page, Leaf):
            for entry in page.entries:
                if entry.kind == DIRECTORY:
                    below.append(entry.raw)
                elif entry.kind == FILE and entry.algorithm == BLAKE3_CODE:
                    live.add(entry.raw)
            reporter.advance(len(page.entries))
        else:
            below = [ref.raw for ref in page.pages]
        for raw in below:
            if raw not in seen:
                seen.add(raw)
                todo.append(raw)


def _mark_pieces(cache: Cache, live: Marks) -> None:
    """A recipe is needed with its blob; its pieces only where the blob itself does not lie here."""
    found = Marks()
    for key in sorted(cache.packs.keys()):
        if key.pack_class != META:
            continue
        for entry in Table(cache.packs.table(key)).entries():
            if entry.kind == RECIPE and entry.digest in live:
                _mark_recipe(cache, ObjectId(entry.digest), found)
    live.update(found)


def _mark_recipe(cache: Cache, blob: ObjectId, found: Marks) -> None:
    is_here = cache.has_blob(blob)
    todo = [blob]
    while todo:
        key = todo.pop()
        try:
            recipe = decode_recipe(cache.read_meta(key, RECIPE), f"recipe of blake3:{blob.hex()}")
        except MissingData:
            # Another page of it can come from a remote; pieces are found by their digest then.
            continue
        for piece in recipe.pieces:
            if piece.kind == PAGE:
                found.add(piece.digest)
                todo.append(ObjectId(piece.digest))
            elif not is_here:
                found.add(piece.digest)
