"""Work for helper processes in tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvtool.errors import IntegrityError


@contextmanager
def doubling(setup: Any) -> Iterator[Callable[[Any], Any]]:
    """Doubles numbers; *setup* is a directory in which each helper says how it ended."""
    ending = Path(os.fsdecode(setup)) / str(os.getpid())

    def work(job: Any) -> Any:
        if job == "wrong":
            raise IntegrityError("it is wrong", path=b"a/b", hint="look", causes=(IntegrityError("inner"),))
        if job == "die":
            os._exit(9)
        if job == "print":
            print("not an answer")
        if job == "pid":
            return os.getpid()
        return job * 2

    try:
        yield work
    except BaseException:
        ending.write_text("given up")
        raise
    ending.write_text("finished")
    if (ending.parent / "fail").exists():
        raise IntegrityError("failed at the end")


@contextmanager
def fd_reader(setup: Any) -> Iterator[Callable[[Any], Any]]:
    """Reads from an inherited descriptor."""
    yield lambda job: os.pread(setup, job, 0)
