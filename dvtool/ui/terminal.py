"""Whether to use colour, and the few colours there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from typing import get_args

When = Literal["auto", "always", "never"]
WHENS: tuple[When, ...] = get_args(When)

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def use_color(when: When, environ: Mapping[str, str], *, is_tty: bool) -> bool:
    """The word on the command line decides; then NO_COLOR, FORCE_COLOR, CLICOLOR; then the terminal."""
    if when != "auto":
        return when == "always"
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_tty and not is_dumb(environ) and environ.get("CLICOLOR") != "0"


def is_dumb(environ: Mapping[str, str]) -> bool:
    """A terminal that cannot move its cursor."""
    return environ.get("TERM", "") in ("dumb", "unknown")


@dataclass(frozen=True, slots=True)
class Paint:
    """Puts colour around words, or nothing."""

    on: bool

    def __call__(self, text: str, *styles: str) -> str:
        if not self.on or not text:
            return text
        return f"\x1b[{';'.join(_CODES[style] for style in styles)}m{text}\x1b[0m"


PLAIN = Paint(on=False)
