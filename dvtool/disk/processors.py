"""How many things this machine does at once."""

from __future__ import annotations

import os


def usable_processors() -> int:
    """The processors that this process may use; 1 or more."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def memory_bytes() -> int | None:
    """The memory of this machine; None where it cannot be told."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def graphics_devices() -> int:
    """How many devices for CUDA the kernel shows; 0 where it shows none or there is no way to ask."""
    try:
        return sum(name.startswith("nvidia") and name[6:].isdigit() for name in os.listdir("/dev"))
    except OSError:
        return 0
