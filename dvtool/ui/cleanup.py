"""What ``remote cleanup`` removed, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from dvtool.api.remote_cleanup import CleanupReport
from dvtool.model.ports import Unfinished
from dvtool.ui.counts import count
from dvtool.ui.sizes import size

_SHOWN = 20


def cleanup_lines(report: CleanupReport, *, dry_run: bool) -> Iterator[str]:
    """One line, and under a dry run what would go."""
    place = f"{report.remote} ({report.url})"
    if not report.removed:
        yield f"nothing to clean up on {place}"
    else:
        word = "would remove" if dry_run else "removed"
        yield f"{word} {count(len(report.removed), 'unfinished upload')}{_bytes(report.removed)} on {place}"
        if dry_run:
            yield from (f"  {each.key}" for each in report.removed[:_SHOWN])
            if len(report.removed) > _SHOWN:
                yield f"  ... and {len(report.removed) - _SHOWN:,} more"
    if report.kept:
        yield f"left {count(len(report.kept), 'younger one')}: maybe under way (--older-than)"


def cleanup_json(report: CleanupReport, *, dry_run: bool) -> dict[str, object]:
    """The same for programs."""
    return {
        "remote": report.remote,
        "url": report.url,
        "dry_run": dry_run,
        "removed": [_item(each) for each in report.removed],
        "kept": [_item(each) for each in report.kept],
    }


def _item(each: Unfinished) -> dict[str, object]:
    return {"key": each.key, "bytes": each.size, "started": each.started}


def _bytes(items: Sequence[Unfinished]) -> str:
    known = [each.size for each in items if each.size is not None]
    return f" ({size(sum(known))})" if len(known) == len(items) else ""
