"""Targets of verbs that move data: what tracked paths they mean, or what the user may have meant instead."""

from __future__ import annotations

import os

from dvtool.errors import DvtoolError
from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.project.open import Project
from dvtool.project.parts import relative_paths
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.selection import Selected
from dvtool.workspace.selection import select

_TAKE_REMOTE = ("push", "fetch")
_AFTER_GIT_CHECKOUT = {"checkout": "checkout", "fetch": "pull"}


def select_targets(project: Project, tracked: TrackedPaths, targets: tuple[bytes, ...], verb: str) -> list[Selected]:
    """As `select`, of paths as the user typed them. A name of a remote or of a revision is told to be one."""
    try:
        return select(tracked, relative_paths(project, targets))
    except UsageError as error:
        if verb in _TAKE_REMOTE:
            error.hint = _remote_meant(project, targets) or error.hint
        if verb in _AFTER_GIT_CHECKOUT:
            error.hint = _revision_meant(project, targets, _AFTER_GIT_CHECKOUT[verb]) or error.hint
        raise


def _remote_meant(project: Project, targets: tuple[bytes, ...]) -> str | None:
    names = project.config.remotes()
    meant = next((name for target in targets if (name := os.fsdecode(target)) in names), None)
    return None if meant is None else f"a remote is named by an option: -r {meant}"


def _revision_meant(project: Project, targets: tuple[bytes, ...], verb: str) -> str | None:
    if project.git is None:
        return None
    from dvtool.git.revisions import resolve

    for target in targets:
        try:
            resolve(project.git, os.fsdecode(target))
        except DvtoolError:
            continue
        return f"{show(target)} is a revision: git checkout {show(target)} && dvtool {verb}"
    return None
