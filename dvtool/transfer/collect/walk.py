"""From roots to everything that they need on a remote, each object once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.pack import ALIAS
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.formats.recipe import PAGE
from dvtool.formats.recipe import decode_recipe
from dvtool.formats.records import Root
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import BLAKE3_CODE
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.transfer.collect.marks import Marks
from dvtool.transfer.collect.pages import MetaPages
from dvtool.transfer.collect.types import MissingObject

_AT_ONCE = 256
_MISSING_KEPT = 1_000


class _Open(NamedTuple):
    """A tree or recipe that is yet to be read."""

    oid: ObjectId
    kind: int
    needed_by: str


class LiveWalk:
    """Marks what *roots* need. ``missing``: what no pack holds, the first thousand; ``missing_count`` all.

    *elsewhere*: names of roots whose data belongs to another remote: it may lie here, and need not."""

    def __init__(self, pages: MetaPages, marks: Marks, elsewhere: frozenset[str] = frozenset()) -> None:
        self._pages = pages
        self._marks = marks
        self._elsewhere = elsewhere
        self._open: list[_Open] = []
        self._absent_pages: set[bytes] = set()
        self.missing: list[MissingObject] = []
        self.missing_count = 0

    def run(self, roots: Mapping[Root, str]) -> None:
        """Walk everything. Raises `MissingData` for a tree or recipe that is neither there nor here, `IntegrityError`
        and `FormatError` for one that cannot be read: what it needs is not known, so nothing may be deleted."""
        for root, needed_by in roots.items():
            if root.directory:
                self._page(root.oid, TREE, needed_by)
            else:
                self._blob(root.oid, None, needed_by)
        while self._open:
            batch, self._open = self._open[-_AT_ONCE:], self._open[:-_AT_ONCE]
            found = self._pages.get({(each.oid, each.kind) for each in batch})
            for each in batch:
                data = found.get((each.oid, each.kind))
                if data is None:
                    raise _unknown(each)
                try:
                    self._below(each, data)
                except (FormatError, IntegrityError) as error:
                    error.hint = error.hint or "nothing was deleted; `dvtool fsck --remote NAME` says what is wrong"
                    raise

    def _page(self, oid: ObjectId, kind: int, needed_by: str) -> None:
        there, first = self._marks.mark(oid, kind)
        if not there:
            # It may still be in the cache: then what it names is known, and kept.
            if oid in self._absent_pages:
                return
            self._absent_pages.add(oid)
            self._lacks(oid, needed_by)
        if first or not there:
            self._open.append(_Open(oid, kind, needed_by))

    def _blob(self, oid: ObjectId, size: int | None, needed_by: str) -> None:
        in_pieces = False
        if size is None or size >= CHUNKED_FROM:
            in_pieces, first = self._marks.mark(oid, RECIPE)
            if first:
                self._open.append(_Open(oid, RECIPE, needed_by))
        if in_pieces and size is not None:
            return
        whole, _ = self._marks.mark(oid, BYTES)
        if whole or in_pieces:
            return
        if size is not None and size < CHUNKED_FROM:
            in_pieces, first = self._marks.mark(oid, RECIPE)
            if first:
                self._open.append(_Open(oid, RECIPE, needed_by))
            if in_pieces:
                return
        if self._marks.mark(oid, ALIAS)[0]:
            raise FormatError(
                f"{needed_by} needs an alias, blake3:{oid.hex()}, which this version cannot follow",
                hint="nothing was deleted; upgrade dvtool",
            )
        self._lacks(oid, needed_by)

    def _below(self, each: _Open, data: bytes) -> None:
        where = f"{each.needed_by}: blake3:{each.oid.hex()}"
        if each.kind == RECIPE:
            for piece in decode_recipe(data, where).pieces:
                if piece.kind == PAGE:
                    self._page(ObjectId(piece.digest), RECIPE, each.needed_by)
                elif not self._marks.mark(piece.digest, BYTES)[0]:
                    self._lacks(ObjectId(piece.digest), each.needed_by)
            return
        page = decode_page(data, where)
        if not isinstance(page, Leaf):
            for ref in page.pages:
                self._page(ObjectId(ref.raw), TREE, each.needed_by)
            return
        for entry in page.entries:
            if entry.kind == DIRECTORY:
                self._page(ObjectId(entry.raw), TREE, each.needed_by)
            elif entry.kind == FILE:
                is_own = entry.algorithm == BLAKE3_CODE
                oid = ObjectId(entry.raw) if is_own else object_id(str(entry.digest).encode("ascii"))
                self._blob(oid, entry.size, each.needed_by)

    def _lacks(self, oid: ObjectId, needed_by: str) -> None:
        if needed_by in self._elsewhere:
            return
        self.missing_count += 1
        if len(self.missing) < _MISSING_KEPT:
            self.missing.append(MissingObject(oid, needed_by))


def _unknown(each: _Open) -> DvtoolError:
    what = "a list of files" if each.kind == TREE else "a list of pieces"
    return MissingData(
        f"{each.needed_by}: {what}, blake3:{each.oid.hex()}, is neither on the remote nor here, so what it needs is "
        "not known",
        hint="nothing was deleted; `dvtool push` from a clone that has the data",
    )
