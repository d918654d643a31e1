"""What `drop` took away here, and which remotes had it then: so that `status` can say why it is not here."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.disk.durable import write_file
from dvtool.errors import storage_error
from dvtool.model.digest import ObjectId
from dvtool.model.paths import is_below

_FILE = b"dropped"


class DroppedPath(NamedTuple):
    """A tracked path or a part of one. ``oid``: what its pointer said then. ``when``: Unix seconds."""

    path: bytes
    oid: ObjectId
    files: int
    remotes: tuple[str, ...]
    when: float

    @property
    def words(self) -> str:
        """Why it is not here."""
        return f"dropped, on {', '.join(self.remotes)}"


class Dropped:
    """The record in one workspace's state directory: a JSON object a line. Losing it costs only the words."""

    def __init__(self, state_dir: bytes) -> None:
        self._path = os.path.join(state_dir, _FILE)

    def read(self) -> list[DroppedPath]:
        """All of it; a line that cannot be read is passed over."""
        try:
            with open(self._path, "rb") as file:
                return list(_parse(file.read()))
        except OSError:
            return []

    def replace(self, rows: Iterable[DroppedPath]) -> None:
        """Write *rows* in place of what is there, the last one of each path. Raises `StorageError`."""
        last = {row.path: row for row in rows}
        try:
            write_file(self._path, b"".join(map(_line, last.values())), mode=0o600, durable=False)
        except OSError as error:
            raise storage_error(error, "write", self._path) from error


def note_about(rows: Iterable[DroppedPath], path: bytes, oid: bytes) -> DroppedPath | None:
    """What was noted when *path*, or something above it, was dropped. *oid*: what the pointer over it says now."""
    return next((row for row in rows if row.oid == oid and is_below(path, row.path)), None)


def _line(row: DroppedPath) -> bytes:
    fields = {
        "path": base64.b64encode(row.path).decode("ascii"),
        "digest": row.oid.hex(),
        "files": row.files,
        "remotes": row.remotes,
        "when": row.when,
    }
    return json.dumps(fields).encode("ascii") + b"\n"


def _parse(data: bytes) -> Iterator[DroppedPath]:
    for line in data.splitlines():
        try:
            fields = json.loads(line)
            path = base64.b64decode(fields["path"], validate=True)
            remotes = tuple(map(str, fields["remotes"]))
            oid = ObjectId(bytes.fromhex(fields["digest"]))
            yield DroppedPath(path, oid, int(fields["files"]), remotes, float(fields["when"]))
        except (ValueError, KeyError, TypeError):
            continue
