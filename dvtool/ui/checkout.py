"""What a checkout did or would do, in words and as JSON."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator

from dvtool.api.checkout import CheckoutResult
from dvtool.api.checkout import Left
from dvtool.model.paths import show
from dvtool.store.treediff import EntryChange
from dvtool.ui.counts import count
from dvtool.ui.sizes import size
from dvtool.ui.terminal import Paint

_SHOWN = 20


def checkout_lines(result: CheckoutResult, told: Collection[bytes] = ()) -> Iterator[str]:
    """What was done, then what was left alone. *told*: missing paths that the error at the end names."""
    done = [
        f"{amount:,} {word}"
        for amount, word in (
            (result.created, "created"),
            (result.replaced, "replaced"),
            (result.removed, "removed"),
        )
        if amount
    ]
    if done:
        links = f" by {' and '.join(result.link_types)}" if result.link_types else ""
        yield f"{', '.join(done)} ({size(result.bytes_written)}{links})"
    elif not result.missing and not result.conflicts and not result.problems:
        yield "nothing to do: the worktree is what the pointers say"
    yield from _listed("left as they are, not tracked:", result.kept)
    yield from _listed("replaced, their old bytes are kept (see `dvtool recover`):", result.replaced_kept)
    yield from _left("left, your own changes:", result.conflicts)
    yield from _left("missing:", tuple(left for left in result.missing if left.path not in told))
    yield from _left("failed:", result.problems)


def _listed(heading: str, paths: tuple[bytes, ...]) -> Iterator[str]:
    yield from _limited(heading, [show(path) for path in paths])


def _left(heading: str, items: tuple[Left, ...]) -> Iterator[str]:
    yield from _limited(heading, [f"{show(left.path)}  ({left.why})" for left in items])


def _limited(heading: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield heading
        yield from (f"  {line}" for line in lines[:_SHOWN])
        if len(lines) > _SHOWN:
            yield f"  ... and {len(lines) - _SHOWN:,} more"


def plan_lines(result: CheckoutResult, paint: Paint) -> Iterator[str]:
    """One line for each step of the plans."""
    any_step = False
    for plan in result.plans:
        for word, colour, changes in (
            ("create", "green", plan.create),
            ("replace", "yellow", plan.replace),
            ("remove", "red", plan.remove),
        ):
            for change in changes:
                any_step = True
                yield f"  {paint(f'{word:<8}', colour)}  {_step(change)}"
        for path, why in plan.conflicts:
            any_step = True
            yield f"  {paint('keep    ', 'yellow')}  {show(path)}  ({why})"
    if not any_step:
        yield "nothing to do: the worktree is what the pointers say"


def _step(change: EntryChange) -> str:
    entry = change.new or change.old
    if entry is None:
        return show(change.path)
    many = f"{count(entry.files, 'file')}, " if entry.files != 1 else ""
    return f"{show(change.path)}  {many}{size(entry.size)}"


def checkout_json(result: CheckoutResult) -> dict[str, object]:
    """The result without the parts that only Python callers need."""
    return {
        "created": result.created,
        "replaced": result.replaced,
        "removed": result.removed,
        "bytes_written": result.bytes_written,
        "link_types": result.link_types,
        "kept": _paths(result.kept),
        "replaced_kept": _paths(result.replaced_kept),
        "missing": result.missing,
        "conflicts": result.conflicts,
        "problems": result.problems,
        "plan": [
            {
                "path": plan.path,
                "create": _paths(change.path for change in plan.create),
                "replace": _paths(change.path for change in plan.replace),
                "remove": _paths(change.path for change in plan.remove),
            }
            for plan in result.plans
        ],
    }


def _paths(paths: Iterable[bytes]) -> list[dict[str, bytes]]:
    return [{"path": path} for path in paths]
