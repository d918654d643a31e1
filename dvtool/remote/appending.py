"""The rest of a value whose beginning is in a local file."""

from __future__ import annotations

import os

from dvtool.errors import storage_error
from dvtool.model.ports import Remote

_PART = 8 << 20


def append_rest(remote: Remote, key: str, path: bytes, size: int) -> None:
    """Append what the file *path* lacks of the value's *size* bytes. Raises as `Remote.get`; what came stays."""
    try:
        with open(path, "r+b") as target:
            start = target.seek(0, os.SEEK_END)
            while start < size:
                part = remote.get(key, start, min(_PART, size - start))
                target.write(part)
                target.flush()
                start += len(part)
    except OSError as error:
        raise storage_error(error, "write", path) from error
