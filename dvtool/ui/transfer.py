"""What a push or fetch did, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from dvtool.api.push import PushedTo
from dvtool.api.push import PushReport
from dvtool.model.digest import as_digest
from dvtool.model.paths import show
from dvtool.project.reading import FetchReport
from dvtool.transfer.push import PushPlan
from dvtool.transfer.types import PushResult
from dvtool.ui.counts import count
from dvtool.ui.sizes import size

_SHOWN = 20


def push_lines(report: PushReport) -> Iterator[str]:
    """A line for each remote: what was sent there. What failed is told as an error."""
    for one in report.remotes:
        yield from _push_lines(one)


def _push_lines(one: PushedTo) -> Iterator[str]:
    place = f"{one.remote} ({one.url})"
    plan, result = one.plan, one.result
    if plan is not None:
        yield f"would send {count(plan.objects, 'object')} ({size(plan.bytes)}) to {place}"
        for item in plan.missing[:_SHOWN]:
            yield f"  missing here and there: {show(item.path)}"
    elif result is not None and result.up_to_date:
        yield f"up to date: {place} holds everything, looked at just now"
    elif result is not None:
        what = f"{count(result.objects, 'object')} in {count(result.packs, 'pack')}"
        yield f"sent {what} ({size(result.bytes_sent)}) to {place}"
    if one.read_back is not None:
        yield f"read back and hashed {size(one.read_back)}: all of it is right"


def push_json(report: PushReport) -> dict[str, object]:
    """The same for programs: all remotes together, then each."""
    only = report.remotes[0] if len(report.remotes) == 1 else None
    plans = [one.plan for one in report.remotes if one.plan is not None]
    results = [one.result for one in report.remotes if one.result is not None]
    read_back = [one.read_back for one in report.remotes if one.read_back is not None]
    return {
        "remote": only.remote if only else None,
        "url": only.url if only else None,
        "planned": _planned(plans) if plans else None,
        "sent": _sent(results) if results else None,
        "read_back": sum(read_back) if read_back else None,
        "up_to_date": report.up_to_date,
        "remotes": [_push_json(one) for one in report.remotes],
    }


def _push_json(one: PushedTo) -> dict[str, object]:
    return {
        "remote": one.remote,
        "url": one.url,
        "planned": _planned([one.plan]) if one.plan else None,
        "sent": _sent([one.result]) if one.result else None,
        "read_back": one.read_back,
        "up_to_date": one.up_to_date,
        "error": None if one.error is None else one.error.message,
    }


def _planned(plans: Sequence[PushPlan]) -> dict[str, object]:
    missing = [item for plan in plans for item in plan.missing]
    return {
        "objects": sum(plan.objects for plan in plans),
        "bytes": sum(plan.bytes for plan in plans),
        "missing": [{"path": item.path, "digest": str(as_digest(item.oid))} for item in missing],
    }


def _sent(results: Sequence[PushResult]) -> dict[str, object]:
    return {
        "objects": sum(result.objects for result in results),
        "bytes": sum(result.bytes_sent for result in results),
        "packs": sum(result.packs for result in results),
    }


def fetch_lines(result: FetchReport, *, dry_run: bool) -> Iterator[str]:
    """One line: what came."""
    if dry_run:
        yield f"would fetch {count(result.objects, 'object')} ({size(result.plain_bytes)} at most)"
    elif result.objects:
        yield f"fetched {count(result.objects, 'object')} ({size(result.bytes_received)})"
    elif not (result.missing or result.damaged or result.broken or result.left_out):
        yield "nothing to fetch: the cache holds everything"
    if result.left_out:
        yield f"left out, as asked: {count(result.left_out, 'file')} ({size(result.left_out_bytes)})"


def fetch_json(result: FetchReport, *, dry_run: bool) -> dict[str, object]:
    """The same for programs."""
    return {
        "dry_run": dry_run,
        "objects": result.objects,
        "bytes_received": result.bytes_received,
        "plain_bytes": result.plain_bytes if dry_run else None,
        "left_out": {"files": result.left_out, "bytes": result.left_out_bytes},
        "missing": [{"path": item.path, "digest": str(as_digest(item.oid))} for item in result.missing],
        "damaged": [
            {"path": item.path, "digest": str(as_digest(item.oid)), "remote": item.remote, "key": item.key}
            for item in result.damaged
        ],
    }
