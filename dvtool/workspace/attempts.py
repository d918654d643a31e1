"""What checkouts began to place and did not end: a killed one, or one that a full disk stopped."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator

from dvtool.disk.durable import write_all
from dvtool.disk.durable import write_file
from dvtool.errors import DvtoolError
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.formats.tree import encode_leaf
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.store.trees import GetPage
from dvtool.store.trees import lookup
from dvtool.store.trees import subtree

_FILE = b"checkout"
_Row = tuple[bytes, Entry | None]


class Attempts:
    """The record in one workspace's state directory: a JSON object a line, gone when all have ended.

    Without it, a file that a killed checkout placed would count as the user's own change. Losing
    it costs no bytes. Changing it needs the lock of the worktree.
    """

    def __init__(self, state_dir: bytes) -> None:
        self._path = os.path.join(state_dir, _FILE)
        self._rows: list[_Row] = []
        self.were_interrupted = False
        """True when an earlier one did not end."""
        try:
            with open(self._path, "rb") as file:
                self._rows = list(_parse(file.read()))
            self.were_interrupted = True
        except OSError:
            pass

    def begin(self, path: bytes, wanted: Entry | None) -> int:
        """*wanted* is about to be placed at *path*. Returns now, on the file system's own clock. Raises ``OSError``."""
        row = (path, wanted)
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            write_all(fd, _line(row))
            now = os.fstat(fd).st_mtime_ns
        finally:
            os.close(fd)
        self._rows.append(row)
        return now

    def end(self, path: bytes) -> None:
        """What stands at *path* is known again, and saved. Raises ``OSError``."""
        if not self._rows and not self.were_interrupted:
            return
        left = [row for row in self._rows if row[0] != path and not row[0].startswith(path + b"/")]
        if left:
            write_file(self._path, b"".join(map(_line, left)), mode=0o600, durable=False)
        else:
            os.unlink(self._path)
            self.were_interrupted = False
        self._rows = left

    def entries_at(self, path: bytes, get: GetPage) -> Iterator[Entry]:
        """What may have been placed at *path*."""
        for top, entry in self._rows:
            if entry is None:
                continue
            if path == top:
                yield entry
            elif path.startswith(top + b"/") and entry.kind == DIRECTORY:
                try:
                    found = lookup(get, subtree(entry), path[len(top) + 1 :])
                except DvtoolError:
                    continue
                if found is not None:
                    yield found


def _line(row: _Row) -> bytes:
    path, entry = row
    leaf = b"" if entry is None else encode_leaf([entry])
    fields = {"path": base64.b64encode(path).decode("ascii"), "leaf": base64.b64encode(leaf).decode("ascii")}
    # A line feed in front: the line before may have been torn.
    return f"\n{json.dumps(fields)}\n".encode("ascii")


def _parse(data: bytes) -> Iterator[_Row]:
    for line in data.split(b"\n"):
        try:
            fields = json.loads(line)
            path = base64.b64decode(fields["path"], validate=True)
            leaf = base64.b64decode(fields["leaf"], validate=True)
            page = decode_page(leaf) if leaf else None
        except (ValueError, KeyError, TypeError, DvtoolError):
            continue
        if page is None:
            yield path, None
        elif isinstance(page, Leaf) and len(page.entries) == 1:
            yield path, page.entries[0]
