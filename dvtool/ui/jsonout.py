"""Results as JSON, each document with a named, versioned schema. The page is ``docs/reference/json.md``.

Names of files are bytes. A name that is UTF-8 stands as text. One that is not stands twice:
``"path"`` for reading, with U+FFFD for what is not UTF-8, and ``"path_bytes"`` with the exact
bytes in base64. So ``path_bytes``, where present, is the name; else ``path`` is.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import fields
from dataclasses import is_dataclass
from enum import Enum
from typing import Any
from typing import TextIO

from dvtool.errors import DvtoolError
from dvtool.model.digest import Digest


def emit(stream: TextIO, schema: str, payload: object) -> None:
    """Write one document; *schema* is ``status/1``. Payload: a mapping, a dataclass or a NamedTuple."""
    document = {"schema": f"dvtool/{schema}", **jsonable(payload)}
    indent = 2 if stream.isatty() else None
    separators = (",", ": ") if indent else (",", ":")
    stream.write(json.dumps(document, indent=indent, separators=separators) + "\n")


def jsonable(value: object) -> Any:
    """What `json` can write. Bytes may only stand under a name: in a mapping or in a field."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Digest):
        return str(value)
    if isinstance(value, DvtoolError):
        return {"message": value.message, "hint": value.hint}
    if is_dataclass(value) and not isinstance(value, type):
        return _named({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _named(value._asdict())
    if isinstance(value, Mapping):
        return _named(value)
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _named(items: Mapping[str, object]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in items.items():
        if isinstance(value, bytes):
            try:
                result[name] = value.decode("utf-8")
            except UnicodeDecodeError:
                result[name] = value.decode("utf-8", "replace")
                result[f"{name}_bytes"] = b64encode(value).decode("ascii")
        else:
            result[name] = jsonable(value)
    return result
