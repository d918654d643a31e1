"""What a project of DVC tracks: its .dvc files and its locks, read as they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats.dvclock import decode_dvclock
from dvtool.git.dvcnames import names_dvc_data
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.pipeline.definition import parse
from dvtool.project.dvcfiles import CONFIG
from dvtool.project.dvcfiles import DEFINITION
from dvtool.project.dvcfiles import LOCK
from dvtool.project.dvcfiles import MARKER
from dvtool.project.dvcfiles import SUFFIX
from dvtool.project.dvcfiles import find_dvc_files
from dvtool.project.dvcfiles import read_dvc_file
from dvtool.project.dvclocks import convert_lock
from dvtool.project.open import Project
from dvtool.workspace.dvcpointers import dvc_items
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.pointers import outputs_of

_MOST_BYTES = 256 << 20

Read = Callable[[bytes], bytes | None]
"""The bytes of a file of the project, None where there is none."""


def tracked_here(project: Project) -> TrackedPaths:
    """All tracked paths of the worktree. One unreadable file fails the whole, naming each: none is passed over."""
    if project.git is None:
        paths = sorted(_walked(project.root, b""))
    else:
        found = find_dvc_files(project.root, project.git, project.layout.prefix.rstrip(b"/"))
        paths = [*found.pointers, *found.locks]
    return _tracked(paths, lambda path: read_dvc_file(project.root, path), "")


def tracked_in_commit(project: Project, rev: str) -> TrackedPaths:
    """The same of a commit."""
    from dvtool.git.blobs import read_blobs
    from dvtool.git.listing import blobs_at

    assert project.git is not None
    git, layout = project.git, project.layout
    blobs = {
        layout.from_git(path): sha
        for path, sha in blobs_at(git, rev, layout.prefix.rstrip(b"/")).items()
        if path.startswith(layout.prefix)
    }
    wanted = [sha for path, sha in blobs.items() if names_dvc_data(path) or split(path)[1] == DEFINITION]
    contents: dict[str, bytes] = dict(read_blobs(git, wanted, limit=_MOST_BYTES))

    def read(path: bytes) -> bytes | None:
        sha = blobs.get(path)
        if sha is not None and sha not in contents:
            contents.update(read_blobs(git, [sha], limit=_MOST_BYTES))
        return None if sha is None else contents[sha]

    return _tracked(own_paths(blobs), read, f" at {rev}")


def own_paths(paths: Iterable[bytes]) -> list[bytes]:
    """Those that say what is tracked, sorted, without those of another project further down."""
    every = sorted(paths)
    inner = tuple(path.removesuffix(CONFIG) for path in every if path.endswith(b"/" + CONFIG))
    return [path for path in every if names_dvc_data(path) and not (inner and path.startswith(inner))]


def _tracked(paths: Iterable[bytes], read: Read, at: str) -> TrackedPaths:
    items: list[Tracked] = []
    uncached: set[bytes] = set()
    problems: list[DvtoolError] = []
    for path in paths:
        try:
            items += items_in(path, read(path) or b"", f"{show(path)}{at}", read, uncached)
        except (FormatError, ConfigError, UnsafeInput) as error:
            problems.append(error)
    if len(problems) > 1:
        raise FormatError(f"{len(problems)} files of DVC cannot be read", causes=tuple(problems))
    if problems:
        raise problems[0]
    return TrackedPaths(items, uncached)


def items_in(path: bytes, data: bytes, where: str, read: Read, uncached: set[bytes]) -> list[Tracked]:
    """What a .dvc file or a lock says is stored. *read*: for the definition beside a lock, which alone says where its
    paths begin. Raises `FormatError`, `ConfigError`, `UnsafeInput`."""
    if split(path)[1] == LOCK:
        return list(_locked(path, data, where, read, uncached))
    return dvc_items(path, data, where, uncached)


def _locked(path: bytes, data: bytes, where: str, read: Read, uncached: set[bytes]) -> Iterator[Tracked]:
    stages = decode_dvclock(data, where)
    if not stages:
        return
    file = join(split(path)[0], DEFINITION)
    definition = read(file)
    if definition is None:
        # Without it nobody knows where the paths of its stages begin; for DVC there are no stages then.
        return
    converted = convert_lock(parse(definition, file, _plain(read)).stages, stages, where)
    for name, stage in converted.stages.items():
        uncached.update(output for output, how in stage.storing.items() if not how.cache)
        yield from outputs_of(path, name, stage)


def _plain(read: Read) -> Callable[[bytes], bytes | None]:
    seen: dict[bytes, bytes | None] = {}

    def files(path: bytes) -> bytes | None:
        if path not in seen:
            seen[path] = read(path)
        return seen[path]

    return files


def _walked(root: bytes, folder: bytes) -> Iterator[bytes]:
    with os.scandir(os.path.join(root, folder)) as listing:
        found = sorted(listing, key=lambda entry: entry.name)
    kinds: Mapping[bytes, os.DirEntry[bytes]] = {entry.name: entry for entry in found}
    for name, entry in kinds.items():
        path = join(folder, name)
        if entry.is_dir(follow_symlinks=False):
            is_other = os.path.lexists(os.path.join(root, path, CONFIG))
            if name not in (b".git", MARKER) and name + SUFFIX not in kinds and not is_other:
                yield from _walked(root, path)
        elif names_dvc_data(path) and entry.is_file(follow_symlinks=False):
            yield path
