"""What was made anew, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.rebuild import RebuildResult
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.sizes import size


def rebuilt_lines(result: RebuildResult) -> Iterator[str]:
    """The index, what was set aside, the memo."""
    yield f"index of the cache: {count(result.objects, 'object')} in {count(result.packs, 'pack')}"
    for aside in result.set_aside:
        yield f"set aside: {show(aside.path)} is damaged and lies in {show(aside.moved_to)} now"
        yield f"  {count(aside.saved, 'object')} saved; `dvtool pull` fetches the others again"
    yield f"memo of the workspace: {count(result.files_hashed, 'file')} read ({size(result.bytes_hashed)})"


def rebuilt_json(result: RebuildResult | None) -> dict[str, object] | None:
    """The same for programs; None where nothing was asked for."""
    if result is None:
        return None
    return {
        "packs": result.packs,
        "objects": result.objects,
        "set_aside": [
            {"path": aside.path, "moved_to": aside.moved_to, "saved": aside.saved} for aside in result.set_aside
        ],
        "files_hashed": result.files_hashed,
        "bytes_hashed": result.bytes_hashed,
    }
