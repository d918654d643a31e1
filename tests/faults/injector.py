"""Runs command lines that are killed, or whose calls fail, at a chosen change of the file system."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from tests.support import servers

HERE = Path(__file__).parent

_SPACE, _CHANGE, _REMOVE, _SYNC, _WRITE, _OPENS = 1, 2, 4, 8, 16, 32
_ALL = _SPACE | _CHANGE | _REMOVE | _SYNC | _WRITE


class Fault(NamedTuple):
    """What happens, and to which classes of calls. The numbers are those of ``shim.c``."""

    name: str
    mode: int
    error: int
    classes: int

    @property
    def kills(self) -> bool:
        return self.mode in (1, 2)


NONE = Fault("none", 0, 0, _ALL)
KILL = Fault("kill", 1, 0, _ALL)
"""The process ends before the call."""
TORN = Fault("torn", 2, 0, _WRITE)
"""The process ends when half of a write is done."""
FULL = Fault("full", 4, errno.ENOSPC, _SPACE | _WRITE)
"""From this call on, nothing that takes space works."""
BROKEN = Fault("broken", 3, errno.EIO, _ALL)
"""This one call fails."""
READ_ONLY = Fault("read-only", 4, errno.EROFS, _ALL & ~_SYNC)
"""From this call on, nothing can be changed."""
OUT_OF_FILES = Fault("out of files", 4, errno.EMFILE, _OPENS)
"""From this call on, no file can be opened, not even for reading."""
FAULTS = (KILL, TORN, FULL, BROKEN, READ_ONLY, OUT_OF_FILES)


@dataclass(frozen=True)
class Outcome:
    """How a command ended. ``code`` is negative for a signal; ``count``: calls of the fault's classes; ``fired``:
    how many of them failed, the first of them ``call`` on ``path``. ``rewritten``: a call that would change an object
    that had its name already; there must never be one.
    """

    code: int
    count: int
    fired: int
    call: str
    path: str
    rewritten: str
    out: str
    err: str


class Injector:
    """A context manager around one fork server; see `tests.faults.forkserver`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: subprocess.Popen[str] | None = None

    def __enter__(self) -> Injector:
        shim = compiled(self._folder)
        environ = {**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(HERE.parent.parent)}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forkserver"],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()

    def run(
        self,
        argv: tuple[str, ...],
        cwd: Path,
        *,
        below: Path,
        fault: Fault = NONE,
        at: int = 0,
        environ: Mapping[str, str] | None = None,
        seconds: float = 0.0,
        log: Path | None = None,
    ) -> Outcome:
        """Run ``dvtool *argv*`` in *cwd*; the *at*-th change below *below* meets *fault*.

        After *seconds*, if any, it is killed wherever it is. Into *log* go the changes that it makes.
        """
        assert self._server is not None
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        out, err = self._folder / "out", self._folder / "err"
        request = {
            "argv": argv,
            "cwd": str(cwd),
            "out": str(out),
            "err": str(err),
            "below": os.path.realpath(below),
            "environ": dict(environ or {}),
            "at": at,
            "mode": fault.mode,
            "error": fault.error,
            "classes": fault.classes,
            "seconds": seconds,
            "log": None if log is None else str(log),
        }
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        return Outcome(**answer, out=_text(out), err=_text(err))


def compiled(folder: Path) -> Path:
    """The shim as a library in *folder*. Skips the test where that cannot be had."""
    if sys.platform != "linux":
        servers.unavailable("calls can be made to fail on Linux only")
    compiler = shutil.which("cc")
    if compiler is None:
        servers.unavailable("there is no C compiler (cc) for the fault injection shim")
    library = folder / "shim.so"
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", library, HERE / "shim.c", "-ldl", "-pthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        servers.unavailable(f"the fault injection shim does not compile here: {done.stderr}")
    return library


def _text(path: Path) -> str:
    return path.read_text("utf-8", "backslashreplace") if path.exists() else ""
