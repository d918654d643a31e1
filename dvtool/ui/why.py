"""Chains of causes in words, from what was asked for down to what somebody changed."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from dvtool.pipeline.types import Action
from dvtool.pipeline.why import Cause
from dvtool.pipeline.why import Explained
from dvtool.project.authors import Authored
from dvtool.ui.reasons import reason_details
from dvtool.ui.reasons import reason_json
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe

_SHORT = 10
_DAY = 10
_WORDS = {
    Action.RUN: "would run",
    Action.RESTORE: "would be restored",
    Action.SKIP: "is up to date",
    Action.MAY_RUN: "may run",
    Action.BLOCKED: "cannot run",
}

_PAST = "is up to date; it ran last because"


def why_lines(explained: Sequence[Explained], authors: Mapping[Cause, Authored], paint: Paint) -> Iterator[str]:
    """Each stage once, with its causes below it; a cause that is another stage's work is told where that stage is."""
    for at, one in enumerate(explained):
        if at:
            yield ""
        words = _PAST if one.past and one.causes else _WORDS[one.action]
        yield f"{paint(safe(one.stage), 'bold')} {words}"
        for cause in one.causes:
            below = f" (see {safe(cause.leads_to)} below)" if cause.leads_to else ""
            yield f"  {reason_details(cause.reason)}{below}"
            if cause in authors:
                yield paint(f"    {_author(authors[cause])}", "dim")


def why_json(explained: Sequence[Explained], authors: Mapping[Cause, Authored]) -> dict[str, object]:
    """The same for ``--json``; the commit of an author is null where the change is not committed yet."""
    return {
        "stages": [
            {
                "stage": one.stage,
                "action": one.action.value,
                "past": one.past,
                "causes": [_cause_json(cause, authors.get(cause)) for cause in one.causes],
            }
            for one in explained
        ]
    }


def _cause_json(cause: Cause, author: Authored | None) -> dict[str, object]:
    return {
        **reason_json(cause.reason),
        "leads_to": cause.leads_to or None,
        "file": cause.file or None,
        "key": cause.key or None,
        "author": None
        if author is None
        else {
            "commit": author.commit or None,
            "author": author.author or None,
            "time": author.time or None,
            "subject": author.subject or None,
        },
    }


def _author(found: Authored) -> str:
    if not found.commit:
        return "not committed yet"
    return f"{found.commit[:_SHORT]} {found.time[:_DAY]} {safe(found.author)}: {safe(found.subject)}"
