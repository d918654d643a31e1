"""JSON documents with long lists in them, written one item a line, so that a million need no memory."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from json import JSONEncoder

from dvtool.ui.jsonout import jsonable

_encode = JSONEncoder(separators=(",", ":")).encode


def document_lines(
    schema: str, head: Mapping[str, object], lists: Iterable[tuple[str, Iterable[Mapping[str, object]]]]
) -> Iterator[str]:
    """The lines of one document: *head*, then each list by name. Items hold paths as bytes, under ``*path`` keys."""
    start = "{" + _encode({"schema": f"dvtool/{schema}", **jsonable(head)})[1:-1]
    for name, items in lists:
        yield f"{start},{_encode(name)}:["
        before = ""
        for item in items:
            if before:
                yield before + ","
            before = _item(item)
        if before:
            yield before
        start = "]"
    yield start + "}"


def _item(item: Mapping[str, object]) -> str:
    path = item["path"]
    if isinstance(path, bytes):
        try:
            # The common case, three times as fast as looking at every value.
            return _encode({**item, "path": path.decode("utf-8")})
        except (UnicodeDecodeError, TypeError):
            pass
    return _encode(jsonable(item))
