"""A file about an unexpected error, fit to be attached to an issue."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import timezone

from dvtool import __version__
from dvtool.cli.shown import without_values
from dvtool.ui.text import safe


def write_report(argv: Sequence[str], error: BaseException, environ: Mapping[str, str]) -> str | None:
    """Write versions, command and traceback, secrets taken out, where only the user reads; its path, or None."""
    now = datetime.now(timezone.utc)
    name = f"bug-{now:%Y%m%d-%H%M%S}-{os.getpid()}.md"
    for directory in (_state_directory(environ), tempfile.gettempdir()):
        path = os.path.join(directory, name)
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(fd, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(report_text(argv, error))
        except OSError:
            continue
        return path
    return None


def report_text(argv: Sequence[str], error: BaseException) -> str:
    """Markdown, ready to paste."""
    details = safe("".join(traceback.format_exception(error))).rstrip()
    # Word by word: a secret that follows its option as a word of its own is taken out by name.
    command = safe(" ".join(without_values(argv)))
    return (
        f"### Bug in dvtool {__version__}\n\n"
        f"- command: `dvtool {command}`\n"
        f"- Python: {platform.python_version()} ({sys.executable})\n"
        f"- system: {platform.platform()}\n\n"
        f"```\n{details}\n```\n"
    )


def _state_directory(environ: Mapping[str, str]) -> str:
    base = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "dvtool")
