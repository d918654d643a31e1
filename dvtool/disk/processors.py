"""How many things this machine does at once."""

from __future__ import annotations

import os


def usable_processors() -> int:
    """The processors that this process may use; 1 or more."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
