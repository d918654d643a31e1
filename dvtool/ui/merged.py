"""Conflicts of a merge in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from dvtool.model.paths import show
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.project.merging import Conflict
from dvtool.project.merging import Side
from dvtool.ui.counts import count
from dvtool.ui.sizes import size
from dvtool.ui.terminal import Paint

SHOWN = 20
_MOST_VALUES = 3
_HEX = 12


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
