"""What the command line tells the core about the process it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field

from dvtool.disk.lock import Waiting


@dataclass(frozen=True, slots=True)
class Environment:
    """Environment variables, home directory and current directory, taken once at the start.

    ``command``: the words of the command line as they may be shown and noted, without secrets.
    ``waiting``: whether commands wait for locks that others hold, and who hears of it.
    """

    environ: Mapping[str, str] = field(repr=False)
    home: bytes
    cwd: bytes
    command: tuple[str, ...] = ()
    waiting: Waiting = field(default_factory=Waiting)
