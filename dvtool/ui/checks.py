"""What the doctor found, as lines."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe

if TYPE_CHECKING:
    from dvtool.api.doctor import Check

_COLORS = {"ok": "green", "note": "yellow", "problem": "red"}


def check_lines(checks: Sequence[Check], paint: Paint, *, quiet: bool) -> Iterator[str]:
    """One line for each check, its next step below it; *quiet* leaves out what is well."""
    wide = max((len(check.name) for check in checks), default=0)
    for check in checks:
        state = check.state.value
        if quiet and state == "ok":
            continue
        yield f"{paint(f'{state:7}', _COLORS[state])}  {check.name:{wide}}  {safe(check.text)}"
        if check.hint is not None:
            yield f"{'':9}{'':{wide}}  {safe(check.hint)}"
