"""What a trial of a remote has shown, as lines and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

from dvtool.ui.sizes import size
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe

if TYPE_CHECKING:
    from dvtool.remote.conformance.speed import Speed
    from dvtool.remote.conformance.trial import Trial

_COLORS = {
    "works": "green",
    "fails": "red",
    "lacks": "yellow",
    "not tried": "yellow",
    "speed": "cyan",
    "left": "red",
}


def trial_lines(trial: Trial, paint: Paint, *, verbose: bool) -> Iterator[str]:
    """What fails, what the remote lacks, how fast it is; with *verbose* also each check that works."""

    def line(state: str, text: str) -> str:
        return f"{paint(f'{state:9}', _COLORS[state])}  {text}"

    yield f"remote {safe(trial.remote)}: {safe(trial.url)}"
    works = sum(outcome.state.value == "works" for outcome in trial.outcomes)
    for outcome in trial.outcomes:
        state = outcome.state.value
        if verbose or state in ("fails", "not tried"):
            yield line(state, outcome.title + (f": {safe(outcome.why)}" if outcome.why else ""))
    listed = f", with a listing of {trial.listed} keys" if trial.listed else ""
    yield line("works", f"{works} of {len(trial.outcomes)} checks{listed}")
    for lack in trial.lacks:
        yield line("lacks", lack)
    if trial.speed is not None:
        for text in _speed(trial.speed):
            yield line("speed", text)
    if trial.left:
        yield line("left", f"{len(trial.left)} keys that could not be removed, such as {safe(trial.left[0])}")


def trial_json(trial: Trial) -> dict[str, Any]:
    """Every check with its state; speeds in bytes and requests a second."""
    return {
        "remote": trial.remote,
        "url": trial.url,
        "works": not trial.fails,
        "checks": trial.outcomes,
        "lacks": trial.lacks,
        "capabilities": trial.capabilities,
        "speed": trial.speed,
        "listed": trial.listed,
        "left": trial.left,
    }


def _speed(speed: Speed) -> Iterator[str]:
    up = "" if speed.sent is None else f"up {size(round(speed.sent))}/s, "
    yield f"one value of {size(speed.large)}: {up}down {size(round(speed.received))}/s"
    writes = "" if speed.writes is None else f"{speed.writes:.0f} writes, "
    yield (
        f"values of {size(speed.small)}, {speed.at_once} at once: "
        f"{writes}{speed.reads:.0f} reads, {speed.looks:.0f} looks a second"
    )
