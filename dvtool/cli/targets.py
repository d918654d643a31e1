"""Targets as the user may give them: words, patterns, standard input."""

from __future__ import annotations

import glob
import os

from dvtool.cli.session import Session
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.model.paths import show


def expand(session: Session, targets: tuple[bytes, ...], *, use_glob: bool, from_stdin: bool) -> tuple[bytes, ...]:
    """All targets, patterns expanded in the current directory. Raises `UsageError` when there are none."""
    words = list(targets)
    if from_stdin:
        words += session.read_paths()
    if use_glob:
        words = [found for pattern in words for found in _matches(session, pattern)]
    if not words:
        raise UsageError("no targets given", hint="name at least one file or directory")
    return tuple(words)


def _matches(session: Session, pattern: bytes) -> list[bytes]:
    found = sorted(glob.glob(pattern, root_dir=session.cwd, recursive=True))
    files = [path for path in found if not os.path.isdir(os.path.join(session.cwd, path))]
    if not found:
        raise MissingData(f"nothing matches {show(pattern)}", path=pattern)
    return files or found
