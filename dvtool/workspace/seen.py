"""Looks single files up in the memo's pages."""

from __future__ import annotations

from bisect import bisect_left

from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.model.digest import ObjectId
from dvtool.model.paths import split
from dvtool.model.tree import FILE
from dvtool.state.memo import Memo
from dvtool.workspace.filereading import SIGNATURE_BYTES


class SeenFiles:
    """Signature and address last seen at a path; a few decoded pages are kept."""

    def __init__(self, memo: Memo) -> None:
        self._memo = memo
        self._pages: dict[bytes, list[bytes]] = {}
        self._key: tuple[bytes, bytes] | None = None
        self._names: dict[bytes, tuple[bytes, ObjectId]] = {}

    def find(self, path: bytes) -> tuple[bytes, ObjectId] | None:
        """The packed signature and the address, or None."""
        own = self._memo.file(path)
        if own is not None:
            return own
        directory, name = split(path)
        last_names = self._pages.get(directory)
        if last_names is None:
            last_names = sorted(self._memo.pages(directory))
            self._pages = {directory: last_names}
        if not last_names:
            return None
        at = bisect_left(last_names, name) if last_names != [b""] else 0
        if at == len(last_names):
            return None
        key = (directory, last_names[at])
        if key != self._key:
            self._key = key
            self._names = self._load(directory, last_names[at])
        return self._names.get(name)

    def _load(self, directory: bytes, last_name: bytes) -> dict[bytes, tuple[bytes, ObjectId]]:
        names: dict[bytes, tuple[bytes, ObjectId]] = {}
        for body in self._memo.bodies(directory, [last_name]):
            page = decode_page(body.leaf)
            if isinstance(page, Leaf) and len(body.signatures) == SIGNATURE_BYTES * len(page.entries):
                for number, entry in enumerate(page.entries):
                    if entry.kind == FILE:
                        at = number * SIGNATURE_BYTES
                        names[entry.name] = (body.signatures[at : at + SIGNATURE_BYTES], entry.oid)
        return names

    def forget(self) -> None:
        """The memo was changed."""
        self._pages.clear()
        self._key = None
