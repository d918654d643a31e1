"""What came from elsewhere, in words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.sizes import size

if TYPE_CHECKING:
    from dvtool.api.get import GetResult

_SHORT = 12


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
