"""The operation log in a workspace's state directory: a file for each command that changed something."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.disk.durable import discard
from dvtool.disk.durable import fsync_file
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import open_temporary
from dvtool.disk.durable import publish
from dvtool.disk.durable import write_all
from dvtool.disk.lock import FileLock
from dvtool.disk.lock import LockHandle
from dvtool.disk.lock import Waiting
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import storage_error
from dvtool.formats.oplog import Operation
from dvtool.formats.oplog import decode_operation
from dvtool.formats.oplog import encode_operation
from dvtool.model.paths import show

KEPT = 1_000
"""So many operations are kept at most."""
KEPT_SECONDS = 90 * 86_400
"""None older than that is kept, except the last one."""

_FOLDER = b"oplog"
_NAME = re.compile(rb"([0-9]{8})(-started)?\.json")


class Logged(NamedTuple):
    """An operation in the log. ``is_done`` is False for one that was killed, failed or is still at work.

    ``operation`` is None where the record is damaged; ``problem`` says how.
    """

    id: int
    is_done: bool
    operation: Operation | None
    problem: str = ""


class OperationLog:
    """The files ``NUMBER-started.json``, which lose the ``-started`` when the operation has ended.

    Raises `StorageError` for what the disk refuses.
    """

    def __init__(self, state_dir: bytes, waiting: Waiting | None = None) -> None:
        self._waiting = waiting
        self.folder = os.path.join(state_dir, _FOLDER)

    def start(self, operation: Operation, *, durable: bool) -> int:
        """Write the record of an operation that is about to change something; its number."""
        try:
            make_dirs(self.folder, 0o700)
            with self._lock():
                known = self._sweep()
                number = max((each for each, _ in known), default=0) + 1
                while not publish(self._write(operation, durable=durable), self._path(number, is_done=False)):
                    number += 1
        except OSError as error:
            raise storage_error(error, "note the operation in", error.filename or self.folder) from error
        return number

    def rewrite(self, number: int, operation: Operation, *, durable: bool) -> None:
        """Put more into the record of an operation that is at work."""
        try:
            with self._lock():
                os.replace(self._write(operation, durable=durable), self._path(number, is_done=False))
        except OSError as error:
            raise storage_error(error, "note the operation in", error.filename or self.folder) from error

    def finish(self, number: int) -> None:
        """The operation has ended; what is too old leaves the log."""
        try:
            os.rename(self._path(number, is_done=False), self._path(number, is_done=True))
            self._trim(number)
        except OSError as error:
            raise storage_error(error, "note the operation in", error.filename or self.folder) from error

    def discard(self, number: int) -> None:
        """Forget an operation that changed nothing after all."""
        discard(None, self._path(number, is_done=False))

    def read(self) -> list[Logged]:
        """All operations, the oldest first. Raises `FormatError` for one of a newer dvtool."""
        found = []
        for number, is_done in self._numbers():
            path = self._path(number, is_done=is_done)
            try:
                with open(path, "rb") as file:
                    data = file.read()
                found.append(Logged(number, is_done, decode_operation(data, show(path))))
            except FileNotFoundError:
                continue
            except OSError as error:
                raise storage_error(error, "read", path) from error
            except (FormatError, IntegrityError) as error:
                if error.hint is not None:
                    raise
                found.append(Logged(number, is_done, None, error.message))
        return found

    def _numbers(self) -> list[tuple[int, bool]]:
        try:
            names = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(error, "read", self.folder) from error
        matches = [match for name in names if (match := _NAME.fullmatch(name))]
        return sorted((int(match[1]), match[2] is None) for match in matches)

    def _sweep(self) -> list[tuple[int, bool]]:
        """What is there, without what killed commands left. Needs the lock."""
        for name in os.listdir(self.folder):
            if name.startswith(TEMPORARY_PREFIX):
                discard(None, os.path.join(self.folder, name))
        return self._numbers()

    def _trim(self, newest: int) -> None:
        now = os.stat(self._path(newest, is_done=True)).st_mtime
        known = self._numbers()
        for place, (number, is_done) in enumerate(known):
            path = self._path(number, is_done=is_done)
            if number == newest:
                break
            if len(known) - place <= KEPT and os.stat(path).st_mtime >= now - KEPT_SECONDS:
                break
            discard(None, path)

    def _write(self, operation: Operation, *, durable: bool) -> bytes:
        """A temporary with the record, stamped with the time on the file system's own clock."""
        fd, path = open_temporary(self.folder)
        try:
            try:
                when = operation.when or int(os.fstat(fd).st_mtime)
                write_all(fd, encode_operation(operation._replace(when=when)))
                if durable:
                    fsync_file(fd)
            finally:
                os.close(fd)
        except BaseException:
            discard(None, path)
            raise
        return path

    def _path(self, number: int, *, is_done: bool) -> bytes:
        return os.path.join(self.folder, b"%08d%s.json" % (number, b"" if is_done else b"-started"))

    def _lock(self) -> LockHandle:
        lock = FileLock(os.path.join(self.folder, b"lock"), waiting=self._waiting)
        return lock.acquire(shared=False, what="noting an operation")
