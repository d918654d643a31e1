"""Conflicts of a merge in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from dvtool.api.resolve import ResolveResult
from dvtool.model.paths import show
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.project.merging import Conflict
from dvtool.project.merging import Side
from dvtool.ui.checkout import checkout_json
from dvtool.ui.checkout import checkout_lines
from dvtool.ui.counts import count
from dvtool.ui.sizes import size
from dvtool.ui.terminal import Paint

SHOWN = 20
_MOST_VALUES = 3
_HEX = 12


def resolved_lines(result: ResolveResult, paint: Paint, *, whole: bool = False, dry_run: bool = False) -> Iterator[str]:
    """What was merged and decided, what is left, and how to go on."""
    for path in result.merged:
        yield f"merged {show(path)}"
    if result.decided:
        yield f"decided {count(len(result.decided), 'conflict')}"
    done = result.checkout
    if done is not None and (done.is_changed or done.missing or done.conflicts or done.problems):
        yield from checkout_lines(done)
        if done.missing:
            yield "`dvtool pull` brings what is missing"
    if result.left and result.decided:
        yield f"{count(len(result.left), 'conflict')} left: `dvtool resolve` shows what is"
    elif result.left:
        yield "Changed on both sides, not decided:"
        yield from conflict_lines(result.left, paint, whole=whole)
    for one in result.not_merged:
        yield f"not merged, ours stays: {show(one.path)}"
    if dry_run:
        return
    if not (result.merged or result.decided or result.left or result.settled or result.not_merged):
        yield "no pointer and no lock is in conflict"
    for path in result.settled:
        yield f"{show(path)} is settled, and in Git's index"
    if result.settled and not result.left and not result.not_merged and result.next_step:
        yield f"next: {result.next_step}"


def resolved_json(result: ResolveResult) -> dict[str, object]:
    """The result without what only Python callers need."""
    return {
        "merged": [{"path": path} for path in result.merged],
        "decided": [conflict_json(one) for one in result.decided],
        "left": [conflict_json(one) for one in result.left],
        "settled": [{"path": path} for path in result.settled],
        "not_merged": [{"path": one.path, "why": one.error.message} for one in result.not_merged],
        "checkout": None if result.checkout is None else checkout_json(result.checkout),
        "next_step": result.next_step,
    }


def conflict_json(one: Conflict) -> dict[str, object]:
    """A conflict with what each side has."""
    return {
        "source": one.source,
        "path": one.path,
        "stage": one.stage,
        "setting": one.setting,
        "what": _what(one),
        "kept": one.kept,
        **{name: _side_json(getattr(one, name)) for name in ("base", "ours", "theirs")},
    }


_KINDS = {FILE: "file", DIRECTORY: "directory", LINK: "link"}


def _side_json(side: Side | None) -> dict[str, object] | None:
    if side is None:
        return None
    if side.entry is None:
        outs = [{"path": path, "digest": digest} for path, digest in side.outs]
        return {"outs": outs, "values": dict(side.params)}
    entry = side.entry
    return {
        "kind": _KINDS[entry.kind],
        "digest": str(entry.digest) if entry.raw else None,
        "size": entry.size,
        "files": entry.files,
        "executable": entry.executable,
        "target": entry.target,
    }


def conflict_lines(conflicts: Sequence[Conflict], paint: Paint, *, whole: bool = False) -> Iterator[str]:
    """Two lines for each: what happened to which path, and what each side has. *whole*: of more than 20, too."""
    shown = conflicts if whole else conflicts[:SHOWN]
    for one in shown:
        yield f"  {paint(f'{_what(one):<15}', 'red')}  {name_of(one)}"
        yield f"  {'':15}    ours: {_side(one.ours, one)}; theirs: {_side(one.theirs, one)}"
    if len(shown) < len(conflicts):
        yield f"  {len(conflicts):,} in all: `dvtool resolve -v` shows each"


def name_of(conflict: Conflict) -> str:
    """What to call it on the command line, and for a setting of a pointer also which."""
    if conflict.stage:
        return conflict.stage
    name = show(conflict.path or conflict.source)
    return f"{name} ({_SETTINGS.get(conflict.setting, conflict.setting)})" if conflict.setting else name


_SETTINGS = {
    "remote": "its remote",
    "extra": "further lines of its pointer",
    "name": "its name",
    "source": "its source",
}


def _what(one: Conflict) -> str:
    if one.stage and one.ours is not None and one.theirs is not None:
        return "run on both"
    if one.base is None and one.ours is not None and one.theirs is not None:
        return "added by both"
    if one.ours is None:
        return "added by them" if one.base is None else "deleted by us"
    if one.theirs is None:
        return "added by us" if one.base is None else "deleted by them"
    return "changed by both"


def _side(side: Side | None, one: Conflict) -> str:
    if side is None:
        return "not set" if one.setting else "deleted" if one.base is not None else "nothing"
    if side.entry is not None:
        return _entry(side.entry)
    if one.setting:
        return repr(side.params[0][1].splitlines()[0][:60])
    words = _different(one, side) or [f"{show(path)} {_short(digest)}" for path, digest in side.outs]
    more = f", {len(words) - _MOST_VALUES:,} more" if len(words) > _MOST_VALUES else ""
    return ", ".join(words[:_MOST_VALUES]) + more or "there"


def _different(one: Conflict, side: Side) -> list[str]:
    """Parameters that are not the same on both sides: what the runs are told apart by."""
    both = [set(each.params) for each in (one.ours, one.theirs) if each is not None]
    common = set.intersection(*both) if len(both) > 1 else set()
    return [f"{key} = {value}" for key, value in side.params if (key, value) not in common and len(both) > 1]


def _entry(entry: Entry) -> str:
    if entry.kind == LINK:
        return f"link to {show(entry.target)}"
    if entry.kind == DIRECTORY:
        return f"directory, {count(entry.files, 'file')}, {size(entry.size)}, {_short(str(entry.digest))}"
    mode = ", executable" if entry.executable else ""
    return f"{size(entry.size)}, {_short(str(entry.digest))}{mode}"


def _short(digest: str) -> str:
    algorithm, _, text = digest.partition(":")
    return text[:_HEX] if algorithm == "blake3" else f"{algorithm}:{text[:_HEX]}"
