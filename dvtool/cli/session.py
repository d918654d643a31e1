"""One run of the command line: what the verbs get instead of globals."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING
from typing import BinaryIO
from typing import TextIO

from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.ui.terminal import Paint
from dvtool.ui.terminal import When
from dvtool.ui.terminal import is_dumb
from dvtool.ui.terminal import use_color
from dvtool.ui.text import safe

if TYPE_CHECKING:
    from dvtool.project.environment import Environment
    from dvtool.project.open import Project
    from dvtool.ui.progress import Mode
    from dvtool.ui.progress import ProgressReporter


_IN_A_STAGE_SECONDS = 1.0


class OutputClosed(Exception):
    """Whoever read our standard output has gone (``dvtool list | head``)."""


class Session:
    """The outside world (streams, environment, directory) and the options that every verb has.

    ``cwd`` is absolute. ``asked_json`` is set as soon as ``--json`` was read.
    """

    def __init__(
        self,
        stdin: BinaryIO,
        out: TextIO,
        err: TextIO,
        environ: Mapping[str, str],
        cwd: bytes,
        argv: Sequence[str] = (),
    ) -> None:
        self.stdin = stdin
        self.out = out
        self.err = err
        self.environ = environ
        self.cwd = cwd
        self.argv = argv
        self.quiet = False
        self.verbose = False
        self.no_wait = False
        self.color: When = "auto"
        self.progress = not environ.get("DVTOOL_NO_PROGRESS")
        self.asked_json = False
        self.answered_json = False

    def enter(self, directory: bytes) -> None:
        """``--cd``: everything relative is meant below *directory* from now on."""
        target = os.path.normpath(os.path.join(self.cwd, directory))
        if not os.path.isdir(target):
            raise UsageError(f"--cd: {os.fsdecode(directory)} is not a directory", path=directory)
        self.cwd = target

    @cached_property
    def environment(self) -> Environment:
        """The outside world as the core sees it."""
        from dvtool.cli.shown import shown_command
        from dvtool.disk.lock import Waiting
        from dvtool.project.environment import Environment

        home = self.environ.get("HOME") or os.path.expanduser("~")
        # A stage's command would wait for ever for the run that it is a part of.
        most = _IN_A_STAGE_SECONDS if "DVTOOL_STAGE" in self.environ else None
        waiting = Waiting(0.0 if self.no_wait else most, self.note)
        return Environment(self.environ, os.fsencode(home), self.cwd, shown_command(self.argv), waiting=waiting)

    def project(self, overrides: Mapping[str, str] | None = None) -> Project:
        """The project around the current directory; raises `NotInRepository`. *overrides*: settings from flags."""
        from dvtool.project.open import open_project

        return open_project(self.cwd, self.environment, overrides)

    @cached_property
    def reporter(self) -> ProgressReporter:
        """Progress and notes, on standard error."""
        from dvtool.ui.progress import ProgressReporter

        bar = self.err.isatty() and not is_dumb(self.environ) and not self.environ.get("CI")
        mode: Mode = "off" if not self.progress else "bar" if bar else "lines"
        return ProgressReporter(self.err, time.monotonic, mode, quiet=self.quiet)

    def read_paths(self) -> tuple[bytes, ...]:
        """``--stdin``: paths from standard input, one a line, or ended by NUL if there is one in it."""
        data = self.stdin.read()
        return tuple(path for path in data.split(b"\0" if b"\0" in data else b"\n") if path)

    def line(self, text: str = "") -> None:
        """A line of the result, made safe; shown under ``--quiet`` too, since it was asked for."""
        self.lines((safe(text),))

    def lines(self, lines: Iterable[str]) -> None:
        """Lines of the result as they are: names must have gone through `dvtool.model.paths.show`."""
        try:
            for line in lines:
                self.out.write(line + "\n")
        except BrokenPipeError as error:
            raise OutputClosed from error

    def raw(self, data: bytes) -> None:
        """Bytes that a command of the user's own has printed, as they are."""
        stream = getattr(self.out, "buffer", None)
        try:
            if stream is None:
                self.out.write(data.decode("utf-8", "replace"))
            else:
                self.out.flush()
                stream.write(data)
                stream.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error

    def path(self, path: bytes) -> None:
        """One path as a line: escaped on a terminal, byte for byte into a pipe."""
        raw = None if self.out.isatty() else getattr(self.out, "buffer", None)
        if raw is None:
            self.lines((show(path),))
            return
        try:
            self.out.flush()
            raw.write(path + b"\n")
        except BrokenPipeError as error:
            raise OutputClosed from error

    def summary(self, text: str) -> None:
        """What was done, on standard output; silent under ``--quiet``."""
        if not self.quiet:
            self.line(text)

    def note(self, text: str) -> None:
        """A remark on standard error; silent under ``--quiet``."""
        if not self.quiet:
            self.reporter.note(text)

    def ask(self, question: str, about: Iterable[str]) -> bool:
        """Show *about* on standard error, under ``--quiet`` too, and wait for the answer; anything but yes is no."""
        for line in about:
            self.reporter.print(safe(line))
        self.reporter.print(f"{safe(question)} [y/N]")
        return self.stdin.readline().strip().lower() in (b"y", b"yes")

    def warn(self, text: str, *, hint: str | None = None) -> None:
        """A warning on standard error, with the next step; silent under ``--quiet``."""
        if not self.quiet:
            self.reporter.print(f"{self.err_paint('warning:', 'yellow', 'bold')} {safe(text)}")
            if hint is not None:
                self.reporter.print(f"{self.err_paint('hint:', 'cyan')} {safe(hint)}")

    def json(self, schema: str, payload: object) -> None:
        """The result as one JSON document; *schema* is ``status/1``."""
        from dvtool.ui.jsonout import emit

        try:
            emit(self.out, schema, payload)
        except BrokenPipeError as error:
            raise OutputClosed from error
        self.answered_json = True

    @property
    def paint(self) -> Paint:
        """Colours for standard output."""
        return Paint(use_color(self.color, self.environ, is_tty=self.out.isatty()))

    @property
    def err_paint(self) -> Paint:
        """Colours for standard error."""
        return Paint(use_color(self.color, self.environ, is_tty=self.err.isatty()))

    def close(self) -> None:
        """Flush, and take a progress bar from the screen."""
        if "reporter" in self.__dict__:
            self.reporter.close()
        try:
            self.out.flush()
        except BrokenPipeError as error:
            raise OutputClosed from error
