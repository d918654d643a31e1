"""What a collection on a remote takes, or took, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from datetime import timezone

from dvtool.api.gc_cloud import GcCloudResult
from dvtool.formats.durations import show_duration
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.transfer.collect.types import DAY
from dvtool.transfer.collect.types import times_for
from dvtool.ui.counts import count
from dvtool.ui.gc import object_json
from dvtool.ui.gc import object_lines
from dvtool.ui.jsonlines import document_lines
from dvtool.ui.sizes import size

_MISSING_SHOWN = 5


def pushed_line(grace: float) -> str:
    """What stays beside what the rules keep, in words. *grace*: seconds."""
    age = times_for(grace).record_age
    yours = f", and you in the last {_about(age)}" if age else ""
    return f"what others have pushed{yours}"


def cloud_lines(result: GcCloudResult) -> Iterator[str]:
    """The objects by the tracked path that they stood at last, the records that are released, what is missing."""
    yield from object_lines(result.objects)
    plan = result.plan
    if plan.released:
        commits = sorted({commit[:10] for each in plan.released for commit in each.record.commits})
        of = f" of {', '.join(commits[:5])}{' and others' if len(commits) > 5 else ''}" if commits else ""
        yield f"{count(len(plan.released), 'root record')}{of}: no longer kept"
    for missing in plan.missing[:_MISSING_SHOWN]:
        yield f"{missing.needed_by} needs {as_digest(ObjectId(missing.digest))}, which is not there"
    if plan.missing_count > _MISSING_SHOWN:
        more = f"{plan.missing_count - _MISSING_SHOWN:,} more that are needed and not there"
        yield f"  and {more}: dvtool fsck --remote {result.remote}"


def cloud_summary(result: GcCloudResult) -> Iterator[str]:
    """What goes now, what goes later, and how to take it back."""
    plan, report = result.plan, result.report
    place = f"{result.remote} ({result.url})"
    if plan.nothing:
        yield f"nothing to collect on {place}"
        return
    packs = len(plan.doom.whole) + len(plan.doom.rewrite)
    if packs and result.grace > 0:
        many = f"{count(packs, 'pack')}, {size(plan.bytes_doomed)}"
        day = datetime.fromtimestamp(plan.until, tz=timezone.utc).strftime("%Y-%m-%d")
        verb = "doomed" if result.done else "would be doomed"
        yield f"{many} on {place}: {verb}; `dvtool gc --cloud` deletes it from {day} on"
        packs = 0
    if packs or plan.finish.packs:
        verb = "deleted" if result.done else "would be deleted"
        yield f"{size(plan.bytes_freed)} on {place}: {verb} now"
    elif not plan.doom.whole and not plan.doom.rewrite:
        yield f"no bytes to free on {place}"
    if result.undo_key:
        what = "what is doomed" if plan.finish.packs else "it"
        yield f"`dvtool undo` takes {what} back within {show_duration(int(result.grace))}"
    if report is not None and report.kept_back:
        yield f"{count(len(report.kept_back), 'pack')} could not be read and stay: dvtool fsck --remote {result.remote}"


def cloud_json_lines(result: GcCloudResult) -> Iterator[str]:
    """Schema gc-cloud/1, one object a line. The same before and after, but for ``done`` and ``dead_list``."""
    plan, report = result.plan, result.report
    head = {
        "done": result.done,
        "remote": result.remote,
        "url": result.url,
        "bytes_freed": plan.bytes_freed,
        "bytes_doomed": plan.bytes_doomed,
        "grace_seconds": result.grace,
        "dead_list": result.undo_key or None,
        "packs": {
            "doomed": len(plan.doom.whole),
            "rewritten": len(plan.doom.rewrite),
            "finished": len(plan.finish.packs),
        },
        "records_released": len(plan.released),
        "kept_back": list(report.kept_back) if report is not None else [],
        "missing_objects": plan.missing_count,
    }
    yield from document_lines("gc-cloud/1", head, [("objects", map(object_json, result.objects))])


def _about(seconds: float) -> str:
    """A length of time that need not be exact."""
    return show_duration(int(seconds // DAY * DAY if seconds >= DAY else seconds))
