"""Reading definitions, and the files that their templates name, from a worktree."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dvtool.disk.beneath import open_root
from dvtool.disk.beneath import read_beneath
from dvtool.errors import MissingData
from dvtool.errors import storage_error
from dvtool.formats.lock import Json
from dvtool.formats.yamlmarked import MAX_BYTES
from dvtool.pipeline.definition.parse import parse
from dvtool.pipeline.types import Definition


def load(root: bytes, file: bytes, *, overrides: Mapping[str, Json] = {}) -> Definition:
    """Read the definition *file* below *root*, and the files that its templates name; never through a link.

    Raises `ConfigError`, `UnsafeInput`, `StorageError`, `MissingData` where there is no such file.
    """
    try:
        root_fd = open_root(root)
    except OSError as error:
        raise storage_error(error, "read", root) from error
    try:
        data = _read(root_fd, file)
        if data is None:
            raise MissingData(f"there is no {os.fsdecode(file)}", path=file)
        return parse(data, file, lambda path: _read(root_fd, path), overrides=overrides)
    finally:
        os.close(root_fd)


def _read(root_fd: int, path: bytes) -> bytes | None:
    try:
        return read_beneath(root_fd, path, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error
