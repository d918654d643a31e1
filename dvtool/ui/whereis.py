"""Where data is, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from datetime import timezone

from dvtool.api.whereis import Holding
from dvtool.api.whereis import Whereabouts
from dvtool.api.whereis import WhereIsResult
from dvtool.model.paths import show
from dvtool.ui.counts import count
from dvtool.ui.sizes import size
from dvtool.ui.tables import table
from dvtool.ui.terminal import Paint

_SHORT = 10
_NOTES = {"pushed": "by a push from here; --check asks it", "dropped": "when it was dropped here; --check asks it"}


def whereis_lines(result: WhereIsResult, paint: Paint) -> Iterator[str]:
    """A block for each path: the cache, then each remote; where no remote has it, who had it last."""
    for number, one in enumerate(result.paths):
        if number:
            yield ""
        yield f"{paint(show(one.path), 'cyan')}  {size(one.size)}  {one.digest}"
        rows = [("  " + (place.name or "the cache"), _state(place, one)) for place in one.places]
        yield from table(rows)
        yield from _last(one)


def whereis_json(result: WhereIsResult) -> dict[str, object]:
    """Schema whereis/1."""
    return {
        "paths": [
            {
                "path": one.path,
                "digest": one.digest,
                "size": one.size,
                "belongs_to": one.belongs_to,
                "cache": _place(one.places[0]),
                "remotes": [{"remote": place.name, "url": place.url, **_place(place)} for place in one.places[1:]],
                "last_push": one.pushed,
                "recorded": one.recorded,
            }
            for one in result.paths
        ]
    }


def _place(place: Holding) -> dict[str, object]:
    return {
        "state": place.state,
        "lacking": place.lacking,
        "paths": [{"path": path} for path in place.paths],
        "source": place.source,
        "why": place.why,
    }


def _state(place: Holding, one: Whereabouts) -> str:
    home = " (it belongs there)" if place.name and place.name == one.belongs_to else ""
    if place.state == "unknown":
        return f"not known; --check asks it{home}"
    if place.state == "unasked":
        return f"could not be asked: {place.why}{home}"
    if place.state == "all":
        note = f", {_NOTES[place.source]}" if place.source in _NOTES else ""
        return f"holds all of it{note}{home}"
    what = "holds nothing of it" if place.state == "nothing" else f"lacks {count(place.lacking, 'object')}"
    return f"{what}, among them {', '.join(map(show, place.paths))}{home}" if place.state == "part" else what + home


def _last(one: Whereabouts) -> Iterator[str]:
    if one.pushed is not None:
        when = datetime.fromtimestamp(one.pushed.when, timezone.utc).date() if one.pushed.when else "an unknown day"
        commit = f", commit {one.pushed.commits[0][:_SHORT]}" if one.pushed.commits else ""
        yield f"  last pushed to {one.pushed.remote} by {_text(one.pushed.author) or 'somebody'} on {when}{commit}"
    if one.recorded is not None:
        commit = one.recorded.commit[:_SHORT]
        yield f"  recorded by {_text(one.recorded.author)} on {one.recorded.time[:10]}, commit {commit}"


def _text(text: str) -> str:
    return show(text.encode("utf-8", "surrogateescape"))
