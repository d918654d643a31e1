"""Lengths of time as people write them: ``90s``, ``15m``, ``12h``, ``14d``, ``2w``, ``0``."""

from __future__ import annotations

import re

from dvtool.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_TEXT = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)


def is_duration(text: str) -> bool:
    """Whether `parse_duration` can read it."""
    return text == "0" or _TEXT.fullmatch(text) is not None


def parse_duration(text: str) -> int:
    """Seconds. Raises `UsageError`."""
    if text == "0":
        return 0
    match = _TEXT.fullmatch(text)
    if match is None:
        raise UsageError(f"{text[:40]!r} is not a duration", hint="write it as 90s, 15m, 12h, 14d, 2w or 0")
    return int(match[1]) * _UNITS[match[2]]


def show_duration(seconds: int) -> str:
    """The shortest text that `parse_duration` reads as *seconds*."""
    if seconds == 0:
        return "0"
    unit = max((each for each in _UNITS if seconds % _UNITS[each] == 0), key=_UNITS.__getitem__)
    return f"{seconds // _UNITS[unit]}{unit}"
