"""Helper processes for work on many files: Python runs one thread at a time, the kernel serves many processes.

They are fresh interpreters, not forks: a fork of a process with threads may stop for ever. Jobs and
answers are plain values (numbers, bytes, tuples, lists) in `marshal` form, over pipes that nobody
else can open. Started for 20,000 files or so: a process takes 0.1 s to come up.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import IO
from typing import Any

import dvtool.errors
from dvtool.disk import _native
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError

_BOOT = "import sys; sys.path[:] = sys.argv[1:]; from dvtool.disk.crew import _main; _main()"
"""Until its paths are set, the working directory is one of them: nothing may be imported before."""
_IN_FLIGHT = 4
"""Jobs given to a helper before its first answer is there: one in work, the others on their way."""
_PATIENCE = 2.0
"""Seconds that a helper has to give up what it did; what it leaves then is swept like that of any killed command."""
_GONE = ("StorageError", ("a helper process ended before its work was done", None, "run the same command again", ()))

Work = Callable[[Any], Any]
"""What a helper does with each job; closed as a context manager when there are no more."""


class Crew:
    """*count* helpers, each of which calls ``TARGET(setup)`` for a context manager that yields its `Work`.

    *target* is ``module:function``. *inherited* are descriptors that exist in the helpers under the
    same numbers. One thread may use a crew, which must be closed. Raises ``OSError`` where no process can be started.
    """

    def __init__(self, target: str, setup: Any, count: int, *, inherited: tuple[int, ...] = ()) -> None:
        self._answers: dict[int, tuple[str, Any]] = {}
        self._changed = threading.Condition()
        self._next = 0
        self._helpers = []
        try:
            for _ in range(count):
                self._helpers.append(_Helper(target, setup, inherited, self._answered))
        except OSError:
            # Without a process for each, those that came up do it; without any, the caller does.
            if not self._helpers:
                raise

    def close(self) -> None:
        """End the helpers; without `finish` they give up what they did."""
        for helper in self._helpers:
            helper.stop()

    def submit(self, job: Any) -> int:
        """Give *job* to the helper with the least to do; waits while all are busy. Returns a ticket."""
        ticket, self._next = self._next, self._next + 1
        with self._changed:
            while (helper := min(self._helpers, key=_load)).load >= _IN_FLIGHT:
                self._changed.wait()
            helper.load += 1
        helper.send((ticket, job))
        return ticket

    def is_ready(self, ticket: int) -> bool:
        """Whether `result` would return at once."""
        return ticket in self._answers

    def result(self, ticket: int) -> Any:
        """The answer to a job, once. Raises the `DvtoolError` that the helper met."""
        with self._changed:
            while ticket not in self._answers:
                self._changed.wait()
            kind, value = self._answers.pop(ticket)
        if kind:
            raise _error(kind, value)
        return value

    def finish(self) -> None:
        """No more jobs: each helper closes its work. Raises what one of them met."""
        for helper in self._helpers:
            helper.send(None)
        problems = [problem for helper in self._helpers if (problem := helper.end()) is not None]
        if problems:
            raise _error(*problems[0])

    def _answered(self, helper: _Helper, answers: list[tuple[int, str, Any]]) -> None:
        with self._changed:
            for ticket, kind, value in answers:
                self._answers[ticket] = (kind, value)
                helper.load -= 1
            self._changed.notify_all()


def _load(helper: _Helper) -> int:
    return helper.load


class _Helper:
    """One process, and the thread that takes its answers."""

    def __init__(
        self,
        target: str,
        setup: Any,
        inherited: tuple[int, ...],
        answered: Callable[[_Helper, list[tuple[int, str, Any]]], None],
    ) -> None:
        self.load = 0
        self._guard = threading.Lock()
        self._open: set[int] = set()
        self._is_gone = False
        self._last: tuple[str, Any] | None = _GONE
        self._answered = answered
        paths = [os.path.abspath(path) for path in sys.path]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, *paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=inherited,
        )
        self._thread = threading.Thread(target=self._listen, name="crew", daemon=True)
        self._thread.start()
        self.send((target, setup))

    def send(self, message: tuple[Any, Any] | None) -> None:
        """A job with its ticket, the setup, or None for the end."""
        if message is not None and isinstance(message[0], int):
            with self._guard:
                if not self._is_gone:
                    self._open.add(message[0])
            if self._is_gone:
                self._answered(self, [(message[0], *_GONE)])
        # A broken pipe is a helper that is gone: `_listen` answers for it.
        with contextlib.suppress(OSError):
            _write(_pipe(self._process.stdin), message)

    def end(self) -> tuple[str, Any] | None:
        """Wait until it has closed its work; what it met."""
        self._thread.join()
        return self._last

    def stop(self) -> None:
        with contextlib.suppress(OSError):
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        _pipe(self._process.stdout).close()

    def _listen(self) -> None:
        answers = _pipe(self._process.stdout)
        try:
            while True:
                ticket, kind, value = marshal.load(answers)  # noqa: S302 - from our own process
                if ticket is None:
                    self._last = (kind, value) if kind else None
                    return
                with self._guard:
                    self._open.discard(ticket)
                self._answered(self, [(ticket, kind, value)])
        except (EOFError, ValueError, TypeError, OSError):
            pass
        finally:
            self._give_up()

    def _give_up(self) -> None:
        with self._guard:
            self._is_gone = True
            lost, self._open = self._open, set()
        self._answered(self, [(ticket, *_GONE) for ticket in lost])


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


def _write(pipe: IO[bytes], value: Any) -> None:
    marshal.dump(value, pipe)
    pipe.flush()


def _error(kind: str, value: tuple[str, str | None, str | None, tuple[tuple[str, Any], ...]]) -> DvtoolError:
    message, path, hint, causes = value
    found = getattr(dvtool.errors, kind, StorageError)
    error: DvtoolError = found(message, path=path, hint=hint, causes=tuple(_error(*cause) for cause in causes))
    return error


def _described(error: BaseException) -> tuple[str, tuple[str, str | None, str | None, tuple[Any, ...]]]:
    if isinstance(error, DvtoolError):
        return type(error).__name__, (error.message, error.path, error.hint, tuple(map(_described, error.causes)))
    return "StorageError", (f"a helper process failed: {type(error).__name__}: {error}", None, None, ())


def _main() -> None:
    """A helper's whole life."""
    # Ctrl-C reaches all processes of a terminal: the one that was started decides, and closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _native.die_with_parent()
    # As the command itself has it: millions of small values, few cycles.
    gc.set_threshold(100_000, 20, 20)
    jobs, answers = os.fdopen(0, "rb", closefd=False), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    end: tuple[Any, ...] = (None, "", None)
    try:
        target, setup = marshal.load(jobs)  # noqa: S302
        module, _, name = target.partition(":")
        with getattr(import_module(module), name)(setup) as work:
            while (message := marshal.load(jobs)) is not None:  # noqa: S302
                ticket, job = message
                try:
                    answer = (ticket, "", work(job))
                except Exception as error:  # noqa: BLE001 - told to the one who asked
                    answer = (ticket, *_described(error))
                _write(answers, answer)
    except EOFError:
        # The command ended without a word: what was not finished is given up by `work`.
        os._exit(1)
    except Exception as error:  # noqa: BLE001
        end = (None, *_described(error))
    try:
        _write(answers, end)
    except BrokenPipeError:
        os._exit(1)
