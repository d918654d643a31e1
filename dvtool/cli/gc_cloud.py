"""``dvtool gc --cloud``"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dvtool.cli.session import Session

if TYPE_CHECKING:
    from dvtool.api.gc_cloud import GcCloudResult
    from dvtool.project.keeping import KeepRules


def gc_cloud(
    session: Session,
    rules: KeepRules | None,
    *,
    remote: str | None,
    grace: str | None,
    expire_unknown: str | None,
    jobs: int,
    ask: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Collect on a remote. *rules* None: nothing was said, which is refused. *ask*: show the plan first."""
    from dvtool.api.gc_cloud import GcCloudRequest
    from dvtool.api.gc_cloud import gc_cloud as run
    from dvtool.formats.durations import parse_duration
    from dvtool.transfer.collect.types import GRACE
    from dvtool.ui.gc import keep_line
    from dvtool.ui.gc_cloud import cloud_json_lines
    from dvtool.ui.gc_cloud import cloud_lines
    from dvtool.ui.gc_cloud import cloud_summary
    from dvtool.ui.gc_cloud import pushed_line

    request = GcCloudRequest(
        rules,
        remote,
        GRACE if grace is None else parse_duration(grace),
        None if expire_unknown is None else parse_duration(expire_unknown),
        jobs,
        dry_run,
        time.time(),
    )
    keeps = "" if rules is None else f"{keep_line(rules)}; {pushed_line(request.grace)}"

    def confirm(result: GcCloudResult) -> bool:
        return result.plan.nothing or session.ask("go on?", (keeps, *cloud_lines(result), *cloud_summary(result)))

    result = run(session.project(), request, session.reporter, confirm if ask else None)
    if as_json:
        session.answered_json = True
        session.lines(cloud_json_lines(result))
    else:
        if dry_run or not result.done or not ask or result.plan.nothing:
            session.summary(keeps)
            session.lines(cloud_lines(result))
        for line in cloud_summary(result):
            session.summary(line)
    return 0 if result.done or dry_run else 1
