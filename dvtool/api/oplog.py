"""The operations of this workspace."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.errors import UsageError
from dvtool.formats.oplog import Operation
from dvtool.project.open import Project
from dvtool.project.oplog import operations
from dvtool.project.undochoice import changes_something
from dvtool.project.undochoice import why_it_stays
from dvtool.workspace.oplog import Logged


@dataclass(frozen=True, slots=True)
class OpLogRequest:
    """``limit``: so many of the newest, 0 for all."""

    limit: int = 0


class OperationView(NamedTuple):
    """One operation. ``state``: "done", "not finished" or "damaged". ``when``: Unix seconds.

    ``can_undo`` is False for what is not undone; ``lasting`` says why, or which part stays.
    ``undone_by``: operations that took it back.
    """

    id: int
    verb: str
    command: tuple[str, ...]
    when: int
    summary: str
    state: str
    can_undo: bool
    lasting: str
    undoes: tuple[int, ...]
    undone_by: tuple[int, ...]


def op_log(project: Project, request: OpLogRequest) -> tuple[OperationView, ...]:
    """The operations, the newest first. Raises `UsageError`, `FormatError`, `StorageError`."""
    if request.limit < 0:
        raise UsageError("a limit is a number above 0")
    log = operations(project.layout)
    views = [view_of(each, [other.id for other in log if each.id in _undoes(other)]) for each in reversed(log)]
    return tuple(views[: request.limit] if request.limit else views)


def view_of(logged: Logged, undone_by: Collection[int]) -> OperationView:
    """One operation as it may be shown."""
    operation = logged.operation or Operation("?")
    state = "damaged" if logged.operation is None else "done" if logged.is_done else "not finished"
    return OperationView(
        logged.id,
        operation.verb,
        operation.command,
        operation.when,
        operation.summary,
        state,
        changes_something(logged.operation),
        why_it_stays(logged),
        operation.undoes,
        tuple(undone_by),
    )


def _undoes(logged: Logged) -> tuple[int, ...]:
    return () if logged.operation is None else logged.operation.undoes
