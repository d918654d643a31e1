"""Paths as they are written in a definition, made relative to the project's root."""

from __future__ import annotations

import re

from dvtool.errors import UnsafeInput
from dvtool.formats.yamlmarked import Value
from dvtool.model.paths import check_path
from dvtool.model.paths import show
from dvtool.pipeline.definition.shapes import Reading

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_ORDINARY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}(/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}){0,16}")
"""Nearly every path: nothing in it to look at."""


def is_url(text: str) -> bool:
    return _URL.match(text) is not None


def resolve(text: str, base: bytes, value: Value, reading: Reading, *, may_be_root: bool = False) -> bytes:
    """*text* as a path from the root, seen from the directory *base*; links are not asked.

    Raises `UnsafeInput` where it leads out of the project or is no path that may stand in a text file, `ConfigError`
    where it is the root itself.
    """
    if _ORDINARY.fullmatch(text):
        return base + b"/" + text.encode("ascii") if base else text.encode("ascii")
    mark = reading.mark(value)
    where = f"{show(mark.file)}:{mark.line}:{mark.column}"
    try:
        raw = text.encode("utf-8")
    except UnicodeEncodeError:
        reading.refuse(value, f"{text!r} is no path")
    if raw.startswith(b"/"):
        raise UnsafeInput(
            f"{where}: {show(raw)} is an absolute path",
            path=reading.file,
            hint="paths in a definition are relative; depend on what lies outside the project through `url` or `cmd`",
        )
    parts = base.split(b"/") if base else []
    for name in raw.split(b"/"):
        if name == b"..":
            if not parts:
                raise UnsafeInput(f"{where}: {show(raw)} leads out of the project", path=reading.file)
            parts.pop()
        elif name not in (b"", b"."):
            parts.append(name)
    path = b"/".join(parts)
    if path:
        check_path(path, where)
    elif not may_be_root:
        reading.refuse(value, f"{text!r} is the whole project", "name the directory or file that is meant")
    return path
