"""Finding the project that a directory belongs to."""

from __future__ import annotations

import os

from dvtool.errors import NotInRepository

MARKER = b".dvtool"


def find_root(start: bytes) -> bytes:
    """The nearest directory at or above *start* with a ``.dvtool`` directory in it, links resolved.

    Raises `NotInRepository`.
    """
    directory = os.path.realpath(start)
    while True:
        if is_root(directory):
            return directory
        parent = os.path.dirname(directory)
        if parent == directory:
            raise NotInRepository(
                f"{os.fsdecode(start)} is not inside a dvtool project",
                path=start,
                hint="`dvtool init` makes one at the top of a Git repository",
            )
        directory = parent


def is_root(directory: bytes) -> bool:
    """Whether a project begins here. A symbolic link named ``.dvtool`` does not count."""
    marker = os.path.join(directory, MARKER)
    return os.path.isdir(marker) and not os.path.islink(marker)
