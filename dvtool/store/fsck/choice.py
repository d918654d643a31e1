"""Which files a check reads whole: all, a share, a part in turn, or those not read for a while."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import UsageError
from dvtool.formats.checktimes import CheckTimes
from dvtool.formats.checktimes import decode_check_times
from dvtool.hashing.digests import object_id
from dvtool.model.paths import show

_SUBSET = re.compile(r"(?:(\d{1,9}(?:\.\d{1,9})?)%|(\d{1,9})/(\d{1,9}))", re.ASCII)
_AGE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_MOST_BYTES = 1 << 30


class StoredFile(NamedTuple):
    """A file of a store by its name there, with its size in bytes."""

    name: str
    size: int


class Choice(NamedTuple):
    """``deep``: read files whole. ``share``: a random share of them, 0 to 1. ``part``: (n, t), the n-th of t parts.

    ``max_age``: only those not read whole within so many seconds before ``now`` (Unix seconds).
    """

    deep: bool = False
    share: float | None = None
    part: tuple[int, int] | None = None
    max_age: float | None = None
    now: float = 0.0


STRUCTURE = Choice()
"""Nothing is read whole."""


def choice_of(*, deep: bool, subset: str | None, max_age: str | None, now: float) -> Choice:
    """What the options mean; a subset or an age means to read. Raises `UsageError`."""
    share, part = parse_subset(subset) if subset is not None else (None, None)
    age = parse_age(max_age) if max_age is not None else None
    return Choice(deep or subset is not None or age is not None, share, part, age, now)


def parse_age(text: str) -> float:
    """Seconds of ``30d``, ``12h``, ``90m``, ``2w`` or ``45s``. Raises `UsageError`."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise UsageError(f"--max-age {text!r} is no length of time", hint="--max-age 30d, 12h or 2w")
    return float(match[1]) * _UNITS[match[2]]


def parse_subset(text: str) -> tuple[float | None, tuple[int, int] | None]:
    """``5%`` is a share, ``2/7`` a part. Raises `UsageError`."""
    match = _SUBSET.fullmatch(text)
    if match is not None and match[1] is not None and 0 < float(match[1]) <= 100:
        return float(match[1]) / 100, None
    if match is not None and match[2] is not None and 1 <= int(match[2]) <= int(match[3]):
        return None, (int(match[2]), int(match[3]))
    raise UsageError(f"--subset {text!r} is neither a share nor a part", hint="--subset 5% or --subset 2/7")


def choose(files: Sequence[StoredFile], choice: Choice, times: CheckTimes) -> set[str]:
    """The names of the files to read whole. A share is at least one file; the t parts together are all files."""
    if not choice.deep:
        return set()
    found = [file.name for file in files]
    if choice.part is not None:
        number, parts = choice.part
        found = [name for name in found if _turn(name) % parts == number - 1]
    if choice.max_age is not None:
        oldest = choice.now - choice.max_age
        # A time to come is that of a clock that was wrong.
        found = [name for name in found if not oldest <= (times.when(name) or 0) <= choice.now]
    if choice.share is not None and found:
        count = max(1, round(choice.share * len(found)))
        found = random.SystemRandom().sample(found, min(count, len(found)))
    return set(found)


def _turn(name: str) -> int:
    return int.from_bytes(object_id(name.encode("ascii"))[:8], "big")


class CheckTimesFile:
    """The check times of one store in the state of this workspace. Losing them only costs reading."""

    def __init__(self, state_dir: bytes, store_id: str) -> None:
        self._folder = os.path.join(state_dir, b"fsck")
        self._path = os.path.join(self._folder, store_id.encode("ascii"))
        self.times = self._load()

    def _load(self) -> CheckTimes:
        try:
            with open(self._path, "rb") as file:
                return decode_check_times(file.read(_MOST_BYTES), show(self._path))
        except (OSError, FormatError, IntegrityError):
            return CheckTimes()

    def save(self, present: Sequence[StoredFile], right: set[str], now: float) -> None:
        """Those in *right* were read whole just now. Names that are not *present* any more are dropped."""
        checked = dict.fromkeys(right, int(now))
        data = self.times.updated((file.name for file in present), checked)
        try:
            make_dirs(self._folder)
            write_file(self._path, data, mode=0o600, durable=False)
        except OSError:
            return
