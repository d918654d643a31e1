"""One entry of the run cache, version 1: see ``docs/formats/run-cache.md``."""

from __future__ import annotations

import json
import re
from typing import Any

from xxhash import xxh3_64_hexdigest

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import decode_lock
from dvtool.formats.lock import encode_block

VERSION = 1
MAX_BYTES = 4 << 20
KEY_DIGITS = 64

_HEAD = re.compile(rb"([0-9a-f]{64}) ([0-9a-f]{16}) (?=\{)", re.ASCII)
_TEXT_AT = KEY_DIGITS + 18


def encode_entry(key: str, stage: LockedStage) -> bytes:
    """The line of what a run of *key* read and wrote, with its line feed; how outputs are stored is left out."""
    block = json.loads(f"{{{encode_block('', stage._replace(storing={})).removesuffix(',')}}}")[""]
    text = json.dumps({**block, "version": VERSION}, sort_keys=True, separators=(",", ":"))
    return f"{key} {_checksum(key.encode('ascii'), text.encode('ascii'))} {text}\n".encode("ascii")


def decode_entry(line: bytes, where: str) -> tuple[str, LockedStage]:
    """Key and stage of one line. Raises `FormatError`, also for a newer version, `IntegrityError`, `UnsafeInput`."""
    body = check_entry(line, where)
    key = line[:KEY_DIGITS].decode("ascii")
    body.pop("version")
    try:
        lock = json.dumps({"dvtool": "lock", "version": 1, "stages": {"run": body}})
        stage = decode_lock(lock.encode("ascii"), where)["run"]
    except FormatError:
        raise FormatError(f"{where}: not an entry of a run cache") from None
    if encode_entry(key, stage) != line:
        raise FormatError(f"{where}: not in the one valid form")
    return key, stage


def check_entry(line: bytes, where: str) -> dict[str, Any]:
    """The JSON of one line, proved by its checksum; its form is not looked at. Raises as `decode_entry`."""
    head = _HEAD.match(line)
    if head is None or line[-1:] != b"\n" or len(line) > MAX_BYTES:
        raise FormatError(f"{where}: not an entry of a run cache")
    text = line[_TEXT_AT:-1]
    if _checksum(head[1], text).encode("ascii") != head[2]:
        raise IntegrityError(f"{where}: does not match its checksum")
    try:
        body: dict[str, Any] = json.loads(text.decode("ascii"))
    except (ValueError, RecursionError):
        raise FormatError(f"{where}: not an entry of a run cache") from None
    version = body.get("version")
    if type(version) is int and version > VERSION:
        raise FormatError(
            f"{where}: version {version} is newer than this dvtool reads ({VERSION})", hint="upgrade dvtool"
        )
    if type(version) is not int or version != VERSION:
        raise FormatError(f"{where}: not an entry of a run cache")
    return body


def entry_text(line: bytes) -> bytes:
    """What stands behind key and checksum: the same for equal runs. Proves nothing."""
    return line[_TEXT_AT:-1]


def _checksum(key: bytes, text: bytes) -> str:
    return xxh3_64_hexdigest(key + b" " + text)
