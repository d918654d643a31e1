"""What this process starts, connects to and opens while it is watched, by Python's own audit events."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_seen: list[str] | None = None
_outside = ""
_installed: list[bool] = []
_STARTS = frozenset({"os.exec", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn", "os.startfile"})
_RUNS_TEXT = frozenset({"pickle.find_class", "ctypes.call_function"})


@contextmanager
def watched(outside: str) -> Iterator[list[str]]:
    """A list that fills with what must not happen: another program than git, a connection, a file of *outside*."""
    global _seen, _outside  # noqa: PLW0603
    if not _installed:
        sys.addaudithook(_hook)  # It stays until the process ends.
        _installed.append(True)
    _seen, _outside = [], outside
    try:
        yield _seen
    finally:
        _seen = None


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _seen is None:
        return
    if event == "subprocess.Popen":
        program = os.fsdecode(args[0])
        if os.path.basename(program) != "git" and not _is_helper(program, args[1]):
            _seen.append(f"started {program}")
    elif event == "socket.connect":
        _seen.append(f"connected to {args[1]}")
    elif event in _STARTS or event in _RUNS_TEXT:
        _seen.append(f"{event} {args[0]!r}"[:200])
    elif event == "open" and isinstance(args[0], (str, bytes)) and os.fsdecode(args[0]).startswith(_outside):
        _seen.append(f"opened {os.fsdecode(args[0])}")


def _is_helper(program: str, argv: Any) -> bool:
    """A helper process of dvtool itself, which looks for modules where this process does and nowhere else."""
    return program == sys.executable and argv[2].startswith("import sys; sys.path[:] = sys.argv[1:]; ")
