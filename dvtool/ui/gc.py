"""What a collection takes, or took, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from datetime import datetime
from datetime import timezone

from dvtool.api.gc import GcResult
from dvtool.api.gcobjects import GcObject
from dvtool.formats.durations import show_duration
from dvtool.model.paths import show
from dvtool.project.keeping import KeepRules
from dvtool.ui.counts import count
from dvtool.ui.jsonlines import document_lines
from dvtool.ui.sizes import size

_SHOWN = 5
_DIGITS = 19


def keep_line(rules: KeepRules) -> str:
    """What the rules keep, in words."""
    what = ["what the worktree, Git's index, stashes and HEAD need"]
    if rules.all_branches:
        what.append("all branches")
    if rules.all_tags:
        what.append("all tags")
    if rules.all_experiments:
        what.append("all experiments")
    if rules.last:
        many = "all commits" if rules.last < 0 else f"the last {count(rules.last, 'commit')}"
        many = "the last commit" if rules.last == 1 else many
        what.append(f"{many} of {', '.join(rules.revs) or 'HEAD'}")
    elif rules.revs:
        what.append(", ".join(rules.revs))
    if rules.since is not None:
        since = datetime.fromtimestamp(rules.since, tz=timezone.utc).strftime("%Y-%m-%d %H:%MZ")
        what.append(f"every commit since {since}")
    if rules.all_commits:
        what.append("every commit")
    return "keeps " + "; ".join(what)


def plan_lines(result: GcResult) -> Iterator[str]:
    """The objects by the tracked path that they stood at last, then what stays although nothing needs it."""
    yield from object_lines(result.objects)
    yield from _stays(result)


def object_lines(objects: Iterable[GcObject]) -> Iterator[str]:
    """The objects by the tracked path that they stood at last, some of each."""
    groups: dict[tuple[bytes, str], list[int]] = {}
    shown: dict[tuple[bytes, str], list[GcObject]] = {}
    for item in objects:
        key = item.top, item.commit
        total = groups.setdefault(key, [0, 0])
        total[0] += 1
        total[1] += item.size
        some = shown.setdefault(key, [])
        if len(some) < _SHOWN:
            some.append(item)
    for key, (number, amount) in groups.items():
        top, commit = key
        where = f"{show(top)}, last in {commit[:10]}" if commit else "not named by any commit that is known here"
        yield f"{where}: {count(number, 'object')}, {size(amount)}"
        for item in shown[key]:
            name = show(item.path) if item.path else item.kind
            kind = f"  ({item.kind})" if item.path and item.kind != "file" else ""
            yield f"  {item.digest[:_DIGITS]}  {size(item.size):>8}  {name}{kind}"
        if number > _SHOWN:
            yield f"  and {number - _SHOWN:,} more; --json lists all"


def _stays(result: GcResult) -> Iterator[str]:
    plan = result.plan
    if plan.young_objects:
        yield (
            f"{count(plan.young_objects, 'object')}, {size(plan.young_bytes)}, in files younger than"
            f" {show_duration(int(result.grace))}: they stay (--grace 0 takes them too)"
        )
    if plan.lacks_room:
        yield (
            f"the disk is too full to make packs anew: {count(plan.left_objects, 'object')},"
            f" {size(plan.left_bytes)}, stay for now"
        )
        if result.trash_kept is not None:
            yield "what goes to the trash frees nothing yet: run it with --no-trash"
    elif plan.left_objects:
        yield (
            f"{count(plan.left_objects, 'object')}, {size(plan.left_bytes)}, in packs that are mostly needed:"
            " they stay until more of their pack can go"
        )
    if result.unproved:
        yield f"{count(result.unproved, 'object')} of which too few remotes prove to have a copy: they stay"
    if result.damaged:
        yield f"{count(result.damaged, 'damaged pack')} left alone: dvtool fsck --repair"


def summary_lines(result: GcResult) -> Iterator[str]:
    """One line on what goes or went, one on the trash."""
    plan = result.plan
    many = f"{count(len(result.objects), 'object')}, {size(result.bytes_freed)}"
    if plan.is_empty:
        yield "nothing to collect"
    elif result.trash_kept is None:
        yield f"{many}: deleted" if result.done else f"{many}: would be deleted"
    else:
        keeps = show_duration(int(result.trash_kept))
        if result.done:
            yield f"{many}: moved to the trash, where `dvtool undo` finds them for {keeps}"
            yield f"trash run {result.run_id}; the space is free after that, or at once if you add --no-trash"
        else:
            yield f"{many}: would go to the trash for {keeps}"
    freed = sum(each.stored for each in result.expired)
    if result.expired:
        verb = "deleted" if result.done else "would be deleted"
        yield f"{count(len(result.expired), 'older run')} of the trash, {size(freed)}: {verb}"


def json_lines(result: GcResult) -> Iterator[str]:
    """Schema gc/1, one object a line. The same before and after, but for ``done`` and ``trash_run``."""
    plan = result.plan
    head = {
        "done": result.done,
        "bytes_freed": result.bytes_freed,
        "trash_run": result.run_id or None,
        "trash_kept_seconds": result.trash_kept,
        "grace_seconds": result.grace,
        "packs": {"deleted": len(plan.whole), "rewritten": len(plan.rewritten)},
        "young": {"objects": plan.young_objects, "size": plan.young_bytes},
        "left": {"objects": plan.left_objects, "size": plan.left_bytes, "lacks_room": plan.lacks_room},
        "unproved_objects": result.unproved,
        "damaged_packs": result.damaged,
        "expired": [{"id": each.run.id, "when": each.run.when, "size": each.stored} for each in result.expired],
    }
    yield from document_lines("gc/1", head, [("objects", map(object_json, result.objects))])


def object_json(item: GcObject) -> dict[str, object]:
    """One object of a list."""
    return {
        "path": item.path or None,
        "digest": item.digest,
        "kind": item.kind,
        "size": item.size,
        "commit": item.commit or None,
    }
