"""The files of a project that works without Git: found by walking it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import join
from dvtool.model.paths import split
from dvtool.workspace.pointers import read_tracked


def walked(root: bytes, *, definitions: bool = False) -> list[bytes]:
    """Paths of the project's own files, sorted. Directories that stages made are gone through, for no Git ignores them:
    what only looks like one of ours is data there."""
    found = sorted(_walk(root, b"", definitions=definitions))
    made: set[bytes] = set()
    for path in found:
        if split(path)[1] == LOCK_NAME:
            with suppress(DvtoolError):
                made.update(item.path for item in read_tracked(root, path) if item.is_directory)
    return [path for path in found if not made or _is_own(root, path, made)]


def _is_own(root: bytes, path: bytes, made: set[bytes]) -> bool:
    above, name = split(path)
    while above and above not in made:
        above = split(above)[0]
    if not above:
        return True
    try:
        return name != DEFINITION_NAME and bool(read_tracked(root, path))
    except (FormatError, UnsafeInput):
        return False


def _walk(root: bytes, directory: bytes, *, definitions: bool = False) -> Iterable[bytes]:
    with os.scandir(os.path.join(root, directory)) as listing:
        found = list(listing)
    names = {entry.name for entry in found}
    for entry in found:
        path = join(directory, entry.name)
        if entry.name == DEFINITION_NAME:
            # A link too: who reads it refuses to follow.
            is_own = definitions and not entry.is_dir(follow_symlinks=False)
        else:
            is_own = (entry.name.endswith(POINTER_SUFFIX) or entry.name == LOCK_NAME) and entry.is_file(
                follow_symlinks=False
            )
        if is_own:
            yield path
        elif entry.is_dir(follow_symlinks=False) and entry.name not in (b".git", b".dvtool"):
            is_tracked = entry.name + POINTER_SUFFIX in names
            if not is_tracked and not os.path.isdir(os.path.join(root, path, b".dvtool")):
                yield from _walk(root, path, definitions=definitions)
