"""One timed command."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class CommandFailed(Exception):
    """A command under test did not end as it should."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Wall clock and processor seconds, largest resident set of one process (MB), what it printed on stdout."""

    seconds: float
    cpu: float
    peak_mb: float
    output: bytes


def timed(
    command: Sequence[str | Path], cwd: Path, environment: Mapping[str, str], *, allowed: Sequence[int] = (0,)
) -> Sample:
    """Run *command* to its end; processor time and memory include the processes that it waited for."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(environment), stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read()
        if process.returncode not in allowed:
            err.seek(0)
            text = (output + err.read()).decode(errors="replace")[-3000:]
            words = " ".join(str(word) for word in command)
            raise CommandFailed(f"`{words}` in {cwd} ended with {process.returncode}:\n{text}")
    return Sample(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)


def disk_used(path: Path) -> int:
    """Bytes allocated below *path*."""
    done = subprocess.run(["du", "-s", "-B1", path], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


def stored_bytes(path: Path) -> int:
    """Sum of the lengths of the files below *path*; 0 where it does not exist."""
    return sum(
        os.lstat(os.path.join(directory, name)).st_size for directory, _, names in os.walk(path) for name in names
    )


def free_bytes(path: Path) -> int:
    """Free bytes of the file system, after everything pending was written."""
    os.sync()
    return os.statvfs(path).f_bavail * os.statvfs(path).f_frsize
