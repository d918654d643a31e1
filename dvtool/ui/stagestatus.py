"""The stages of a status, in words."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence

from dvtool.api.status import StageStatus
from dvtool.ui.counts import count
from dvtool.ui.reasons import reason_details
from dvtool.ui.reasons import weightiest
from dvtool.ui.tables import width
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe

SHOWN = 20


def stage_status_lines(stages: Sequence[StageStatus], paint: Paint, *, whole: bool = False) -> Iterator[str]:
    """Those that are out of date by themselves, how many only wait for them, and the frozen ones."""
    own = [stage for stage in stages if stage.reasons and not (stage.frozen or stage.unchecked)]
    unchecked = [stage for stage in stages if stage.unchecked]
    waiting = sum(not stage.reasons and not stage.frozen for stage in stages)
    frozen = [stage for stage in stages if stage.frozen]
    if own or waiting:
        yield "Stages out of date (bring up to date with: dvtool repro):"
        yield from _lines(own, paint, whole=whole)
        if waiting:
            yield f"  {count(waiting, 'stage')} after those may follow: `dvtool plan` shows each"
    if unchecked:
        if own or waiting:
            yield ""
        yield "Not looked at (only dvtool repro does):"
        yield from _lines(unchecked, paint, whole=whole)
    if frozen:
        if own or waiting or unchecked:
            yield ""
        yield "Frozen (set free with: dvtool unfreeze STAGE):"
        yield from _lines(frozen, paint, whole=whole)


def _lines(stages: Sequence[StageStatus], paint: Paint, *, whole: bool) -> Iterator[str]:
    shown = stages if whole else stages[:SHOWN]
    most = max((width(safe(stage.stage)) for stage in shown), default=0)
    for stage in shown:
        name = safe(stage.stage)
        head = f"  {paint(name, 'yellow')}{' ' * (most - width(name))}"
        if whole:
            yield head.rstrip()
            yield from (f"    {reason_details(reason)}" for reason in stage.reasons)
        else:
            yield f"{head}  {weightiest(stage.reasons)}".rstrip()
    if len(stages) > len(shown):
        yield f"  {len(stages):,} in all: `dvtool status -v` shows each"
