"""Files of a snapshot read by helper processes: each hashes its share and, when data is added, packs it.

A helper has its own writing session on the cache. What it packed counts when the crew is
finished, before the trees that name it are written.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import contextmanager
from typing import Any

from dvtool.disk.beneath import open_dir
from dvtool.disk.crew import Crew
from dvtool.disk.signature import Moment
from dvtool.errors import UnsafeInput
from dvtool.model.ports import SILENT
from dvtool.model.tree import FILE
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.workspace.filereading import SIGNATURE_BYTES
from dvtool.workspace.filereading import FileReader
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.sinks import Sink
from dvtool.workspace.sinks import StoreSink

Found = tuple[bytes, int, bool, bytes]
"""Of a file that was read: address, size, whether it is executable, packed signature."""


class Readers:
    """The helpers of one snapshot."""

    def __init__(self, crew: Crew, cache: Cache | None) -> None:
        self._crew = crew
        self._cache = cache

    def submit(self, path: bytes, names: Sequence[bytes], signatures: bytes) -> int:
        """Read *names* of the directory *path*, whose packed signatures are joined; a ticket."""
        return self._crew.submit((path, list(names), signatures))

    def is_ready(self, ticket: int) -> bool:
        """Whether `result` would return at once."""
        return self._crew.is_ready(ticket)

    def result(self, ticket: int) -> list[Found | None]:
        """For each name what was found; None where it could not be read: the caller looks, and says why."""
        found: list[Found | None] = self._crew.result(ticket)
        return found

    def finish(self) -> None:
        """All that was read is complete in the cache and durable when this returns."""
        self._crew.finish()
        if self._cache is not None:
            self._cache.forget()

    def close(self) -> None:
        """End the helpers; without `finish` they give up what they did."""
        self._crew.close()


def start_readers(cache: Cache | None, root_fd: int, moment: Moment, count: int) -> Readers | None:
    """*count* helpers that store files in *cache*, or only hash them; None where no process can be started."""
    stored = None if cache is None else (cache.root, tuple(cache.settings))
    setup = (stored, root_fd, moment.horizon_ns)
    try:
        return Readers(Crew("dvtool.workspace.readers:serve", setup, count, inherited=(root_fd,)), cache)
    except OSError:
        return None


@contextmanager
def serve(setup: Any) -> Iterator[Callable[[Any], Any]]:
    """A helper's work: `Readers.submit` on the other side."""
    stored, root_fd, horizon = setup
    with ExitStack() as stack:
        sink: Sink = HashSink()
        writer = None
        if stored is not None:
            from dvtool.store.cachewriter import CacheWriter

            root, settings = stored
            cache = Cache(root, Settings(*settings))
            writer = stack.enter_context(CacheWriter(cache, what="dvtool, reading files"))
            sink = StoreSink(cache, writer)
        reader = FileReader(sink, horizon, SILENT, None)
        yield lambda job: _read(reader, root_fd, *job)
        if writer is not None:
            writer.commit()


def _read(
    reader: FileReader, root_fd: int, path: bytes, names: Sequence[bytes], signatures: bytes
) -> list[Found | None]:
    try:
        fd = open_dir(root_fd, path)
    except (UnsafeInput, OSError):
        return [None] * len(names)
    found: list[Found | None] = []
    try:
        for number, name in enumerate(names):
            signature = signatures[SIGNATURE_BYTES * number : SIGNATURE_BYTES * (number + 1)]
            try:
                entry, signature = reader.changed(fd, path, name, signature)
            except (UnsafeInput, OSError):
                found.append(None)
            else:
                found.append((entry.raw, entry.size, entry.executable, signature) if entry.kind == FILE else None)
    finally:
        os.close(fd)
    return found
