"""A listing in words and as JSON, line by line as it comes."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.api.list import Listed
from dvtool.api.list import ListResult
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.ui.jsonlines import document_lines
from dvtool.ui.sizes import size
from dvtool.ui.terminal import Paint

_HASH_DIGITS = 12


def list_lines(
    result: ListResult, paint: Paint, *, sizes: bool = False, hashes: bool = False, tree: bool = False
) -> Iterator[str]:
    """One line for each path, relative to the base; as a *tree*, names indented by their depth."""
    skip = len(result.base) + 1 if result.base else 0
    for entry in result.entries:
        name = split(entry.path)[1] if tree else entry.path[skip:]
        text = _shown(name)
        if entry.kind == "directory":
            text = paint(text + "/", "cyan")
        elif entry.target:
            text += f" -> {show(entry.target)}"
        columns = ""
        if hashes:
            columns += f"{_digits(entry)}  "
        if sizes:
            columns += f"{'-' if entry.size is None else size(entry.size):>8}  "
        indent = "  " * (entry.depth - 1) if tree else ""
        yield f"{columns}{indent}{text}"


def _shown(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    # Nearly every name; the look at each character takes ten times as long.
    return text if text.isascii() and text.isprintable() else show(name)


def _digits(entry: Listed) -> str:
    digits = "-" if entry.digest is None else entry.digest.partition(":")[2][:_HASH_DIGITS]
    return digits.ljust(_HASH_DIGITS)


def json_lines(result: ListResult) -> Iterator[str]:
    """Schema list/1, one entry a line, as they come."""
    unread = ({"path": path, "why": error.message} for path, error in result.unread)
    yield from document_lines("list/1", {}, [("entries", map(_json, result.entries)), ("unread", unread)])


def _json(entry: Listed) -> dict[str, object]:
    document: dict[str, object] = {
        "path": entry.path,
        "kind": entry.kind,
        "tracked": entry.is_tracked,
        "size": entry.size,
        "files": entry.files,
        "digest": entry.digest,
        "executable": entry.executable,
    }
    if entry.target:
        document["target"] = entry.target
    return document
