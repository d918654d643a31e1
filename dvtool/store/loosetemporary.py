"""A large blob that arrives in pieces, before it has a name."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable

from blake3 import blake3

from dvtool.disk.durable import discard
from dvtool.disk.durable import fsync_file
from dvtool.disk.durable import open_temporary
from dvtool.disk.durable import write_all
from dvtool.disk.partial import open_partial
from dvtool.disk.writeback import Writeback
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId


class LooseTemporary:
    """A loose blob on its way; a context manager that removes what was not published.

    With *name* it outlives an exception, and the end of the process: `go_on` takes up what was written under that
    name before. Not where another process is at work on it.
    """

    def __init__(
        self, directory: bytes, publish: Callable[[bytes, ObjectId], None], *, durable: bool, name: bytes = b""
    ) -> None:
        self._publish = publish
        self._durable = durable
        partial = open_partial(directory, name) if name else None
        self._outlives = partial is not None
        self._fd, self.path = partial or open_temporary(directory)
        self._hasher = blake3()
        self._writeback = Writeback(self._fd)
        self.size = 0

    def __enter__(self) -> LooseTemporary:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or not self._outlives or not self.size:
            self.drop()
        elif self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def drop(self) -> None:
        """Remove it, unless it was published."""
        if self._fd >= 0:
            discard(None, self.path)
            os.close(self._fd)
            self._fd = -1

    def go_on(self, pieces: Iterable[tuple[bytes, int]]) -> int:
        """Keep what is there already of *pieces* (digest and length), in order; how many those are."""
        count = 0
        if os.fstat(self._fd).st_size:
            for digest, length in pieces:
                data = os.pread(self._fd, length, self.size)
                if len(data) != length or object_id(data) != digest:
                    break
                self._hasher.update(data)
                self.size += length
                count += 1
            os.ftruncate(self._fd, self.size)
            os.lseek(self._fd, self.size, os.SEEK_SET)
            self._writeback = Writeback(self._fd, self.size)
        return count

    def write(self, data: bytes) -> None:
        """Append and hash."""
        write_all(self._fd, data)
        if self._durable:
            self._writeback.wrote(len(data))
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
        try:
            self._publish(self.path, oid)
        except BaseException:
            discard(None, self.path)
            raise
        finally:
            os.close(self._fd)
            self._fd = -1
