"""A client of the same remote in a process of its own: it shares no cache with this one, and can be killed."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from dvtool.disk.crew import Crew
from dvtool.errors import StorageError
from dvtool.remote.address import Address
from dvtool.remote.conformance.bench import Bench
from dvtool.remote.conformance.bench import content

Job = tuple[str, str, Any]


class OtherProcess:
    """A context manager. Keys are those of the bench."""

    def __init__(self, bench: Bench) -> None:
        address = bench.address
        assert address is not None
        setup = (address.name, address.url, dict(address.settings), address.base_dir, dict(address.environ))
        self._prefix = bench.prefix
        self._written = bench.written
        self._crew = Crew(f"{__name__}:worker", setup, 1)

    def __enter__(self) -> OtherProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._crew.close()

    def put(self, key: str, size: int) -> None:
        """Put `content` of that size."""
        self._written.add(self._prefix + key)
        self._do("put", key, size)

    def put_file_and_die(self, key: str, path: bytes, seconds: float) -> None:
        """Upload *path* and end the process hard after so many seconds, wherever it is then."""
        self._written.add(self._prefix + key)
        with contextlib.suppress(StorageError):
            self._do("die", key, (path, seconds))

    def delete(self, key: str) -> None:
        self._do("delete", key, None)

    def _do(self, what: str, key: str, value: Any) -> None:
        self._crew.result(self._crew.submit((what, self._prefix + key, value)))


@contextlib.contextmanager
def worker(setup: tuple[str, str, dict[str, str], bytes, dict[str, str]]) -> Iterator[Callable[[Job], None]]:
    """The other side, in the other process."""
    from dvtool.remote.table import open_remote

    remote = open_remote(Address(*setup))

    def work(job: Job) -> None:
        what, key, value = job
        if what == "put":
            remote.put(key, content(value))
        elif what == "delete":
            remote.delete(key)
        else:
            path, seconds = value
            remote.stat(key)
            threading.Timer(seconds, lambda: os._exit(1)).start()
            remote.put_file(key, path)
            os._exit(1)

    try:
        yield work
    finally:
        remote.close()
