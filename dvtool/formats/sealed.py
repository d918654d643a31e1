"""Small JSON documents in one canonical line, with a checksum in front so that a flipped bit is seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from xxhash import xxh3_64_hexdigest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError

MAX_BYTES = 64 << 20
BYTES_PER_VALUE = 32
_MORE_VALUES = 64


def seal(kind: str, version: int, body: Mapping[str, Any]) -> bytes:
    """xxh3_64 of the text, a space, the text (ASCII, sorted keys, no spaces), a line feed."""
    text = json.dumps({"dvtool": kind, "version": version, **body}, sort_keys=True, separators=(",", ":"))
    return f"{xxh3_64_hexdigest(text.encode('ascii'))} {text}\n".encode("ascii")


def unseal(
    kind: str, version: int, data: bytes, where: str, *, bytes_per_value: int = BYTES_PER_VALUE
) -> dict[str, Any]:
    """The body of a document. Raises `FormatError`, also for a newer version, and `IntegrityError`."""
    if len(data) > MAX_BYTES:
        raise FormatError(f"{where}: larger than {MAX_BYTES} bytes")
    checksum, text = data[:16], data[17:-1]
    if data[16:17] != b" " or data[-1:] != b"\n" or not text.startswith(b"{"):
        raise FormatError(f"{where}: not a dvtool record")
    if xxh3_64_hexdigest(text).encode("ascii") != checksum:
        raise IntegrityError(f"{where}: does not match its checksum")
    # Commas bound the number of values: without this, 64 MB of `[],[],[]` take gigabytes of memory.
    if text.count(b",") > len(text) // bytes_per_value + _MORE_VALUES:
        raise FormatError(f"{where}: not a dvtool record")
    try:
        body: dict[str, Any] = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError):
        raise FormatError(f"{where}: not a dvtool record") from None
    if body.get("dvtool") != kind:
        raise FormatError(f"{where}: not a dvtool {kind} record")
    found = body.get("version")
    if isinstance(found, int) and found > version:
        raise FormatError(
            f"{where}: version {found} is newer than this dvtool reads ({version})", hint="upgrade dvtool"
        )
    return body


def check_form(encoded: bytes, data: bytes, where: str) -> None:
    """Raise `FormatError` unless *data* is what the writer writes.

    Catches unknown keys, another order, wrong types, old versions.
    """
    if encoded != data:
        raise FormatError(f"{where}: not in the one valid form")
