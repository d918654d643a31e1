"""Which operations an undo takes back, and in which steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import UsageError
from dvtool.formats.oplog import Operation
from dvtool.workspace.oplog import Logged

_NEEDS_NOTHING = ("fetch",)
"""Only adds to the cache: one steps past it without a question."""


class Choice(NamedTuple):
    """``steps``: operations that are taken back together, the newest first in each and in all.

    ``passed``: those that stay as they are. ``resumed``: an undo that was killed and goes on as the first step.
    """

    steps: tuple[tuple[Logged, ...], ...]
    passed: tuple[Logged, ...]
    resumed: Logged | None = None


def choose(log: Sequence[Logged], to: int | None) -> Choice:
    """The last operation, or with *to* all behind that one. Raises `UsageError`, `DvtoolError`.

    Where the last one is an undo that was killed, what it was about is taken up again.
    """
    if not log:
        raise UsageError("nothing to take back: no operation is recorded here", hint="dvtool op log")
    newest_first = list(reversed(log))
    begun = _begun(newest_first, to)
    if to is None and begun:
        return Choice((tuple(begun),), (), newest_first[0])
    chosen = _last(newest_first) if to is None else _behind(newest_first, to)
    if not begun and not any(changes_something(each.operation) for each in chosen):
        raise UsageError(f"nothing to take back: nothing was changed since operation {to}", hint="dvtool op log")
    passed = tuple(each for each in chosen if not changes_something(each.operation))
    steps = _steps([each for each in chosen if changes_something(each.operation) and each not in begun])
    return Choice((tuple(begun), *steps), passed, newest_first[0]) if begun else Choice(steps, passed)


def changes_something(operation: Operation | None) -> bool:
    """False for what cannot be taken back at all: a push, a fetch, a damaged record."""
    return operation is not None and bool(_special(operation) or operation.files or operation.places)


def why_it_stays(logged: Logged) -> str:
    """Why an operation, or a part of it, is not taken back; empty if all of it is."""
    return f"its record is damaged ({logged.problem})" if logged.operation is None else logged.operation.lasting


def name_of(logged: Logged) -> str:
    """``12 (push to origin)``"""
    operation = logged.operation
    if operation is None:
        return str(logged.id)
    # What an undo of an undo was about stands in the lines above it.
    about = "" if operation.verb == "undo" else f" {operation.summary}"
    return f"{logged.id} ({operation.verb}{about.rstrip()})"


def _begun(newest_first: list[Logged], to: int | None) -> list[Logged]:
    """What an undo that was killed was about to take back, if that is a part of what is asked for."""
    last = newest_first[0]
    if last.is_done or last.operation is None:
        return []
    found = [each for each in newest_first if each.id in last.operation.undoes]
    is_whole = len(found) == len(last.operation.undoes)
    return found if is_whole and all(to is None or each.id > to for each in found) else []


def _last(newest_first: list[Logged]) -> list[Logged]:
    found: list[Logged] = []
    for each in newest_first:
        found.append(each)
        if changes_something(each.operation):
            return found
        if each.operation is None or each.operation.verb not in _NEEDS_NOTHING:
            raise _refused(each, newest_first)
    raise UsageError("nothing to take back: the log holds nothing but fetches", hint="dvtool op log")


def _refused(last: Logged, newest_first: list[Logged]) -> DvtoolError:
    before = next((each for each in newest_first if each.id < last.id and changes_something(each.operation)), None)
    hint = "dvtool op log"
    if before is not None:
        oldest = newest_first[-1].id
        hint = (
            f"to step over it and take back {name_of(before)}: dvtool undo --to {before.id - 1}"
            if before.id - 1 >= oldest - 1
            else hint
        )
    return DvtoolError(f"operation {name_of(last)} is not undone: {why_it_stays(last)}", hint=hint)


def _behind(newest_first: list[Logged], to: int) -> list[Logged]:
    known = {each.id for each in newest_first}
    if to not in known and to != newest_first[-1].id - 1:
        raise UsageError(f"there is no operation {to} in the log", hint="`dvtool op log` lists them")
    return _netted([each for each in newest_first if each.id > to])


def _netted(newest_first: list[Logged]) -> list[Logged]:
    """Without the undos of what is in the list itself, and without what they took back."""
    ids = {each.id for each in newest_first}
    away: set[int] = set()
    found = []
    for each in newest_first:
        undoes = set(each.operation.undoes) if each.operation is not None else set()
        if each.id in away:
            continue
        if undoes and undoes <= ids - away:
            # One that was killed goes on first.
            away |= undoes
            continue
        found.append(each)
    return found


def _special(operation: Operation) -> bool:
    return bool(operation.moves or operation.trash or operation.collections or operation.dropped)


def _steps(chosen: list[Logged]) -> tuple[tuple[Logged, ...], ...]:
    """Runs of plain operations go together; a move or a collection stands alone, since paths and bytes follow it."""
    steps: list[tuple[Logged, ...]] = []
    is_open = False
    for each in chosen:
        is_plain = each.operation is not None and not _special(each.operation)
        if is_plain and is_open:
            steps[-1] = (*steps[-1], each)
        else:
            steps.append((each,))
        is_open = is_plain
    return tuple(steps)
