"""``dvtool-store.json`` of a cache: what kind of store this is. Written once, never replaced."""

from __future__ import annotations

import os

from dvtool.disk.durable import create_only
from dvtool.formats.records import StoreFile
from dvtool.formats.records import decode_store_file
from dvtool.formats.records import encode_store_file
from dvtool.model.paths import show
from dvtool.store.names import STORE_FILE


def read_store_file(root: bytes) -> StoreFile | None:
    """The file, or None where there is none yet. Raises `FormatError` (a newer version, too), `IntegrityError`."""
    path = _path(root)
    try:
        with open(path, "rb") as file:
            return decode_store_file(file.read(1 << 20), show(path))
    except FileNotFoundError:
        return None


def ensure_store_file(root: bytes) -> None:
    """Write the file where there is none, with a store id of its own."""
    if read_store_file(root) is None:
        create_only(_path(root), encode_store_file(StoreFile(os.urandom(16).hex())), mode=0o444)


def _path(root: bytes) -> bytes:
    return os.path.join(root, os.fsencode(STORE_FILE))
