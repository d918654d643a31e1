"""Finding and reading the definitions of a project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Mapping

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_file
from dvtool.disk.beneath import open_root
from dvtool.errors import MissingData
from dvtool.errors import storage_error
from dvtool.formats.lock import Json
from dvtool.formats.yamlmarked import MAX_BYTES
from dvtool.git.run import GitRepo
from dvtool.git.worktree import files_named
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import join
from dvtool.model.paths import split
from dvtool.pipeline.definition.parse import parse
from dvtool.pipeline.types import Definition


def find_definitions(root: bytes, git: GitRepo | None, prefix: bytes = b"") -> list[bytes]:
    """Sorted paths of all ``dvtool.yaml`` below *root*, relative to it: those that Git tracks or would track.

    *prefix* is *root* within Git's work tree. A symbolic link is in the list: `load` refuses to follow it.
    """
    if git is None:
        return sorted(_walk(root, b""))
    skip = len(prefix) + 1 if prefix else 0
    return [path[skip:] for path in files_named(git, DEFINITION_NAME, prefix)]


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
    parent, name = split(path)
    try:
        directory = open_dir(root_fd, parent)
        try:
            file = open_file(directory, name, shown=path)
        finally:
            os.close(directory)
        with open(file, "rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error


def _walk(root: bytes, directory: bytes) -> Iterator[bytes]:
    with os.scandir(os.path.join(root, directory)) as listing:
        found = list(listing)
    names = {entry.name for entry in found}
    for entry in found:
        path = join(directory, entry.name)
        if entry.is_dir(follow_symlinks=False):
            is_tracked = entry.name + POINTER_SUFFIX in names
            is_own = entry.name not in (b".git", b".dvtool") and not is_tracked
            if is_own and not os.path.isdir(os.path.join(root, path, b".dvtool")):
                yield from _walk(root, path)
        elif entry.name == DEFINITION_NAME:
            yield path
