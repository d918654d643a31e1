"""``trash/ID/run.json``: what one collection put into the trash. See ``docs/formats/trash.md``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dvtool.errors import FormatError
from dvtool.formats.sealed import check_form
from dvtool.formats.sealed import seal
from dvtool.formats.sealed import unseal

VERSION = 1
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class TrashRun:
    """``when``: whole Unix seconds. ``objects`` and ``bytes``: what the run was to take, as planned."""

    id: str
    when: int
    why: str
    objects: int
    bytes: int


def is_run_id(text: str) -> bool:
    """Whether a directory of that name can be a run."""
    return _ID.fullmatch(text) is not None


def encode_trash_run(run: TrashRun) -> bytes:
    body = {"bytes": run.bytes, "id": run.id, "objects": run.objects, "when": run.when, "why": run.why}
    return seal("trash", VERSION, body)


def decode_trash_run(data: bytes, where: str) -> TrashRun:
    """Raises `FormatError` and `IntegrityError`."""
    body = unseal("trash", VERSION, data, where, bytes_per_value=8)
    try:
        run = TrashRun(str(body["id"]), int(body["when"]), str(body["why"]), int(body["objects"]), int(body["bytes"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        raise FormatError(f"{where}: not a valid trash run") from None
    if not is_run_id(run.id) or min(run.when, run.objects, run.bytes) < 0:
        raise FormatError(f"{where}: not a valid trash run")
    check_form(encode_trash_run(run), data, where)
    return run
