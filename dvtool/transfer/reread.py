"""Small files of a remote: what does not decode is asked for once more, as it may have been harmed on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.model.ports import Remote

T = TypeVar("T")


def read_right(remote: Remote, key: str, decode: Callable[[bytes], T]) -> T:
    """What *decode* makes of a value. Raises what `Remote.get` and, at the second time, *decode* raise."""
    return twice(lambda: decode(remote.get(key)))


def twice(read: Callable[[], T]) -> T:
    """What *read* returns; wrong bytes are read once more."""
    try:
        return read()
    except (FormatError, IntegrityError):
        return read()
