"""A large blob that arrives in pieces, before it has a name."""

from __future__ import annotations

import os
from collections.abc import Callable

from blake3 import blake3

from dvtool.disk.durable import discard
from dvtool.disk.durable import fsync_file
from dvtool.disk.durable import open_temporary
from dvtool.disk.durable import write_all
from dvtool.model.digest import ObjectId


class LooseTemporary:
    """A loose blob on its way; a context manager that removes what was not published."""

    def __init__(self, directory: bytes, publish: Callable[[bytes, ObjectId], None], *, durable: bool) -> None:
        self._publish = publish
        self._durable = durable
        self._fd, self.path = open_temporary(directory)
        self._hasher = blake3()
        self.size = 0

    def __enter__(self) -> LooseTemporary:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            discard(None, self.path)

    def write(self, data: bytes) -> None:
        """Append and hash."""
        write_all(self._fd, data)
        self._hasher.update(data)
        self.size += len(data)

    def digest(self) -> ObjectId:
        """The address of what was written so far."""
        return ObjectId(self._hasher.digest())

    def publish(self, oid: ObjectId) -> None:
        """Give it its name. The caller has compared `digest` with *oid*."""
        os.fchmod(self._fd, 0o444)
        if self._durable:
            fsync_file(self._fd)
        os.close(self._fd)
        self._fd = -1
        self._publish(self.path, oid)
