"""What can be recovered, or was, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from datetime import timezone

from dvtool.api.recover import Recoverable
from dvtool.api.recover import RecoverResult
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.sizes import size


def recoverable_lines(result: RecoverResult) -> Iterator[str]:
    """One line for each object: when, digest, size, path, why; then how to get one back."""
    for item in result.items:
        many = f"{count(item.files, 'file')}, " if item.kind == "directory" else ""
        what = show(item.path) or item.kind
        yield f"{_date(item.when)}  {item.digest[:19]}  {many}{size(item.size)}  {what}  ({item.why})"
    if result.items:
        yield "get one back with: dvtool recover DIGEST -o PATH, all with: dvtool recover --all DIR"
    else:
        yield "nothing to recover: the cache holds nothing that is not named"
    if result.is_shared and result.items:
        yield "the cache is shared: old commits of other repositories may name some of this"
    if result.left:
        yield "also left, by commands that were killed (or are at work now), by collections or by damage:"
    for left in result.left:
        amount = f"  {size(left.size)}" if left.size else ""
        yield f"  {show(left.path) or left.kind.value}{amount}  {left.what}: {left.next}"


def restored_lines(result: RecoverResult) -> Iterator[str]:
    """Where everything lies now."""
    for path, amount, missing in result.restored:
        note = f", {count(missing, 'file')} could not be restored" if missing else ""
        yield f"{show(path)}: {size(amount)}{note}"


def recovered_json(result: RecoverResult) -> dict[str, object]:
    """The result without what only Python callers need."""
    return {
        "items": [_item(item) for item in result.items],
        "restored": result.restored,
        "is_shared": result.is_shared,
        "left": [{**left._asdict(), "kind": left.kind.value} for left in result.left],
        "problems": [error.message for error in result.errors],
    }


def _item(item: Recoverable) -> dict[str, object]:
    return {
        "digest": item.digest,
        "kind": item.kind,
        "path": item.path,
        "size": item.size,
        "files": item.files,
        "executable": item.executable,
        "when": item.when,
        "why": item.why,
    }


def _date(when: float) -> str:
    return datetime.fromtimestamp(when, tz=timezone.utc).strftime("%Y-%m-%d %H:%MZ")
