"""What an fsspec file system says about a path, as `RemoteItem`."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from dvtool.errors import StorageError
from dvtool.model.ports import RemoteItem

_TIME_FIELDS = ("mtime", "LastModified", "last_modified", "modified", "updated", "modify", "last_write_time", "created")
_COMPACT = re.compile(r"(\d{14})(?:\.\d+)?", re.ASCII)


def item_of(key: str, info: dict[str, Any]) -> RemoteItem:
    """Raises `StorageError` where the size is not stated."""
    size = info["size"]
    if size is None:
        raise StorageError(f"the server does not state the size of {key}")
    tag = info.get("ETag") or info.get("etag")
    return RemoteItem(key, int(size), modified_of(info), None if tag is None else str(tag))


def modified_of(info: dict[str, Any]) -> float | None:
    """When it was written, in Unix seconds; times without a zone are UTC."""
    for field in _TIME_FIELDS:
        value = info.get(field)
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, dt.datetime):
            aware = value if value.tzinfo is not None else value.replace(tzinfo=dt.timezone.utc)
            return aware.timestamp()
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return None


def _parsed(text: str) -> dt.datetime | None:
    try:
        if compact := _COMPACT.fullmatch(text):
            return dt.datetime.strptime(compact[1], "%Y%m%d%H%M%S").replace(tzinfo=dt.timezone.utc)
        return dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
