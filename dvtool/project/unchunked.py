"""Which paths hold large files that are not cut at their content: ``core.unchunked``."""

from __future__ import annotations

import os
from collections.abc import Callable

from dvtool.errors import ConfigError
from dvtool.project.config import Config
from dvtool.transfer.types import none_unchunked


def unchunked_paths(config: Config) -> Callable[[bytes], bool]:
    """Whether a path matches. Raises `ConfigError` for what is no pattern."""
    patterns = config.choices("core.unchunked")
    if not patterns:
        return none_unchunked
    from pathspec import GitIgnoreSpec

    try:
        spec = GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        raise ConfigError(
            f"core.unchunked holds what is no pattern as in .gitignore: {error}",
            hint="dvtool config core.unchunked '*.zip, backups/'",
        ) from None
    return lambda path: bool(spec.match_file(os.fsdecode(path)))
