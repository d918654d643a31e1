"""Numbers of bytes as people write them: ``300``, ``500k``, ``2.5M``, ``1G``, ``64Mi``."""

from __future__ import annotations

import re

from dvtool.errors import UsageError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_TEXT = re.compile(r"([0-9]{1,15})(\.[0-9]{1,6})?([kmgt]?)(i?)b?", re.ASCII | re.IGNORECASE)


def is_byte_size(text: str) -> bool:
    """Whether `parse_byte_size` can read it."""
    return _parse(text) is not None


def parse_byte_size(text: str) -> int:
    """Bytes, rounded down. ``k M G T`` are thousands, ``Ki Mi Gi Ti`` are 1,024s. Raises `UsageError`."""
    found = _parse(text)
    if found is None:
        raise UsageError(f"{text[:40]!r} is not a number of bytes", hint="write it as 300, 500k, 2.5M, 1G or 64Mi")
    return found


def _parse(text: str) -> int | None:
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        return None
    whole, fraction, unit, binary = match.groups()
    if binary and not unit:
        return None
    factor = _BINARY[unit.lower()] if binary else _UNITS[unit.lower()]
    return int(whole) * factor + int(float(fraction or 0) * factor)
