"""Where dead objects stood last: the paths and commits that named them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.formats.lock import MAX_BYTES as LOCK_BYTES
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import TREE
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.git.run import GitRepo
from dvtool.model.digest import ObjectId
from dvtool.model.paths import join
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.project.open import Project
from dvtool.store.cache import Cache
from dvtool.store.unnamed import Marks
from dvtool.workspace.pointers import tracked_in


class LastName(NamedTuple):
    """An object, of a kind of `dvtool.formats.pack`, and where it stood last.

    ``top``: the tracked path that it belonged to. ``commit``: full name.
    """

    oid: ObjectId
    kind: int
    size: int
    path: bytes
    top: bytes
    commit: str


def last_names(
    project: Project, cache: Cache, dead: Marks, is_live: Callable[[bytes], bool] = lambda _: False
) -> Iterator[LastName]:
    """The newest name of each object in *dead* that history knows, each once. What cannot be read names nothing.

    *is_live*: pages of which nothing below is dead, so that they need not be read. Paths are relative
    to the top of Git's work tree where they lie outside the project.
    """
    git = project.git
    if git is None:
        return
    told = Marks()
    seen: set[bytes] = set()
    for commit, pointer_path, pointer in _versions(git):
        full = join(split(pointer_path)[0], pointer.name)
        top = full.removeprefix(project.layout.prefix)
        try:
            oid = pointer.digest.oid
        except DvtoolError:
            continue
        if pointer.kind is Kind.DIRECTORY:
            found: Iterable[tuple[ObjectId, int, int, bytes]] = _below(cache, oid, top, seen, is_live)
        else:
            found = [(oid, BYTES, pointer.size, top)]
        for each, kind, size, path in found:
            if each in dead and not _was_told(told, each):
                yield LastName(each, kind, size, path, top, commit)


def _was_told(told: Marks, oid: bytes) -> bool:
    if oid in told:
        return True
    told.add(oid)
    return False


def _versions(git: GitRepo) -> Iterator[tuple[str, bytes, Pointer]]:
    """Commit, pointer path and pointer of each version, the newest first, as far as it can be read."""
    from dvtool.git.blobs import read_blobs
    from dvtool.git.history import last_pointer_blobs

    versions: dict[tuple[str, bytes], str] = {}
    for commit, path, sha in last_pointer_blobs(git):
        versions.setdefault((sha, path), commit)
    texts = read_blobs(git, (sha for sha, _ in versions), limit=LOCK_BYTES)
    for ((_, path), commit), (_, text) in zip(versions.items(), texts, strict=True):
        try:
            yield from ((commit, item.path, item.pointer) for item in tracked_in(path, text, "a pointer in Git"))
        except DvtoolError:
            continue


def _below(
    cache: Cache, top: ObjectId, path: bytes, seen: set[bytes], is_live: Callable[[bytes], bool]
) -> Iterator[tuple[ObjectId, int, int, bytes]]:
    """Each page and file of a directory as far as the cache has it: digest, kind, size, path."""
    todo = [(top, path)]
    while todo:
        oid, where = todo.pop()
        if oid in seen or is_live(oid):
            continue
        seen.add(oid)
        try:
            data = cache.read_meta(oid, TREE)
            page = decode_page(data)
        except DvtoolError:
            continue
        yield oid, TREE, len(data), where
        if not isinstance(page, Leaf):
            todo += [(ObjectId(ref.raw), where) for ref in page.pages]
            continue
        for entry in page.entries:
            if entry.kind == DIRECTORY:
                todo.append((ObjectId(entry.raw), join(where, entry.name)))
            elif entry.kind == FILE:
                yield ObjectId(entry.raw), BYTES, entry.size, join(where, entry.name)
