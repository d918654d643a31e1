"""The files by which DVC knows a project."""

from __future__ import annotations

import os
from typing import NamedTuple

from dvtool.disk.beneath import read_beneath
from dvtool.errors import NotInRepository
from dvtool.errors import storage_error
from dvtool.git.listing import matching_files
from dvtool.git.run import GitRepo
from dvtool.model.paths import split

MARKER = b".dvc"
CONFIG = b".dvc/config"
LOCAL_CONFIG = b".dvc/config.local"
SUFFIX = b".dvc"
DEFINITION = b"dvc.yaml"
LOCK = b"dvc.lock"
IGNORE = b".dvcignore"
OLD_STAGE_FILE = b"Dvcfile"
_MOST_BYTES = 256 << 20


class DvcFiles(NamedTuple):
    """Paths relative to the root, sorted; those of another DVC project further down are left out."""

    pointers: tuple[bytes, ...] = ()
    definitions: tuple[bytes, ...] = ()
    locks: tuple[bytes, ...] = ()
    ignores: tuple[bytes, ...] = ()


def find_dvc_root(start: bytes) -> bytes:
    """The nearest directory at or above *start* that is the top of a DVC project. Raises `NotInRepository`."""
    directory = os.path.realpath(start)
    while not is_dvc_root(directory):
        parent = os.path.dirname(directory)
        if parent == directory:
            raise NotInRepository(
                f"{os.fsdecode(start)} is not inside a DVC project",
                path=start,
                hint="a project of DVC has a directory .dvc with a config in it",
            )
        directory = parent
    return directory


def is_dvc_root(directory: bytes) -> bool:
    """Whether DVC's project begins here."""
    marker = os.path.join(directory, MARKER)
    return os.path.isdir(marker) and not os.path.islink(marker) and os.path.lexists(os.path.join(directory, CONFIG))


def find_dvc_files(root: bytes, git: GitRepo, subdir: bytes = b"") -> DvcFiles:
    """*subdir*: the root within Git's work tree."""
    skip = len(subdir) + 1 if subdir else 0
    names = (b"*" + SUFFIX, OLD_STAGE_FILE, DEFINITION, LOCK, IGNORE, CONFIG)
    listed = [path[skip:] for path in matching_files(git, names, subdir)]
    inner = tuple(path.removesuffix(CONFIG) for path in listed if path.endswith(b"/" + CONFIG) and path != CONFIG)
    kinds: dict[bytes, list[bytes]] = {SUFFIX: [], DEFINITION: [], LOCK: [], IGNORE: []}
    for path in listed:
        folder, name = split(path)
        if (inner and path.startswith(inner)) or MARKER in folder.split(b"/") or name == b"config":
            continue
        if os.path.lexists(os.path.join(root, path)) and not os.path.isdir(os.path.join(root, path)):
            kinds.get(name, kinds[SUFFIX]).append(path)
    return DvcFiles(*map(tuple, kinds.values()))


def read_dvc_file(root: bytes, path: bytes) -> bytes | None:
    """The bytes; None where there is no such file. Never through a link. Raises `StorageError`, `UnsafeInput`."""
    try:
        return read_beneath(root, path, _MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error
