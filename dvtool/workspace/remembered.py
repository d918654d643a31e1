"""What the memo knows of the entries on directory pages."""

from __future__ import annotations

from collections.abc import Sequence

from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.formats.tree import file_digests
from dvtool.model.tree import Entry
from dvtool.state.memo import Memo
from dvtool.state.memo import MemoPage
from dvtool.workspace.filereading import SIGNATURE_BYTES
from dvtool.workspace.sinks import Sink


class Remembered:
    """Reads page bodies from the memo; those read last are kept, since neighbours ask for the same."""

    def __init__(self, memo: Memo, sink: Sink) -> None:
        self._memo = memo
        self._sink = sink
        self._pages: tuple[bytes, ...] = ()
        self._entries: dict[bytes, tuple[bytes, Entry]] = {}

    def forget(self) -> None:
        """Another directory follows."""
        self._pages = ()

    def entries(self, path: bytes, last_names: Sequence[bytes]) -> dict[bytes, tuple[bytes, Entry]]:
        """Packed signature and entry of every name on those pages of a directory."""
        if self._pages == (path, *last_names):
            return self._entries
        found: dict[bytes, tuple[bytes, Entry]] = {}
        for body in self._memo.bodies(path, last_names):
            page = decode_page(body.leaf)
            if isinstance(page, Leaf) and len(body.signatures) == SIGNATURE_BYTES * len(page.entries):
                for number, entry in enumerate(page.entries):
                    at = number * SIGNATURE_BYTES
                    found[entry.name] = (body.signatures[at : at + SIGNATURE_BYTES], entry)
        self._pages, self._entries = (path, *last_names), found
        return found

    def is_stored(self, path: bytes, seen: MemoPage) -> bool:
        """Whether the sink holds all that a page names; hands in the page itself where it is missing."""
        bodies = self._memo.bodies(path, [seen.last_name])
        if not bodies:
            return False
        if not self._sink.holds_all(file_digests(bodies[0].leaf)):
            return False
        if not self._sink.holds_page(seen.oid):
            self._sink.page(bodies[0].leaf)
        return True
