"""What a version of a pointer stands for, for ``git diff``: Git gives the bytes alone, not their path."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.formats.pointer import decode_pointer
from dvtool.git.discover import find_git
from dvtool.git.roots import project_roots
from dvtool.model.digest import ObjectId
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.project.environment import Environment
from dvtool.project.open import open_project
from dvtool.project.parts import open_cache

if TYPE_CHECKING:
    from dvtool.store.trees import GetPage

__all__ = ["Listed", "PointerText", "pointer_text"]

MOST_FILES = 10_000
"""Of a directory with more, only what lies directly in it is listed, and nothing where that is more."""

_MOST_PROJECTS = 20
"""So many are asked for their cache; nearly always it is one for all."""


class Listed(NamedTuple):
    """A file, or a directory that is not listed further."""

    path: bytes
    entry: Entry


@dataclass(frozen=True, slots=True)
class PointerText:
    """``files`` of a directory, in order; ``problem`` says why there are none, or not all."""

    pointer: Pointer
    files: tuple[Listed, ...] = ()
    problem: str = ""


def pointer_text(environment: Environment, data: bytes) -> PointerText | None:
    """None where *data* is no pointer. Contacts nothing: a listing that is not in the cache is missing."""
    try:
        pointer = decode_pointer(data, "pointer")
    except DvtoolError:
        return None
    if pointer.kind is not Kind.DIRECTORY:
        return PointerText(pointer)
    try:
        tree = TreeRef(pointer.digest.oid, pointer.size, pointer.files)
        found, problem = _listed(_reader(environment, tree.oid), tree)
    except MissingData:
        return PointerText(pointer, problem="its listing is not in the cache: `dvtool fetch --all-commits` brings it")
    except DvtoolError as error:
        return PointerText(pointer, problem=error.message)
    return PointerText(pointer, tuple(found), problem)


def _listed(get: GetPage, tree: TreeRef) -> tuple[list[Listed], str]:
    # A version of a file, which is what most pointers are, needs none of this.
    from dvtool.store.trees import entries
    from dvtool.store.trees import walk

    if tree.files <= MOST_FILES:
        return [Listed(path, entry) for path, entry in walk(get, tree) if entry.kind != DIRECTORY], ""
    top = [Listed(entry.name, entry) for entry in _first(entries(get, tree))]
    if len(top) > MOST_FILES:
        return [], "too many files to list: `dvtool diff` shows what changed"
    return top, ""


def _first(listed: Iterator[Entry]) -> Iterator[Entry]:
    for number, entry in enumerate(listed):
        yield entry
        if number == MOST_FILES:
            return


def _reader(environment: Environment, oid: ObjectId) -> GetPage:
    """Pages from the cache that has the top one: each project of the repository may have a cache of its own."""
    from dvtool.formats.pack import TREE

    repo = find_git(environment.cwd, environment.environ)
    seen: set[bytes] = set()
    for root in project_roots(repo)[:_MOST_PROJECTS] if repo is not None else []:
        assert repo is not None
        project = open_project(os.path.join(repo.worktree, root), environment)
        if project.layout.cache_dir not in seen:
            seen.add(project.layout.cache_dir)
            cache = open_cache(project)
            if cache.has_meta(oid, TREE):
                return lambda page: cache.read_meta(page, TREE)
    raise MissingData(f"blake3:{oid.hex()} is not in the cache")
