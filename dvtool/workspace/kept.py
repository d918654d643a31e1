"""The record of the user's own files that a forced command replaced: their bytes are in the cache."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.disk.durable import fsync_file
from dvtool.disk.durable import write_all
from dvtool.errors import FormatError
from dvtool.errors import storage_error
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.digest import parse_digest

_FILE = b"kept.jsonl"


class KeptFile(NamedTuple):
    """A file whose bytes were stored before it was replaced. ``when``: Unix seconds."""

    path: bytes
    oid: ObjectId
    size: int
    executable: bool
    when: float
    why: str


class Kept:
    """The record in one workspace's state directory: a JSON object a line, only ever appended to."""

    def __init__(self, state_dir: bytes) -> None:
        self._path = os.path.join(state_dir, _FILE)

    def append(self, files: Sequence[KeptFile]) -> None:
        """Add lines, durable when this returns."""
        lines = [
            json.dumps(
                {
                    "path": base64.b64encode(kept.path).decode("ascii"),
                    "digest": str(as_digest(kept.oid)),
                    "size": kept.size,
                    "executable": kept.executable,
                    "when": kept.when,
                    "why": kept.why,
                },
                sort_keys=True,
            )
            for kept in files
        ]
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                write_all(fd, "".join(line + "\n" for line in lines).encode("ascii"))
                fsync_file(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error(error, "write", self._path) from error

    def read(self) -> list[KeptFile]:
        """All lines, the oldest first; a torn last line is passed over."""
        try:
            with open(self._path, "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(error, "read", self._path) from error
        found: list[KeptFile] = []
        for line in lines:
            try:
                row = json.loads(line)
                path = base64.b64decode(row["path"], validate=True)
                oid = parse_digest(row["digest"]).oid
                found.append(
                    KeptFile(path, oid, int(row["size"]), bool(row["executable"]), float(row["when"]), str(row["why"]))
                )
            except (ValueError, KeyError, TypeError, FormatError):
                continue
        return found
