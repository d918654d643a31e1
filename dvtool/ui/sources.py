"""What came from elsewhere, in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.remote.redact import redact
from dvtool.ui.counts import count
from dvtool.ui.sizes import size
from dvtool.ui.text import safe

if TYPE_CHECKING:
    from dvtool.api.get import GetResult
    from dvtool.api.importing import Imported
    from dvtool.api.updating import UpdateResult

_SHORT = 12


def imported_lines(result: Imported) -> Iterator[str]:
    """What is tracked now, and what to tell Git."""
    yield _line(result, "" if result.changed else ", unchanged")
    if result.git_files:
        yield "next: git add " + " ".join(show(path) for path in result.git_files)


def updated_lines(result: UpdateResult, *, dry_run: bool) -> Iterator[str]:
    """A line for each, then what to tell Git."""
    for item in result.items:
        if dry_run:
            yield _line(item, ": an update is available" if item.changed else ": up to date", brief=True)
        else:
            yield _line(item, "") if item.changed else _line(item, ": up to date", brief=True)
    if not result.items and not result.errors:
        yield "nothing is imported here"
    git_files = dict.fromkeys(path for item in result.items for path in item.git_files)
    if git_files:
        yield "next: git add " + " ".join(show(path) for path in git_files)


def imported_json(item: Imported) -> dict[str, object]:
    """The same for programs."""
    return {
        "path": item.path,
        "pointer": item.pointer,
        "kind": item.kind,
        "size": item.size,
        "files": item.files,
        "digest": item.digest,
        "source": redact(item.url),
        "commit": item.commit or None,
        "bytes_received": item.received,
        "changed": item.changed,
        "git_files": [{"path": path} for path in item.git_files],
    }


def updated_json(result: UpdateResult) -> dict[str, object]:
    """The same for programs; ``errors``: messages of what was left as it was."""
    return {
        "items": [imported_json(item) for item in result.items],
        "errors": [error.message for error in result.errors],
    }


def _line(item: Imported, state: str, *, brief: bool = False) -> str:
    if brief:
        return show(item.path) + state
    what = size(item.size) if item.kind == "file" else f"{count(item.files, 'file')}, {size(item.size)}"
    at = f" at {item.commit[:_SHORT]}" if item.commit else ""
    return f"{show(item.path)}: {what}, from {safe(item.url)}{at}{state}"


def got_lines(result: GetResult, cwd: bytes) -> Iterator[str]:
    """One line."""
    what = size(result.size) if result.kind == "file" else f"{count(result.files, 'file')}, {size(result.size)}"
    path = os.path.relpath(result.path, cwd) if is_below(result.path, cwd) else result.path
    at = f", commit {result.commit[:_SHORT]}" if result.commit else ""
    yield f"{show(path)}: {what}{at}"


def got_json(result: GetResult) -> dict[str, object]:
    """The same for programs."""
    return {
        "path": result.path,
        "kind": result.kind,
        "size": result.size,
        "files": result.files,
        "commit": result.commit or None,
        "digest": result.digest,
    }
