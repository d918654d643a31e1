"""Trying a remote: what works there, how fast, what it lacks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from dvtool.disk.folders import make_folders
from dvtool.errors import storage_error
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.parts import address_of
from dvtool.remote.conformance.trial import Asked
from dvtool.remote.conformance.trial import Trial
from dvtool.remote.conformance.trial import try_remote

__all__ = ["RemoteTestRequest", "remote_test"]


@dataclass(frozen=True, slots=True)
class RemoteTestRequest:
    """``name`` None is the default remote. ``clock``: seconds that only go up. ``size``: bytes of a large value;
    ``keys``: of the long listing, None: so many that they take a minute, 3,000 at most."""

    clock: Callable[[], float]
    name: str | None = None
    size: int = Asked().large
    keys: int | None = None


def remote_test(project: Project, request: RemoteTestRequest, reporter: Reporter = SILENT) -> Trial:
    """Run the conformance suite in a corner of the remote, which is emptied again.

    Raises what the first request meets: `AccessDenied`, `StorageError`, `ConfigError`; and
    `MissingData` for a remote that only reads and holds nothing.
    """
    address = address_of(project, request.name)
    folder = os.path.join(project.layout.state_dir, b"selftest-%d" % os.getpid())
    try:
        make_folders(folder)
    except OSError as error:
        raise storage_error(error, "create", folder) from error
    try:
        return try_remote(address, Asked(request.size, request.keys), folder, request.clock, reporter)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
