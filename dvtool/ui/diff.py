"""A diff in words, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

from dvtool.api.diff import Change
from dvtool.api.diff import DiffResult
from dvtool.model.paths import show
from dvtool.model.tree import BLAKE3_CODE
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.ui.counts import count
from dvtool.ui.jsonlines import document_lines
from dvtool.ui.sizes import size
from dvtool.ui.tables import table
from dvtool.ui.terminal import Paint

_COLOURS = {"added": "green", "deleted": "red", "modified": "yellow", "renamed": "cyan"}
_KINDS = {FILE: "file", DIRECTORY: "directory"}
_HASH_DIGITS = 12
_COMMENT_LIMIT = 60_000
"""GitHub refuses comments of more than 65,536 characters."""


def groups(result: DiffResult) -> dict[str, tuple[Change, ...]]:
    """The four lists by name."""
    return {
        "added": result.added,
        "deleted": result.deleted,
        "modified": result.modified,
        "renamed": result.renamed,
    }


def diff_lines(result: DiffResult, paint: Paint, *, show_hash: bool = False) -> Iterator[str]:
    """One heading for each group, one line for each path, then the sums."""
    for name, changes in groups(result).items():
        if changes:
            yield paint(f"{name.capitalize()}:", _COLOURS[name])
            yield from (_line(change, show_hash=show_hash) for change in changes)
            yield ""
    if result.absent:
        yield "Not in the worktree, compared by their pointers (bring them with: dvtool pull):"
        yield from (f"  {show(path)}" for path in result.absent)
        yield ""
    yield summary(result)


def _line(change: Change, *, show_hash: bool) -> str:
    hashes = f"{_hashes(change)}  " if show_hash else ""
    return f"  {hashes}{_path(change)}  {_amount(change)}"


def _path(change: Change) -> str:
    name = _named(change.path, change.new or change.old)
    return name if change.path == change.old_path else f"{_named(change.old_path, change.old)} -> {name}"


def _named(path: bytes, entry: Entry | None) -> str:
    return show(path) + ("/" if entry is not None and entry.kind == DIRECTORY else "")


def _amount(change: Change) -> str:
    old, new = change.old, change.new
    entry = new or old
    if entry is None:
        return ""
    if any(side is not None and _is_unmeasured(side) for side in (old, new)):
        return "size not known before a fetch"
    many = f"{count(entry.files, 'file')}, " if entry.kind == DIRECTORY else ""
    text = f"{many}{size(entry.size)}"
    if old is not None and new is not None:
        if old.size != new.size:
            text = f"{many}{size(old.size)} -> {size(new.size)}"
        if old.executable != new.executable:
            text += f", mode {'+x' if new.executable else '-x'}"
    return text


def _is_unmeasured(entry: Entry) -> bool:
    """Of data that another tool keeps, and that was never here, its listings say no size."""
    return entry.kind == FILE and not entry.size and entry.algorithm != BLAKE3_CODE


def _hashes(change: Change) -> str:
    sides = [_digits(entry) for entry in (change.old, change.new) if entry is not None]
    return sides[0] if len(set(sides)) == 1 else "..".join(sides)


def _digits(entry: Entry) -> str:
    return entry.raw.hex()[:_HASH_DIGITS] if entry.raw else "link".ljust(_HASH_DIGITS)


def summary(result: DiffResult) -> str:
    """``1 added, 2 deleted, 0 modified, 1 renamed (+1.2 MB, -3.4 kB)``"""
    if result.is_empty and not result.unread:
        return "no differences"
    counted = ", ".join(f"{_files(changes):,} {name}" for name, changes in groups(result).items())
    rewritten = [change for change in result.modified if _is_rewritten(change)]
    sides = [side for change in (*result.added, *result.deleted, *rewritten) for side in (change.old, change.new)]
    if any(side is not None and _is_unmeasured(side) for side in sides):
        return counted
    plus = sum(change.new.size for change in (*result.added, *rewritten) if change.new is not None)
    minus = sum(change.old.size for change in (*result.deleted, *rewritten) if change.old is not None)
    return f"{counted} (+{size(plus)}, -{size(minus)})"


def _is_rewritten(change: Change) -> bool:
    """False where only the mode differs."""
    return (
        change.old is None or change.new is None or change.old._replace(executable=change.new.executable) != change.new
    )


def _files(changes: tuple[Change, ...]) -> int:
    return sum(max((change.new or change.old or _NOTHING).files, 1) for change in changes)


_NOTHING = Entry(b"", FILE, False, 0, b"", 0)


def stat_lines(result: DiffResult) -> Iterator[str]:
    """Files and bytes of each group."""
    rows = [("", "files", "bytes before", "bytes after")]
    for name, changes in groups(result).items():
        old = sum(change.old.size for change in changes if change.old is not None)
        new = sum(change.new.size for change in changes if change.new is not None)
        rows.append((name, f"{_files(changes):,}", f"{old:,}", f"{new:,}"))
    yield from table(rows, right=(1, 2, 3))


def markdown_lines(result: DiffResult, *, show_hash: bool = False) -> Iterator[str]:
    """A table for a comment on a pull request, cut where GitHub would refuse it."""
    yield f"**Data: {code(result.old)} → {code(result.new or 'worktree')}**: {summary(result)}"
    if not result.is_empty:
        yield ""
        yield from markdown_table(result, show_hash=show_hash)


def markdown_table(result: DiffResult, *, show_hash: bool = False, limit: int = _COMMENT_LIMIT) -> Iterator[str]:
    """A row for each path that differs, and how many are left out behind *limit* characters."""
    changes = [(name, change) for name, group in groups(result).items() for change in group]
    yield "| Status | Path | Size |" + (" Hash |" if show_hash else "")
    yield "|---|---|---|" + ("---|" if show_hash else "")
    written = 0
    for at, (name, change) in enumerate(changes):
        line = f"| {name} | {_code(_path(change))} | {_amount(change)} |"
        line += f" {_code(_hashes(change))} |" if show_hash else ""
        written += len(line) + 1
        if written > limit:
            yield ""
            yield f"... and {len(changes) - at:,} more"
            return
        yield line


def _code(text: str) -> str:
    ticks = "``" if "`" in text else "`"
    pad = " " if "`" in text else ""
    return f"{ticks}{pad}{text.replace('|', chr(92) + '|')}{pad}{ticks}"


def code(text: str) -> str:
    """A name as Markdown shows it, whatever is in it."""
    return _code(show(text.encode("utf-8", "surrogateescape")))


def changes_json(result: DiffResult) -> dict[str, object]:
    """The four lists, and what could not be read, for a document that holds more than them."""
    lists: dict[str, object] = {name: [_json(name, each) for each in found] for name, found in groups(result).items()}
    return lists | {"unread": [{"path": path, "why": error.message} for path, error in result.unread]}


def json_lines(result: DiffResult) -> Iterator[str]:
    """Schema diff/1, one path a line."""
    lists: list[tuple[str, Iterable[dict[str, object]]]] = [
        (name, (_json(name, change) for change in changes)) for name, changes in groups(result).items()
    ]
    lists.append(("absent", ({"path": path} for path in result.absent)))
    lists.append(("unread", ({"path": path, "why": error.message} for path, error in result.unread)))
    yield from document_lines("diff/1", {"old": result.old, "new": result.new}, lists)


def _json(name: str, change: Change) -> dict[str, object]:
    document: dict[str, object] = {"path": change.path}
    if name == "renamed":
        document["old_path"] = change.old_path
    if name in ("modified", "renamed"):
        return document | {"old": _side(change.old), "new": _side(change.new)}
    return document | (_side(change.new or change.old) or {})


def _side(entry: Entry | None) -> dict[str, object] | None:
    if entry is None:
        return None
    return {
        "kind": _KINDS.get(entry.kind, "link"),
        "size": entry.size,
        "files": entry.files,
        "digest": str(entry.digest) if entry.raw else None,
        "executable": entry.executable,
        **({"target": entry.target} if entry.target else {}),
    }
