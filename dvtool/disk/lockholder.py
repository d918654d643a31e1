"""Who holds a lock: what its takers wrote into the file, and on Linux what the kernel says."""

from __future__ import annotations

import contextlib
import os
import time

NOTE_LIMIT = 300
_UNKNOWN = "another process"


def note(what: str) -> bytes:
    """The line that a taker leaves in the lock file."""
    text = f"pid {os.getpid()} on {os.uname().nodename}" + (f": {what}" if what else "")
    return text.replace("\n", " ").encode("utf-8", "replace")[: NOTE_LIMIT - 1] + b"\n"


def describe(written: bytes, status: os.stat_result) -> str:
    """``pid 12 on host since TIME: dvtool add``: information, never a proof.

    *written* is the beginning of the lock file, *status* its status. Several may share a lock and the last one who
    took it may have ended: then the kernel names another.
    """
    who, _, what = written.partition(b"\n")[0].decode("utf-8", "replace").partition(": ")
    if not who.startswith("pid "):
        return _UNKNOWN
    pid, _, node = who[4:].partition(" on ")
    if node == os.uname().nodename and pid.isdigit() and not _runs(int(pid)):
        others = sorted(_holders(status) - {os.getpid()})
        return next((found for other in others if (found := _process(other)) is not None), _UNKNOWN)
    since = f"{who} since {_shown(status.st_mtime)}"
    return f"{since}: {what}" if what else since


def _shown(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


def _holders(status: os.stat_result) -> set[int]:
    """Processes with a lock on that file, as far as this one may see them."""
    found: set[int] = set()
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/locks", "rb") as file:
            lines = file.read().splitlines()
        for line in lines:
            # 1: FLOCK ADVISORY WRITE 1234 08:01:131 0 EOF. Overlays show another device than `stat`.
            fields = line.split()
            if len(fields) >= 6 and fields[1] != b"->" and int(fields[5].rpartition(b":")[2]) == status.st_ino:
                found.add(int(fields[4]))
    return {pid for pid in found if pid > 0}


def _process(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(NOTE_LIMIT).decode("utf-8", "replace").split("\0")
        with open(f"/proc/{pid}/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        with open("/proc/stat", "rb") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    started = _shown(booted + ticks / os.sysconf("SC_CLK_TCK"))
    return f"pid {pid} on {os.uname().nodename}, started {started}: {' '.join(words).strip()}"
