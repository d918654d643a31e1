"""The process as the core sees it, for callers that have no place to say so: notebooks, pandas, fsspec."""

from __future__ import annotations

import os

from dvtool.project.environment import Environment


def environment() -> Environment:
    """Environment variables, home and current directory of this process, as they are now."""
    home = os.environ.get("HOME") or os.path.expanduser("~")
    return Environment(dict(os.environ), os.fsencode(home), os.getcwdb())
