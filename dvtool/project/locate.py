"""Finding the project that a directory belongs to."""

from __future__ import annotations

import os

from dvtool.errors import NotInRepository

MARKER = b".dvtool"
DVC_MARKER = b".dvc"
DVC_CONFIG = b".dvc/config"


def find_root(start: bytes) -> bytes:
    """The nearest directory at or above *start* where a project begins, ours or DVC's, links resolved.

    Raises `NotInRepository`.
    """
    directory = os.path.realpath(start)
    while True:
        if is_root(directory) or is_dvc_root(directory):
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


def is_dvc_root(directory: bytes) -> bool:
    """Whether a project of DVC begins here, which is read as it is. Ours goes before it."""
    marker = os.path.join(directory, DVC_MARKER)
    is_there = os.path.isdir(marker) and not os.path.islink(marker)
    return is_there and os.path.lexists(os.path.join(directory, DVC_CONFIG))


def is_foreign(root: bytes) -> bool:
    """Whether DVC alone knows the project at *root*; what a migration left of ours elsewhere in Git does not count."""
    if not is_dvc_root(root):
        return False
    return not os.path.lexists(os.path.join(root, MARKER, b"config"))
