"""What a push or fetch did, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.push import PushReport
from dvtool.model.digest import blake3_digest
from dvtool.model.paths import show
from dvtool.transfer.types import FetchResult
from dvtool.ui.counts import count
from dvtool.ui.sizes import size

_SHOWN = 20


def push_lines(report: PushReport) -> Iterator[str]:
    """One line: what was sent, where to."""
    place = f"{report.remote} ({report.url})"
    if report.plan is not None:
        plan = report.plan
        yield f"would send {count(plan.objects, 'object')} ({size(plan.bytes)}) to {place}"
        for item in plan.missing[:_SHOWN]:
            yield f"  missing here and there: {show(item.path)}"
    elif report.result is not None and report.result.up_to_date:
        yield f"up to date: {place} holds everything, looked at just now"
    elif report.result is not None:
        result = report.result
        what = f"{count(result.objects, 'object')} in {count(result.packs, 'pack')}"
        yield f"sent {what} ({size(result.bytes_sent)}) to {place}"
    if report.read_back is not None:
        yield f"read back and hashed {size(report.read_back)}: all of it is right"


def push_json(report: PushReport) -> dict[str, object]:
    """The same for programs."""
    plan, result = report.plan, report.result
    return {
        "remote": report.remote,
        "url": report.url,
        "planned": None
        if plan is None
        else {
            "objects": plan.objects,
            "bytes": plan.bytes,
            "missing": [{"path": item.path, "digest": str(blake3_digest(item.oid))} for item in plan.missing],
        },
        "sent": None
        if result is None
        else {"objects": result.objects, "bytes": result.bytes_sent, "packs": result.packs},
        "read_back": report.read_back,
        "up_to_date": result.up_to_date if result is not None else plan is not None and plan.up_to_date,
    }


def fetch_lines(result: FetchResult, *, dry_run: bool) -> Iterator[str]:
    """One line: what came."""
    if dry_run:
        yield f"would fetch {count(result.objects, 'object')} ({size(result.plain_bytes)} at most)"
    elif result.objects:
        yield f"fetched {count(result.objects, 'object')} ({size(result.bytes_received)})"
    elif not (result.missing or result.damaged or result.broken):
        yield "nothing to fetch: the cache holds everything"


def fetch_json(result: FetchResult, *, dry_run: bool) -> dict[str, object]:
    """The same for programs."""
    return {
        "dry_run": dry_run,
        "objects": result.objects,
        "bytes_received": result.bytes_received,
        "plain_bytes": result.plain_bytes if dry_run else None,
        "missing": [{"path": item.path, "digest": str(blake3_digest(item.oid))} for item in result.missing],
        "damaged": [
            {"path": item.path, "digest": str(blake3_digest(item.oid)), "remote": item.remote, "key": item.key}
            for item in result.damaged
        ],
    }
