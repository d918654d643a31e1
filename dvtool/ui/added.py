"""What `add` did, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dvtool.api.add import Added
from dvtool.api.add import AddResult
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.sizes import size

if TYPE_CHECKING:
    from dvtool.api.add_to_remote import AddToRemoteResult


def added_lines(result: AddResult) -> Iterator[str]:
    """A line for each target, then what to tell Git."""
    for item in result.added:
        state = "" if item.changed else ", unchanged"
        yield f"{show(item.path)}: {_what(item)}{state}"
        if not item.is_here:
            yield f"  not all of it is here: dvtool checkout {show(item.path)} (or --force, to record it as it stands)"
    if result.files_seen:
        seen = count(result.files_seen, "file")
        yield f"read {result.files_hashed:,} of {seen} ({size(result.bytes_hashed)})"
    if result.git_files:
        yield "next: git add " + " ".join(show(path) for path in result.git_files)


def added_json(result: AddResult) -> dict[str, object]:
    """The same for programs. ``hashed``: files whose bytes were read."""
    return {
        "added": result.added,
        "files": result.files_seen,
        "hashed": result.files_hashed,
        "bytes_hashed": result.bytes_hashed,
        "git_files": [{"path": path} for path in result.git_files],
        "visible_to_git": [{"path": path} for path in result.visible],
    }


def streamed_lines(result: AddToRemoteResult) -> Iterator[str]:
    """What went straight to a remote."""
    added = result.added
    yield f"{show(added.path)}: {_what(added)}, sent to {result.remote} ({size(result.bytes_sent)} were new there)"
    if result.git_files:
        yield "next: git add " + " ".join(show(path) for path in result.git_files)


def _what(item: Added) -> str:
    return size(item.size) if item.kind == "file" else f"{count(item.files, 'file')}, {size(item.size)}"


def streamed_json(result: AddToRemoteResult) -> dict[str, object]:
    """The same for programs."""
    return {
        "added": [result.added],
        "bytes_sent": result.bytes_sent,
        "remote": result.remote,
        "git_files": [{"path": path} for path in result.git_files],
    }
