"""Stages in words."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.freeze import FreezeResult
from dvtool.api.stageadd import StageAddResult
from dvtool.api.stagelist import StageListResult
from dvtool.api.stagelist import StageView
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.pathlists import path_list
from dvtool.ui.tables import table
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe

_MOST = 80


def stage_lines(result: StageListResult, paint: Paint) -> Iterator[str]:
    """One line for each stage: its name, and what it is for or what it makes."""
    rows = [(safe(stage.address), _about(stage)) for stage in result.stages]
    for line, stage in zip(table(rows), result.stages, strict=True):
        yield line + (paint("  frozen", "cyan") if stage.frozen else "")


def stage_names(result: StageListResult) -> Iterator[str]:
    """One name a line."""
    return (safe(stage.address) for stage in result.stages)


def nothing_listed(result: StageListResult) -> str | None:
    """What to say where no stage is listed."""
    if result.stages:
        return None
    if result.elsewhere:
        return f"no stages here, {count(result.elsewhere, 'stage')} elsewhere in the project: `dvtool stage list --all`"
    return "no stages yet; `dvtool stage add -n NAME -d FILE -o FILE COMMAND` adds one"


def added_lines(result: StageAddResult) -> Iterator[str]:
    """What was written, and what to tell Git."""
    yield f"stage {safe(result.stage)} {'replaced' if result.replaced else 'added'} in {show(result.file)}"
    if result.git_files:
        yield "next: git add " + " ".join(map(show, result.git_files))


def added_json(result: StageAddResult) -> dict[str, object]:
    """The result with each path under a name."""
    return {
        "stage": result.stage,
        "address": result.address,
        "file": result.file,
        "replaced": result.replaced,
        "git_files": path_list(result.git_files),
    }


def frozen_lines(result: FreezeResult) -> Iterator[str]:
    """A line for each stage."""
    for address in result.changed:
        yield f"{safe(address)} {'frozen' if result.frozen else 'set free'}"
    for address in result.unchanged:
        yield f"{safe(address)} was {'frozen' if result.frozen else 'not frozen'} before"


def frozen_json(result: FreezeResult) -> dict[str, object]:
    """The result with each path under a name."""
    return {
        "frozen": result.frozen,
        "changed": result.changed,
        "unchanged": result.unchanged,
        "git_files": path_list(result.git_files),
    }


def _about(stage: StageView) -> str:
    if stage.desc:
        return _cut(safe(stage.desc.split("\n")[0]))
    outputs = [show(out.path) for out in stage.outs if out.kind == "outs"]
    reports = [show(out.path) for out in stage.outs if out.kind != "outs"]
    parts = [f"makes {', '.join(outputs)}"] if outputs else []
    parts += [f"reports {', '.join(reports)}"] if reports else []
    if not parts:
        reads = [
            *map(safe, stage.deps),
            *(show(file) for each in stage.params if isinstance(file := each["file"], bytes)),
        ]
        parts = [f"reads {', '.join(reads)}"] if reads else ["reads and makes nothing"]
    return _cut("; ".join(parts))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else text[: _MOST - 3] + "..."
