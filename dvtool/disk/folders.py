"""Folders that several users share."""

from __future__ import annotations

import contextlib
import os
import stat

from dvtool.disk.durable import fsync_dir

_SHARED = stat.S_ISGID | stat.S_IWGRP


def make_folders(path: bytes) -> None:
    """Create *path* with its parents. Below a folder that a group shares each is shared with it, whatever the umask.

    Raises ``OSError``.
    """
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:
        make_folders(parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
        mode = os.stat(parent or b".").st_mode
        if mode & _SHARED == _SHARED:
            with contextlib.suppress(PermissionError):
                os.chmod(path, stat.S_IMODE(mode))
    # The first of all folders of a clone may be made here: the cache below it must not be lost with its name.
    fsync_dir(parent or b".")
