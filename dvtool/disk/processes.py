"""Commands as process groups that end with whoever started them.

A guard, a small shell of its own, hears of every command: each one tells it its number before it becomes the command
proper. When the starter is gone, killed or not, the pipe between them ends, and the guard ends what still runs. Until
the last command has told its number it holds the other end of that pipe, so none is missed. On every POSIX system.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from collections.abc import Sequence
from queue import Empty
from queue import SimpleQueue
from types import TracebackType
from typing import NamedTuple

_SHELL = b"/bin/sh"
_STEPS = ((signal.SIGINT, 1.0), (signal.SIGTERM, 1.6), (signal.SIGKILL, 10.0))
"""How all are ended: each signal, and the seconds from the first one on that are waited for then."""
_LIMIT = 'ulimit -d "$2" || exit 126; '
_START = 'echo "+ $$" >&0; cd -- "$1" || exit 126; {limit}shift 2; exec "$@" </dev/null'
_GUARD = """\
trap '' INT TERM HUP QUIT
all=
while read -r sign number; do
  case $sign in
  +) all="$all $number" ;;
  -) left=; for each in $all; do [ "$each" = "$number" ] || left="$left $each"; done; all=$left ;;
  esac
done
[ -n "$all" ] || exit 0
for sign in TERM KILL; do
  for each in $all; do kill -s $sign -- "-$each" 2>/dev/null; done
  for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    left=; for each in $all; do kill -s 0 -- "-$each" 2>/dev/null && left="$left $each"; done
    [ -n "$left" ] || exit 0
    sleep 0.1
  done
done
"""
_DEFAULTS = tuple(getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name))
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


class Command(NamedTuple):
    """What to start: ``words`` through no shell, in ``directory``, which is absolute. ``output``: a descriptor, and
    ``errors`` another one where what goes wrong is to be told there.

    ``data_limit``: bytes of its own memory that each process may have; only Linux holds them to it.
    """

    words: Sequence[bytes]
    directory: bytes
    environ: Mapping[bytes, bytes]
    output: int
    data_limit: int | None = None
    errors: int | None = None


class Ended(NamedTuple):
    """``number`` as `Processes.start` gave it. ``code``: below zero for a signal. ``peak``: most bytes in memory."""

    number: int
    code: int
    peak: int


class Processes:
    """A context manager; at its end nothing that was started here is still running.

    *keeps_open*: a descriptor that stays open until all has ended, even if this process is killed: a lock, say.
    """

    def __init__(self, *, keeps_open: int | None = None) -> None:
        self._keeps_open = keeps_open
        self._guard = 0
        self._pipe = -1
        self._running: set[int] = set()
        self._ended: SimpleQueue[Ended] = SimpleQueue()

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop_all()
        finally:
            if self._pipe >= 0:
                os.close(self._pipe)
                self._pipe = -1
                os.waitpid(self._guard, 0)

    def start(self, command: Command) -> int:
        """Start it; its number, which is that of its process group too. Raises ``OSError``."""
        if self._pipe < 0:
            self._start_guard()
        limit = b"" if command.data_limit is None else b"%d" % (command.data_limit >> 10)
        script = _START.format(limit=_LIMIT if limit else "").encode("ascii")
        number = os.posix_spawn(
            _SHELL,
            [_SHELL, b"-c", script, b"dvtool", command.directory, limit, *command.words],
            command.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, self._pipe, 0),
                (os.POSIX_SPAWN_DUP2, command.output, 1),
                (os.POSIX_SPAWN_DUP2, command.output if command.errors is None else command.errors, 2),
            ],
            setpgroup=0,
            setsigmask=(),
            setsigdef=_DEFAULTS,
        )
        self._running.add(number)
        # A `Thread` would be waited for until it has come up: 2 ms on a busy machine.
        _thread.start_new_thread(self._wait, (number,))
        return number

    def wait(self, timeout: float | None) -> Ended | None:
        """The next one that ended; None when *timeout* seconds have passed."""
        try:
            ended = self._ended.get(timeout=timeout)
        except Empty:
            return None
        self._running.discard(ended.number)
        with contextlib.suppress(OSError):
            os.write(self._pipe, b"- %d\n" % ended.number)
        return ended

    def signal(self, number: int, signal_number: int) -> None:
        """Send it to all of the group of a command that has not been waited for."""
        if number in self._running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(number, signal_number)

    def stop_all(self) -> None:
        """End all within 2 seconds: as Ctrl-C does, then politely, then by force."""
        began = time.monotonic()
        for signal_number, until in _STEPS:
            for number in self._running:
                self.signal(number, signal_number)
            while self._running and (left := began + until - time.monotonic()) > 0:
                ended = self.wait(left)
                if ended is not None:
                    # What its leader left behind has had its word, too.
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(ended.number, signal.SIGKILL)

    def _start_guard(self) -> None:
        reading, writing = os.pipe()
        actions: list[tuple[int, ...]] = [
            (os.POSIX_SPAWN_DUP2, reading, 0),
            (os.POSIX_SPAWN_OPEN, 1, b"/dev/null", os.O_WRONLY, 0),  # type: ignore[list-item]
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        if self._keeps_open is not None:
            actions.append((os.POSIX_SPAWN_DUP2, self._keeps_open, 3))
        try:
            self._guard = os.posix_spawn(
                _SHELL,
                [_SHELL, b"-c", _GUARD.encode("ascii")],
                {b"PATH": b"/usr/bin:/bin"},
                file_actions=actions,
                setpgroup=0,
                setsigmask=(),
            )
        except OSError:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        self._pipe = writing

    def _wait(self, number: int) -> None:
        _, status, usage = os.wait4(number, 0)
        self._ended.put(Ended(number, os.waitstatus_to_exitcode(status), usage.ru_maxrss * _PEAK_UNIT))
