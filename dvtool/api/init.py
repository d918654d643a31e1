"""Making a project."""

from __future__ import annotations

from dataclasses import dataclass

from dvtool.project.environment import Environment
from dvtool.project.init import InitResult
from dvtool.project.init import init_project

__all__ = ["InitRequest", "InitResult", "init"]


@dataclass(frozen=True, slots=True)
class InitRequest:
    """``directory`` is relative to the current directory. See `dvtool.project.init.init_project`."""

    directory: bytes = b"."
    no_scm: bool = False
    subdir: bool = False
    force: bool = False


def init(environment: Environment, request: InitRequest) -> InitResult:
    """Make a project and stage its files in Git. Raises `NotInRepository`, `UsageError`, `UnsafeInput`."""
    return init_project(
        request.directory, environment, no_scm=request.no_scm, subdir=request.subdir, force=request.force
    )
