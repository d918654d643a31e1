"""The commands of stages: what is started for them, one after the other, within their time."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_all
from dvtool.disk.processes import Command
from dvtool.disk.processes import Processes
from dvtool.errors import storage_error
from dvtool.pipeline.types import Stage

TERM_SECONDS = 5.0
"""A stage that has run out of time has so long to end by itself."""
_QUIET_SHELLS = {"bash": ("--noprofile", "--norc"), "zsh": ("--no-rcs",)}


class Finished(NamedTuple):
    """All commands of a stage ended well, or one did not: ``code`` is its exit status, below zero for a signal.

    ``problem``: why it could not be started. ``peak``: the most bytes that one of its processes had in memory.
    """

    address: str
    code: int
    timed_out: bool
    seconds: float
    peak: int
    problem: str = ""


@dataclass(slots=True)
class _Running:
    stage: Stage
    log: int
    started: float
    commands: list[tuple[str, ...]]
    environ: Mapping[str, str]
    number: int = 0
    peak: int = 0
    timed_out: bool = False
    deadline: float | None = None


class _Later(NamedTuple):
    when: float
    stage: Stage
    log: bytes
    environ: Mapping[str, str]


class Runner:
    """Runs stages in *root*, each into its log, with *environ* and what the stage adds to it."""

    def __init__(
        self, root: bytes, environ: Mapping[str, str], processes: Processes, clock: Callable[[], float]
    ) -> None:
        self._root = root
        self._environ = environ
        self._encoded = {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}
        self._processes = processes
        self._clock = clock
        self._running: dict[str, _Running] = {}
        self._by_number: dict[int, str] = {}
        self._later: list[_Later] = []
        self._not_started: list[Finished] = []

    @property
    def addresses(self) -> list[str]:
        """Stages that run, or that are to be tried again."""
        return [*self._running, *(later.stage.address for later in self._later)]

    def start(self, stage: Stage, log: bytes, *, after: float = 0.0, environ: Mapping[str, str] = {}) -> None:
        """Start it in *after* seconds; what it prints is appended to the file *log*. Raises `StorageError`.

        *environ*: further variables, which those of the stage itself go before.
        """
        if after > 0:
            self._later.append(_Later(self._clock() + after, stage, log, environ))
            return
        try:
            make_dirs(os.path.dirname(log), 0o700)
            fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise storage_error(error, "write", log) from error
        started = self._clock()
        running = _Running(stage, fd, started, words_of(stage, self._environ), environ)
        running.deadline = None if stage.timeout is None else started + stage.timeout
        self._running[stage.address] = running
        self._next(running)

    def wait(self, timeout: float | None) -> Finished | None:
        """The next stage that is through; None when *timeout* seconds have passed."""
        until = None if timeout is None else self._clock() + timeout
        while not self._not_started:
            self._start_those_due()
            ended = self._processes.wait(self._patience(until))
            if ended is not None:
                finished = self._ended(ended.number, ended.code, ended.peak)
                if finished is not None:
                    return finished
                continue
            now = self._clock()
            self._stop_late(now)
            if until is not None and now >= until:
                return None
        return self._not_started.pop(0)

    def forget_all(self) -> list[str]:
        """The processes were stopped from outside; the stages that were at work."""
        names = self.addresses
        for running in self._running.values():
            os.close(running.log)
        self._running.clear()
        self._later.clear()
        return names

    def _next(self, running: _Running) -> None:
        stage = running.stage
        words = running.commands.pop(0)
        memory = stage.resources.get("memory")
        command = Command(
            [os.fsencode(word) for word in words],
            os.path.join(self._root, stage.wdir),
            self._environment(running),
            running.log,
            None if memory is None else int(memory),
        )
        try:
            running.number = self._processes.start(command)
        except OSError as error:
            self._close(running)
            problem = f"cannot start it: {error.strerror or error}"
            self._not_started.append(Finished(stage.address, 126, False, 0.0, 0, problem))
            return
        self._by_number[running.number] = stage.address

    def _ended(self, number: int, code: int, peak: int) -> Finished | None:
        running = self._running[self._by_number.pop(number)]
        running.peak = max(running.peak, peak)
        if not code and running.commands and not running.timed_out:
            self._next(running)
            return None
        self._close(running)
        seconds = self._clock() - running.started
        code = code or (-signal.SIGTERM if running.timed_out else 0)
        return Finished(running.stage.address, code, running.timed_out, seconds, running.peak)

    def _close(self, running: _Running) -> None:
        os.close(running.log)
        del self._running[running.stage.address]

    def _patience(self, until: float | None) -> float | None:
        times = [running.deadline for running in self._running.values() if running.deadline is not None]
        times += [later.when for later in self._later]
        if until is not None:
            times.append(until)
        return max(0.0, min(times) - self._clock()) if times else None

    def _start_those_due(self) -> None:
        now = self._clock()
        due = [later for later in self._later if later.when <= now]
        self._later = [later for later in self._later if later.when > now]
        for later in due:
            self.start(later.stage, later.log, environ=later.environ)

    def _stop_late(self, now: float) -> None:
        for running in self._running.values():
            if running.deadline is None or now < running.deadline:
                continue
            if not running.timed_out:
                running.timed_out = True
                running.deadline = now + TERM_SECONDS
                text = f"dvtool: out of time after {running.stage.timeout:g} s\n"
                write_all(running.log, text.encode("ascii"))
                self._processes.signal(running.number, signal.SIGTERM)
            else:
                running.deadline = None
                self._processes.signal(running.number, signal.SIGKILL)

    def _environment(self, running: _Running) -> dict[bytes, bytes]:
        stage = running.stage
        own = {
            **running.environ,
            **stage.environment,
            "DVTOOL_ROOT": os.fsdecode(self._root),
            "DVTOOL_STAGE": stage.address,
        }
        return {**self._encoded, **{os.fsencode(name): os.fsencode(value) for name, value in own.items()}}


def words_of(stage: Stage, environ: Mapping[str, str]) -> list[tuple[str, ...]]:
    """What is started for each command in turn: the user's shell with the text, or the words as they are."""
    return [stage.argv] if stage.argv else [shell_words(command, environ) for command in stage.commands]


def shell_words(command: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The user's shell with a text for it, without what they have set up for their own prompt."""
    shell = environ.get("SHELL") or "/bin/sh"
    return (shell, *_QUIET_SHELLS.get(os.path.basename(shell).lower(), ()), "-c", command)
