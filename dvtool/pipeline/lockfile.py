"""Locks on disk: read whole, and written so that each finished stage stands there at once.

Writing all of a lock of 10,000 stages after each of them would write 60 GB. So a finished stage goes as one line to a
journal in the state directory, synced, and the lock itself is written now and then. Whoever reads a lock reads it with
the journal; the next writer carries a journal over that a killed one left.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple

from xxhash import xxh3_64_hexdigest

from dvtool.disk.beneath import read_beneath
from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import fsync_file
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_all
from dvtool.disk.durable import write_file
from dvtool.errors import storage_error
from dvtool.formats.lock import MAX_BYTES
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import decode_lock
from dvtool.formats.lock import encode_block
from dvtool.formats.lock import join_blocks
from dvtool.hashing.digests import object_id
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import LOCK_JOURNAL
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split

_REWRITES = 50
"""So often at most is a lock written in one run, and once more at its end."""


class _Line(NamedTuple):
    """One finished stage: `_key` of the lines that it had in the lock, and those that it has now; empty for none."""

    definition: bytes
    stage: str
    before: str
    after: str


class LockReader:
    """The locks of a project as they are now, with what a run under way or a killed one has finished."""

    def __init__(self, root: bytes, state_dir: bytes) -> None:
        self._root = root
        self._journal = os.path.join(state_dir, LOCK_JOURNAL)
        self._lines: list[_Line] | None = None

    def read(self, definition: bytes) -> dict[str, LockedStage]:
        """The lock beside *definition*; empty where there is none. Raises `FormatError`, `UnsafeInput`."""
        return self.read_lock(lock_path(definition))

    def read_lock(self, path: bytes) -> dict[str, LockedStage]:
        """The same of a lock's own path."""
        # The journal first: what stands in neither is recorded later then, and not carried over meanwhile.
        lines = [line for line in self._unwritten() if lock_path(line.definition) == path]
        stages = _decoded(self._root, path)
        for line in lines:
            _apply(line, stages, show(path))
        return stages

    def forget(self) -> None:
        """Look at what a killed run has finished again."""
        self._lines = None

    def unwritten(self) -> frozenset[bytes]:
        """The locks, by path, that are behind what was finished. Raises `StorageError`."""
        return frozenset(lock_path(line.definition) for line in self._unwritten())

    def _unwritten(self) -> list[_Line]:
        if self._lines is None:
            self._lines = _read_journal(self._journal)
        return self._lines


def unwritten_stages(state_dir: bytes) -> Iterator[tuple[bytes, str, LockedStage]]:
    """Lock, name and record of every stage in a journal, whether or not its lock has it: what must be kept.

    Paths are relative to the root of the project whose state directory it is. Raises `StorageError`, `FormatError`.
    """
    for line in _read_journal(os.path.join(state_dir, LOCK_JOURNAL)):
        path = lock_path(line.definition)
        if line.after:
            for name, stage in decode_lock(join_blocks({line.stage: line.after}), show(path)).items():
                yield path, name, stage


class LockWriter:
    """Records finished stages; a context manager, for the one process that holds the workspace's lock.

    *durable*: what `record` was told survives a power loss. ``written``: the locks that were changed.
    """

    def __init__(self, root: bytes, state_dir: bytes, *, durable: bool) -> None:
        self._root = root
        self._state_dir = state_dir
        self._durable = durable
        self._blocks: dict[bytes, dict[str, str]] = {}
        self._unwritten: dict[bytes, int] = {}
        self._journal = -1
        self.written: set[bytes] = set()

    def __enter__(self) -> LockWriter:
        """Carries over what a killed run had finished. Raises `StorageError`, `FormatError`."""
        path = self._journal_path
        for line in _read_journal(path):
            blocks = self._of(line.definition)
            if _key(blocks.get(line.stage, "")) == line.before:
                self._replace(line)
        self._write_all()
        try:
            make_dirs(self._state_dir)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._journal = os.open(path, flags, 0o600)
            if self._durable:
                fsync_dir(self._state_dir)
        except OSError as error:
            raise storage_error(error, "write", path) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._write_all()
            os.unlink(self._journal_path)
        except OSError as failure:
            if kind is None:
                raise storage_error(failure, "remove", self._journal_path) from failure
        finally:
            os.close(self._journal)

    def record(self, definition: bytes, name: str, stage: LockedStage) -> None:
        """Stage *name* of *definition* is finished. Durable when this returns. Raises `StorageError`."""
        self.record_all([(definition, name, stage)])

    def record_all(self, finished: Iterable[tuple[bytes, str, LockedStage]]) -> None:
        """Several at once, with one sync."""
        self._put((definition, name, encode_block(name, stage)) for definition, name, stage in finished)

    def remove(self, definition: bytes, names: Iterable[str]) -> None:
        """These stages are no longer in the lock: their definitions are gone."""
        self._put((definition, name, "") for name in names)

    def _put(self, blocks: Iterable[tuple[bytes, str, str]]) -> None:
        lines = {}
        for definition, name, after in blocks:
            before = self._of(definition).get(name, "")
            if before != after:
                lines[definition, name] = _Line(definition, name, _key(before), after)
        if not lines:
            return
        try:
            write_all(self._journal, b"".join(map(_encoded, lines.values())))
            if self._durable:
                fsync_file(self._journal)
        except OSError as error:
            raise storage_error(error, "write", self._journal_path) from error
        for line in lines.values():
            self._replace(line)
        for definition in dict.fromkeys(definition for definition, _ in lines):
            if self._unwritten[definition] * _REWRITES > len(self._blocks[definition]):
                self._write(definition)

    def _replace(self, line: _Line) -> None:
        if line.after:
            self._blocks[line.definition][line.stage] = line.after
        else:
            self._blocks[line.definition].pop(line.stage, None)
        self._unwritten[line.definition] = self._unwritten.get(line.definition, 0) + 1

    def _of(self, definition: bytes) -> dict[str, str]:
        if definition not in self._blocks:
            stages = _decoded(self._root, lock_path(definition))
            self._blocks[definition] = {name: encode_block(name, stage) for name, stage in stages.items()}
        return self._blocks[definition]

    def _write_all(self) -> None:
        for definition in [*self._unwritten]:
            self._write(definition)

    def _write(self, definition: bytes) -> None:
        path = lock_path(definition)
        try:
            write_file(os.path.join(self._root, path), join_blocks(self._blocks[definition]), durable=self._durable)
        except OSError as error:
            raise storage_error(error, "write", path) from error
        del self._unwritten[definition]
        self.written.add(path)

    @property
    def _journal_path(self) -> bytes:
        return os.path.join(self._state_dir, LOCK_JOURNAL)


def lock_path(definition: bytes) -> bytes:
    """The lock that lies beside a definition."""
    return join(split(definition)[0], LOCK_NAME)


def definition_of(lock: bytes) -> bytes:
    """The definition that lies beside a lock."""
    return join(split(lock)[0], DEFINITION_NAME)


def _decoded(root: bytes, path: bytes) -> dict[str, LockedStage]:
    try:
        data = read_beneath(root, path, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise storage_error(error, "read", path) from error
    return decode_lock(data, show(path))


def _apply(line: _Line, stages: dict[str, LockedStage], where: str) -> None:
    """A line counts only where the lock still has what it replaces: Git may have brought another version since."""
    before = stages.get(line.stage)
    if _key("" if before is None else encode_block(line.stage, before)) != line.before:
        return
    if line.after:
        stages.update(decode_lock(join_blocks({line.stage: line.after}), where))
    else:
        stages.pop(line.stage, None)


def _encoded(line: _Line) -> bytes:
    text = json.dumps([os.fsdecode(line.definition), *line[1:]]).encode("ascii")
    return text + b" " + _checksum(text) + b"\n"


def _read_journal(path: bytes) -> list[_Line]:
    """The lines that were written whole; a torn one and all behind it are what no caller was told of."""
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise storage_error(error, "read", path) from error
    lines = []
    for each in data.splitlines():
        text, _, checksum = each.rpartition(b" ")
        if _checksum(text) != checksum:
            break
        definition, *rest = json.loads(text)
        lines.append(_Line(os.fsencode(definition), *rest))
    return lines


def _key(block: str) -> str:
    return object_id(block.encode("utf-8")).hex() if block else ""


def _checksum(text: bytes) -> bytes:
    return xxh3_64_hexdigest(text).encode("ascii")
