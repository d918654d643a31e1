"""``dvtool-store.json`` of a cache: what kind of store this is. Written once, never replaced."""

from __future__ import annotations

import os

from dvtool.disk.durable import create_only
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.records import StoreFile
from dvtool.formats.records import decode_store_file
from dvtool.formats.records import encode_store_file
from dvtool.model.paths import show
from dvtool.store.names import STORE_FILE


def read_store_file(root: bytes) -> StoreFile | None:
    """The file, or None where there is none yet. Raises `FormatError`: damaged, or of a newer version."""
    path = _path(root)
    try:
        with open(path, "rb") as file:
            return decode_store_file(file.read(1 << 20), show(path))
    except FileNotFoundError:
        return None
    except IntegrityError as error:
        # No object is damaged, and which version wrote the others is unknown: nothing is read.
        raise FormatError(error.message, path=path, hint=error.hint) from error


def ensure_store_file(root: bytes) -> None:
    """Write the file where there is none, with a store id of its own."""
    if read_store_file(root) is None:
        create_only(_path(root), encode_store_file(StoreFile(os.urandom(16).hex())), mode=0o444)


def _path(root: bytes) -> bytes:
    return os.path.join(root, os.fsencode(STORE_FILE))
