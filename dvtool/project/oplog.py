"""The door by which every changing command tells the operation log what it is about to change.

A verb opens its operation with `begin`; verbs that it is made of join it. Nothing is written
before something changes, so a command that finds nothing to do leaves no record.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from dvtool.disk.lock import Waiting
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.oplog import Collection
from dvtool.formats.oplog import FileChange
from dvtool.formats.oplog import Move
from dvtool.formats.oplog import Operation
from dvtool.formats.oplog import Place
from dvtool.formats.oplog import Row
from dvtool.formats.oplog import Where
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import show
from dvtool.project.environment import Environment
from dvtool.project.layout import Layout
from dvtool.project.open import Project
from dvtool.workspace.oplog import Logged
from dvtool.workspace.oplog import OperationLog

_NAMES_SHOWN = 3


class Recorder:
    """The open operation of this command.

    With *required* a record that cannot be written fails the command before anything changed;
    else ``problem`` says why there is none (a collection has to work on a full disk).
    """

    def __init__(self, layout: Layout, operation: Operation, *, durable: bool, required: bool) -> None:
        self.layout = layout
        self.problem: StorageError | None = None
        self._operation = operation
        # For a moment, by those who work beside this: no reason to fail under --no-wait.
        self._log = OperationLog(layout.state_dir, Waiting(None, layout.waiting.on_wait))
        self._durable = durable
        self._required = required
        self._number: int | None = None

    @property
    def verb(self) -> str:
        """Of the outermost command."""
        return self._operation.verb

    @property
    def number(self) -> int | None:
        """The id in the log; None as long as nothing was recorded."""
        return self._number

    @property
    def has_noted(self) -> bool:
        """True when what is to change is in the record already."""
        return bool(self._operation.files or self._operation.places or self._operation.moves)

    def go_on(self, number: int, operation: Operation) -> None:
        """Take up the record of one that was killed."""
        self._number, self._operation = number, operation

    def prepare(
        self, *, bases: Iterable[Row] = (), summary: str = "", lasting: str = "", is_staged: bool = False
    ) -> None:
        """What belongs into the record once there is one. ``lasting``: as in `record`."""
        known = {row.path: row for row in self._operation.bases}
        for row in bases:
            first = known.get(row.path, row)
            known[row.path] = row._replace(before=first.before)
        self._operation = self._operation._replace(
            bases=tuple(known.values()),
            summary=summary or self._operation.summary,
            lasting=lasting or self._operation.lasting,
            is_staged=self._operation.is_staged or is_staged,
        )

    def record(
        self,
        *,
        files: Iterable[FileChange] = (),
        places: Iterable[Place] = (),
        moves: Iterable[Move] = (),
        trash: Iterable[str] = (),
        collections: Iterable[Collection] = (),
        dropped: Iterable[Row] = (),
        lasting: str = "",
        summary: str = "",
    ) -> None:
        """Note what is about to change; on the disk when this returns. Nothing given, nothing noted.

        ``lasting``: why the command, or a part of it, cannot be taken back. Raises `StorageError`.
        """
        old = self._operation
        new = old._replace(
            files=_joined(old.files, files),
            places=(*old.places, *places),
            moves=(*old.moves, *moves),
            trash=(*old.trash, *trash),
            collections=(*old.collections, *collections),
            dropped=(*old.dropped, *dropped),
            lasting=lasting or old.lasting,
        )
        if new == old:
            return
        self._operation = new._replace(summary=summary or old.summary or _summary(new))
        try:
            if self._number is None:
                self._number = self._log.start(self._operation, durable=self._durable)
            else:
                self._log.rewrite(self._number, self._operation, durable=self._durable)
        except StorageError as error:
            if self._required:
                raise
            self.problem = error

    def cancel(self) -> None:
        """Nothing was changed after all."""
        if self._number is not None:
            self._log.discard(self._number)
            self._number = None

    def finish(self) -> None:
        """The command has ended well."""
        if self._number is None:
            return
        try:
            self._log.finish(self._number)
        except StorageError as error:
            # All is done: that the record still says "started" harms nobody.
            self.problem = error


_current: ContextVar[Recorder | None] = ContextVar("operation", default=None)


def current() -> Recorder | None:
    """The operation that is open, if one is."""
    return _current.get()


_READING = frozenset(
    "cache dir, checkout, config, fetch, fsck, gc, init, migrate, pull, recover, remote trust".split(", ")
)
"""Verbs with an operation that a project which is only read has, too."""


def require_own(layout: Layout, verb: str) -> None:
    """Raise `UsageError` for a verb that writes where the project is another tool's, which is only read."""
    if layout.foreign and verb not in _READING:
        raise UsageError(
            f"this is a DVC project, which dvtool only reads: `{verb}` is for its own",
            path=layout.root,
            hint="`dvtool migrate --dry-run` shows what would make it one of dvtool's, without moving any data",
        )


@contextmanager
def begin(project: Project, verb: str, *, required: bool = True) -> Iterator[Recorder]:
    """The operation of a verb, or the one that is open already: then this verb is a part of it.

    One that ends with an error stays marked as not finished.
    """
    durable = project.config.text("core.durability") != "none"
    with begin_at(project.layout, project.environment, verb, durable=durable, required=required) as operation:
        yield operation


@contextmanager
def begin_undo(project: Project, undoes: tuple[int, ...], resumed: Logged | None) -> Iterator[Recorder]:
    """The operation that takes others back; with *resumed* the one that was killed goes on under its number."""
    durable = project.config.text("core.durability") != "none"
    recorder = Recorder(
        project.layout, Operation("undo", project.environment.command, undoes=undoes), durable=durable, required=True
    )
    if resumed is not None and resumed.operation is not None:
        recorder.go_on(resumed.id, resumed.operation)
    with _opened(recorder):
        yield recorder


@contextmanager
def begin_at(
    layout: Layout,
    environment: Environment,
    verb: str,
    *,
    durable: bool = True,
    required: bool = True,
) -> Iterator[Recorder]:
    """`begin` for verbs that work without an open project: settings, init. Raises as `require_own`."""
    require_own(layout, verb)
    outer = _current.get()
    if outer is not None and outer.layout.state_dir == layout.state_dir:
        yield outer
        return
    with _opened(Recorder(layout, Operation(verb, environment.command), durable=durable, required=required)) as mine:
        yield mine


@contextmanager
def _opened(recorder: Recorder) -> Iterator[Recorder]:
    token = _current.set(recorder)
    try:
        yield recorder
        recorder.finish()
    finally:
        _current.reset(token)


def operations(layout: Layout) -> list[Logged]:
    """The log of this workspace, the oldest operation first. Raises `FormatError`, `StorageError`."""
    return OperationLog(layout.state_dir).read()


def file_changes(layout: Layout, wanted: Mapping[bytes, bytes | None]) -> list[FileChange]:
    """What writing these files would change. *wanted*: absolute path to the new bytes, None to take it away.

    Files that belong neither to the project nor to its repository (settings of a user) are left out.
    """
    found = []
    for path, after in wanted.items():
        place = place_of(layout, path)
        if place is None:
            continue
        before, mode = read_file(path)
        if before != after:
            found.append(FileChange(*place, before, after, mode))
    return found


def place_of(layout: Layout, path: bytes) -> tuple[Where, bytes] | None:
    """How the log names a file; None for one that belongs to somebody else."""
    if path.startswith(layout.root + b"/"):
        inside = path[len(layout.root) + 1 :]
        if layout.git is None or not path.startswith(layout.git.common_dir + b"/"):
            return "project", inside
    if layout.git is not None and path.startswith(layout.git.common_dir + b"/"):
        return "git", path[len(layout.git.common_dir) + 1 :]
    return None


def path_of(layout: Layout, where: Where, path: bytes) -> bytes:
    """The absolute path of a file that the log names."""
    top = layout.root if where == "project" or layout.git is None else layout.git.common_dir
    return os.path.join(top, path)


def read_file(path: bytes) -> tuple[bytes | None, int]:
    """Bytes and permission bits; None and 0 for a file that is not there. Raises `StorageError`."""
    try:
        with open(path, "rb") as file:
            return file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None, 0
    except OSError as error:
        raise storage_error(error, "read", path) from error


def _joined(old: tuple[FileChange, ...], new: Iterable[FileChange]) -> tuple[FileChange, ...]:
    """One row a file: from what was there first to what is written last."""
    known = {(change.where, change.path): change for change in old}
    for change in new:
        first = known.get((change.where, change.path), change)
        known[change.where, change.path] = change._replace(before=first.before, mode=first.mode)
    return tuple(known.values())


def _summary(operation: Operation) -> str:
    pointers = [change.path for change in operation.files if change.path.endswith(POINTER_SUFFIX)]
    names = [show(path.removesuffix(POINTER_SUFFIX)) for path in pointers]
    names += [show(move.target) for move in operation.moves] + [show(place.path) for place in operation.places]
    names = list(dict.fromkeys(names)) or [show(change.path) for change in operation.files]
    more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
