"""What a plan is asked for, and a run too."""

from __future__ import annotations

from dataclasses import dataclass

from dvtool.pipeline.targets import StageChoice


@dataclass(frozen=True, slots=True)
class PlanRequest(StageChoice):
    """Which stages, and how they would be run. ``force``: all of them, whatever is recorded; ``force_downstream``: all
    that needs one that runs.

    ``run_cache``: earlier runs count. ``pull``: what is missing is fetched. ``allow_missing``: data that is not here
    counts as recorded.
    """

    force: bool = False
    force_downstream: bool = False
    run_cache: bool = True
    pull: bool = False
    allow_missing: bool = False
