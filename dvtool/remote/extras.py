"""Libraries that only some remotes need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dvtool.errors import ConfigError


def require(module: str, extra: str, remote: str) -> Any:
    """Import *module* of the optional dependencies *extra*; raises `ConfigError` with the line that installs it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"remote {remote}: needs {error.name}, which is not installed",
            hint=f"pip install 'dvtool[{extra}]'",
        ) from error
