"""Versions of a path, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.log import LogResult
from dvtool.api.log import Version
from dvtool.model.paths import show
from dvtool.model.tree import DIRECTORY
from dvtool.ui.counts import count
from dvtool.ui.sizes import size
from dvtool.ui.tables import table
from dvtool.ui.terminal import Paint

_COLOURS = {"added": "green", "deleted": "red", "modified": "yellow", "renamed": "cyan"}


def log_lines(result: LogResult, paint: Paint) -> Iterator[str]:
    """One line a version: commit, day, author, what happened, size, files, subject."""
    rows: list[tuple[str, ...]] = [
        (
            version.short,
            version.time[:10],
            _text(version.author),
            version.change,
            *_amounts(version),
            _text(version.subject) + (f"  (as {show(version.path)})" if version.change == "renamed" else ""),
        )
        for version in result.versions
    ]
    if not any(row[5] for row in rows):
        rows = [(*row[:5], *row[6:]) for row in rows]
    for line, version in zip(table(rows, right=(4,)), result.versions):
        yield line.replace(version.change, paint(version.change, _COLOURS[version.change]), 1) if paint.on else line


def _amounts(version: Version) -> tuple[str, str]:
    entry, before = version.entry, version.before
    new = entry.size if entry is not None else 0
    change = new - (before.size if before is not None else 0)
    text = f"{size(new)} ({'-' if change < 0 else '+'}{size(abs(change))})"
    if (entry or before) is None or DIRECTORY not in {one.kind for one in (entry, before) if one is not None}:
        return text, ""
    files = entry.files if entry is not None else 0
    more = files - (before.files if before is not None else 0)
    return text, f"{count(files, 'file')} ({more:+,})"


def _text(text: str) -> str:
    return show(text.encode("utf-8", "surrogateescape"))


def log_json(result: LogResult) -> dict[str, object]:
    """Schema log/1."""
    return {
        "versions": [_json(version) for version in result.versions],
        "unread": [{"path": path, "why": error.message} for path, error in result.unread],
    }


def _json(version: Version) -> dict[str, object]:
    entry, before = version.entry, version.before
    return {
        "commit": version.commit,
        "author": version.author,
        "email": version.email,
        "time": version.time,
        "subject": version.subject,
        "change": version.change,
        "path": version.path,
        "size": None if entry is None else entry.size,
        "files": None if entry is None else entry.files,
        "digest": str(entry.digest) if entry is not None and entry.raw else None,
        "size_before": None if before is None else before.size,
        "files_before": None if before is None else before.files,
    }
