"""The exit codes, the same for every verb. The page is ``docs/reference/exit-codes.md``."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.errors import DvtoolError

DONE = 0
FAILED = 1
USAGE = 2
INTERRUPTED = 130
OUTPUT_CLOSED = 141
TERMINATED = 143

BY_KIND = {
    "failed": FAILED,
    "usage": USAGE,
    "integrity": 3,
    "missing": 4,
    "locked": 5,
    "unsafe": 6,
    "storage": 7,
    "stage": 8,
    "config": 9,
    "format": 9,
    "no-repository": 10,
}

# When several things went wrong at once: the first of these that is among them.
_STRONGEST = (3, 6, 4, 7, 8, 9, 5, 10, 2, 1)

MEANINGS = {
    "0": "done",
    "1": "failed; or there are differences and --exit-code asked",
    "2": "the command line is wrong",
    "3": "bytes are not what their name says",
    "4": "data is missing",
    "5": "locked by another process, or timed out",
    "6": "unsafe input was refused",
    "7": "disk, space, network or credentials",
    "8": "a stage failed",
    "9": "a config file, a setting or a file format is wrong",
    "10": "not in a repository",
    "130, 143": "stopped by Ctrl-C, by SIGTERM",
}


def exit_code(error: BaseException) -> int:
    """The number for an error; one with causes takes the strongest among its own and theirs."""
    found = set(_codes(error))
    return next(code for code in _STRONGEST if code in found)


def _codes(error: BaseException) -> Iterator[int]:
    if isinstance(error, DvtoolError):
        # "failed" only gathers others and says nothing of its own.
        if error.kind != "failed" or not error.causes:
            yield BY_KIND[error.kind]
        for cause in error.causes:
            yield from _codes(cause)
    elif isinstance(error, OSError):
        yield BY_KIND["storage"]
    else:
        yield FAILED
