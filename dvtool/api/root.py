"""Where the project begins."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.project.environment import Environment
from dvtool.project.locate import find_root


@dataclass(frozen=True, slots=True)
class RootResult:
    """The root, absolute, and the same relative to the current directory."""

    root: bytes
    relative: bytes


def root(environment: Environment) -> RootResult:
    """The root of the project around the current directory; raises `NotInRepository`."""
    found = find_root(environment.cwd)
    return RootResult(found, os.path.relpath(found, os.path.realpath(environment.cwd)))
