"""What the command line tells the core about the process it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field


@dataclass(frozen=True, slots=True)
class Environment:
    """Environment variables, home directory and current directory, taken once at the start.

    ``command``: the words of the command line as they may be shown and noted, without secrets.
    """

    environ: Mapping[str, str] = field(repr=False)
    home: bytes
    cwd: bytes
    command: tuple[str, ...] = ()
