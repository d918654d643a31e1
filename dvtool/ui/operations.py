"""The operation log, and what an undo did, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from datetime import datetime
from datetime import timezone

from dvtool.api.oplog import OperationView
from dvtool.api.undo import StepBack
from dvtool.api.undo import UndoResult
from dvtool.model.paths import show
from dvtool.project.undofiles import Edit
from dvtool.ui.pathlists import SHOWN
from dvtool.ui.pathlists import limited
from dvtool.ui.pathlists import path_list
from dvtool.ui.tables import table
from dvtool.ui.text import safe

_WIDE = 50


def operation_lines(views: Sequence[OperationView]) -> Iterator[str]:
    """One line for each operation: id, when, the command, what it was about, and what is to be known of it."""
    rows = [(str(view.id), _date(view.when), _command(view), _about(view)) for view in views]
    yield from table(rows, right=(0,))
    if not rows:
        yield "no operation is recorded here"


def undone_lines(result: UndoResult) -> Iterator[str]:
    """Each operation that was taken back and what changed; then how to go forward again."""
    taken = "would take back" if result.is_dry else "took back"
    for step in result.steps:
        for view in step.operations:
            yield f"{taken} {view.id}: {view.verb} {safe(view.summary)}".rstrip()
        lines = list(_changes(step))
        yield from (f"  {line}" for line in lines[:SHOWN])
        if len(lines) > SHOWN:
            yield f"  ... and {len(lines) - SHOWN:,} more"
        if {view.verb for view in step.operations} & {"add", "commit"}:
            yield "  the files themselves stay as they are"
        if not (step.files or step.plans or step.moved or any(step.stores)):
            yield "  nothing to do: everything stands as it did before (further back: dvtool undo --to ID)"
    yield from limited("replaced, their old bytes are kept (see `dvtool recover`):", map(show, result.replaced_kept))
    made = [step for step in result.steps if step.id is not None]
    if result.is_dry or not made:
        return
    if result.git_files:
        files = " ".join(map(show, result.git_files))
        yield f"next: git add {files}   (what is committed stays: see `git revert`)"
    if len(made) == 1:
        # A collection that was taken back is not taken forward again.
        if not (made[0].stores.trash or made[0].stores.collections):
            yield "to bring it back: dvtool undo"
    else:
        yield f"to bring it all back: dvtool undo --to {result.steps[0].operations[0].id}"


def passed_notes(result: UndoResult) -> Iterator[str]:
    """One line for each operation that was stepped over."""
    for view, why in result.passed:
        yield f"operation {view.id} ({view.verb} {view.summary}) is not undone: {why}"
    for step in result.steps:
        for view in step.operations:
            if view.lasting:
                yield f"of operation {view.id} ({view.verb} {view.summary}) a part stays: {view.lasting}"


def operations_json(views: Sequence[OperationView]) -> dict[str, object]:
    return {"operations": views}


def undone_json(result: UndoResult) -> dict[str, object]:
    """The result with each path under a name."""
    return {
        "is_dry": result.is_dry,
        "steps": [
            {
                "id": step.id,
                "operations": step.operations,
                "files": [{"path": edit.path, "change": _word(edit)} for edit in step.files],
                "plan": [
                    {
                        "path": plan.path,
                        "create": path_list(change.path for change in plan.create),
                        "replace": path_list(change.path for change in plan.replace),
                        "remove": path_list(change.path for change in plan.remove),
                    }
                    for plan in step.plans
                ],
                "trash": list(step.stores.trash),
                "collections": step.stores.collections,
                "fetched": path_list(row.path for row in step.stores.dropped),
                "moved": [{"source": source, "target": target} for source, target in step.moved],
            }
            for step in result.steps
        ],
        "passed": [{"operation": view.id, "why": why} for view, why in result.passed],
        "replaced_kept": path_list(result.replaced_kept),
        "git_files": path_list(result.git_files),
        "problems": [error.message for error in result.errors],
    }


def _changes(step: StepBack) -> Iterable[str]:
    for edit in step.files:
        yield f"{_word(edit):<8}  {show(edit.path if edit.where == 'project' else b'.git/' + edit.path)}"
    for plan in step.plans:
        counts = ((len(plan.create), "created"), (len(plan.replace), "replaced"), (len(plan.remove), "removed"))
        yield f"data      {show(plan.path)}  (" + ", ".join(f"{n:,} {word}" for n, word in counts if n) + ")"
    for run in step.stores.trash:
        yield f"cache     what lay in the trash as {run} is back"
    for collection in step.stores.collections:
        yield f"remote    what was doomed on {collection.remote} counts again"
    for row in step.stores.dropped:
        yield f"fetched   {show(row.path)}"
    for source, target in step.moved:
        yield f"moved     {show(source)} to {show(target)}"


def _word(edit: Edit) -> str:
    if edit.target is None:
        return "removed"
    return "restored" if edit.current is None else "changed"


def _command(view: OperationView) -> str:
    words = " ".join(view.command) or view.verb
    return safe(words if len(words) <= _WIDE else words[: _WIDE - 3] + "...")


def _about(view: OperationView) -> str:
    """What the command itself does not say, and what became of it."""
    about = "" if view.summary in view.command else safe(view.summary)
    return f"{about} {_remarks(view)}".strip()


def _remarks(view: OperationView) -> str:
    remarks = [f"({view.state})"] if view.state != "done" else []
    if view.undone_by:
        remarks.append(f"(undone by {view.undone_by[-1]})")
    if view.lasting and view.state != "damaged":
        remarks.append("(cannot be undone)" if not view.can_undo else "(can be undone in part)")
    return " ".join(remarks)


def _date(when: int) -> str:
    return datetime.fromtimestamp(when, tz=timezone.utc).strftime("%Y-%m-%d %H:%MZ")
