"""What the command line tells the core about the process it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Environment:
    """Environment variables, home directory and current directory, taken once at the start."""

    environ: Mapping[str, str]
    home: bytes
    cwd: bytes
