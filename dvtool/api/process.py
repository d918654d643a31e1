"""The process as the core sees it, for callers that have no place to say so: notebooks, pandas, fsspec."""

from __future__ import annotations

import os
from dataclasses import replace

from dvtool.project.environment import Environment
from dvtool.project.open import Project
from dvtool.project.open import open_project


def environment() -> Environment:
    """Environment variables, home and current directory of this process, as they are now."""
    home = os.environ.get("HOME") or os.path.expanduser("~")
    return Environment(dict(os.environ), os.fsencode(home), os.getcwdb())


def open_here(path: str | os.PathLike[str] = ".") -> Project:
    """The project at or above *path*, as the command line would open it there. Raises as `open_project`."""
    around = environment()
    start = os.path.join(around.cwd, os.fsencode(path))
    return open_project(start, replace(around, cwd=os.path.abspath(start)))
