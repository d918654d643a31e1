"""What every message passes on its way to a person."""

from __future__ import annotations

from dvtool.model.paths import show
from dvtool.remote.redact import redact


def safe(text: str) -> str:
    """*text* without secrets and without anything that a terminal might obey; line feeds stay."""
    return "\n".join(show(_encoded(line)) for line in redact(text).split("\n"))


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")
