"""What `migrate` wrote, in words and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from dvtool.api.migrate import MigrateResult
from dvtool.model.paths import show
from dvtool.ui.counts import count

_WORDS = {"pointer": "pointer", "pipeline": "pipeline", "lock": "lock", "ignore": "ignore file"}


def migrated_lines(result: MigrateResult, *, verbose: bool) -> Iterator[str]:
    """The summary; with *verbose* every file."""
    if verbose:
        yield from (f"  {show(each.source)} -> {show(each.target)}" for each in result.converted)
        taken = {each.target for each in result.converted}
        yield from (f"  new: {show(path)}" for path in result.written if path not in taken)
        yield from (f"  removed: {show(path)}" for path in result.removed)
        yield from (f"  into your own settings: {key}" for key in result.settings)
    counts = Counter(each.what for each in result.converted)
    parts = [count(counts[what], word) for what, word in _WORDS.items() if counts[what]]
    parts += [count(result.runs, "earlier run")] if result.runs else []
    verb = "migrated" if result.is_done else "would migrate"
    yield f"{verb} {show(result.root)}: {', '.join(parts) or 'settings'}; no data was read, copied or sent"
    yield from (f"note: {note}" for note in result.notes)
    if result.is_done:
        yield "next: dvtool checkout (looks at the data once), then git commit; `dvtool undo` takes it back"


def as_document(result: MigrateResult) -> dict[str, Any]:
    """The JSON of `dvtool migrate --json`."""
    return {
        "root": result.root,
        "done": result.is_done,
        "converted": [{"what": each.what, "source": each.source, "path": each.target} for each in result.converted],
        "written": [{"path": path} for path in result.written],
        "removed": [{"path": path} for path in result.removed],
        "settings": list(result.settings),
        "runs": result.runs,
        "notes": list(result.notes),
    }
