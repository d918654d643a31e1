"""Removing what uploads that did not end have left on a remote."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from dvtool.errors import UsageError
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.ports import Unfinished
from dvtool.model.ports import Unfinishing
from dvtool.project.open import Project
from dvtool.project.parts import open_remote_of

__all__ = ["CleanupReport", "CleanupRequest", "remote_cleanup"]

DEFAULT_AGE = 86_400
"""No pack takes a day to upload."""


@dataclass(frozen=True, slots=True)
class CleanupRequest:
    """``remote`` None is the default one. ``older_than``: seconds; what began later may be under way, here or
    elsewhere. ``now``: Unix seconds by the caller's clock."""

    remote: str | None = None
    older_than: float = DEFAULT_AGE
    dry_run: bool = False
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """``removed``: what went, or would go; ``kept``: what is too young."""

    remote: str
    url: str
    removed: tuple[Unfinished, ...]
    kept: tuple[Unfinished, ...]


def remote_cleanup(project: Project, request: CleanupRequest, reporter: Reporter = SILENT) -> CleanupReport:
    """Remove half-finished uploads that began long enough ago. Objects are never touched: `gc --cloud` does that.

    Raises `UsageError` where the remote leaves nothing behind, `StorageError`, `AccessDenied`, `ConfigError`.
    """
    with closing(open_remote_of(project, request.remote)) as remote:
        if not isinstance(remote, Unfinishing) or not remote.capabilities.unfinished:
            raise UsageError(
                f"remote {remote.name}: uploads to {remote.url} leave nothing behind that could be listed",
                hint="there is nothing to clean up",
            )
        found = tuple(remote.unfinished())
        old = tuple(each for each in found if each.started <= request.now - request.older_than)
        if not request.dry_run:
            reporter.begin("removing", total=len(old), unit="uploads")
            try:
                for each in old:
                    remote.discard(each)
                    reporter.advance(1)
            finally:
                reporter.end()
        kept = tuple(each for each in found if each not in old)
        return CleanupReport(remote.name, remote.url, old, kept)
