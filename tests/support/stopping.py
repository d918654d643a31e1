"""A process that stops itself at chosen requests to a remote, as a laptop that is closed for weeks.

Run as ``python -m tests.support.stopping ROLE FOLDER CACHE SCRATCH POINT...``: ROLE is ``push`` or ``collect``; at
each POINT in turn it gets SIGSTOP from itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dvtool.model.ports import RemoteItem
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.transfer.collect.types import times_for
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from tests.support.cloudgc import collect
from tests.support.cloudgc import selection
from tests.support.datasets import COMMIT
from tests.support.datasets import REPOSITORY

COLLEAGUE = "b0" * 20
ROOT = Path(__file__).parents[2]

BEFORE_LISTING = "before the listing"
AFTER_LISTING = "after the listing"
AFTER_RECORD = "after the root record"
IN_SECOND_LOOK = "inside the second look"
BEFORE_DELETES = "before the deletes"
BEFORE_LIST = "before the dead list"


class StoppingRemote(LocalRemote):
    """Stops this process at each of *points*, in their order, once."""

    def __init__(self, folder: Path, points: list[str]) -> None:
        super().__init__("origin", os.fsencode(folder))
        self._points = points
        self._has_record = False

    def _at(self, point: str) -> None:
        if self._points and self._points[0] == point:
            del self._points[0]
            os.kill(os.getpid(), signal.SIGSTOP)

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        if prefix == "dead/" and not self._has_record:
            self._at(BEFORE_LISTING)
        items = super().list(prefix)
        if prefix == "dead/" and self._has_record:
            self._at(IN_SECOND_LOOK)
        if prefix in {"data/", "meta/"} and not self._has_record:
            self._at(AFTER_LISTING)
        return items

    def stat(self, key: str) -> RemoteItem | None:
        item = super().stat(key)
        if key.startswith("meta/") and not self._has_record:
            self._at(AFTER_LISTING)
        return item

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        if key.startswith("dead/"):
            self._at(BEFORE_LIST)
        done = super().put(key, data, create_only=create_only)
        if key.startswith("roots/"):
            self._has_record = True
            self._at(AFTER_RECORD)
        return done

    def delete(self, key: str) -> None:
        if not key.startswith(("clock/", "index/")):
            self._at(BEFORE_DELETES)
        super().delete(key)


class Stopped:
    """The process of such a role; it runs until it stops or ends."""

    def __init__(self, role: str, folder: Path, cache: Cache, scratch: Path, wanted: Wanted, *points: str) -> None:
        argv: list[str | Path] = [
            sys.executable,
            "-m",
            "tests.support.stopping",
            role,
            folder,
            os.fsdecode(cache.root),
            scratch,
        ]
        root = f"{wanted.oid.hex()},{wanted.size},{wanted.files}"
        self._process = subprocess.Popen([*argv, root, *points], cwd=ROOT)

    def is_stopped(self) -> bool:
        """Wait for the next stop; False when it ended well instead."""
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            return True
        self._process.returncode = os.waitstatus_to_exitcode(status)
        assert self._process.returncode == 0
        return False

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)


def main(role: str, folder: str, root: str, scratch: str, wanted: str, *points: str) -> None:
    oid, size, files = wanted.split(",")
    data = Wanted(True, bytes.fromhex(oid), int(size), int(files), b"data")  # type: ignore[arg-type]
    cache = Cache(os.fsencode(root), Settings(durable=False))
    remote = StoppingRemote(Path(folder), list(points))
    if role == "push":
        push(cache, remote, [data], PushContext(REPOSITORY, (COLLEAGUE,), "", os.fsencode(scratch), 0.0))
    else:
        collect(cache, remote, selection(commits=[COMMIT], known=["01" * 20]), times_for(0))


if __name__ == "__main__":
    main(*sys.argv[1:])
