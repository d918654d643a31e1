"""What a collection keeps for the sake of DVC's files, and what adopted digests in any file stand for."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import suppress

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats.records import Root
from dvtool.git.run import GitRepo
from dvtool.model.digest import is_adopted
from dvtool.project.open import Project
from dvtool.workspace.dvcpointers import dvc_items
from dvtool.workspace.pointers import Tracked

ALIASES = b"aliases.sqlite"
_MOST_BYTES = 256 << 20

Found = tuple[Tracked, str]
"""A tracked path and where it stands: a commit, "index", or empty for the files of a work tree."""


def dvc_found(project: Project, commits: Callable[[], Iterable[str]], *, everything: bool) -> Iterator[Found]:
    """What DVC's files name: in the work trees and their indexes, in stashes, in *commits*; *everything*: ever.

    What cannot be read names nothing: dvtool never had the data of it. Where nothing was learned yet, nothing is
    looked for.
    """
    if not os.path.lexists(os.path.join(project.layout.clone_dir, ALIASES)):
        return
    git = project.git
    if git is None:
        if project.foreign:
            from dvtool.project.foreign import tracked_here

            yield from ((item, "") for item in tracked_here(project))
        return
    from dvtool.git.blobs import read_blobs
    from dvtool.git.dvcnames import dvc_files_in_worktree
    from dvtool.git.worktrees import worktrees

    for tree in worktrees(git).open:
        for path in dvc_files_in_worktree(tree):
            yield from _items(path, _file(tree, path), "")
    places = dict(_blobs(git, commits, everything=everything))
    by_blob: dict[str, list[tuple[bytes, str]]] = {}
    for (path, sha), label in places.items():
        by_blob.setdefault(sha, []).append((path, label))
    for sha, data in read_blobs(git, by_blob, limit=_MOST_BYTES):
        for path, label in by_blob[sha]:
            yield from _items(path, data, label)


def _blobs(
    git: GitRepo, commits: Callable[[], Iterable[str]], *, everything: bool
) -> Iterator[tuple[tuple[bytes, str], str]]:
    from dvtool.git.dvcnames import staged_dvc_files
    from dvtool.git.history import all_pointer_blobs
    from dvtool.git.history import pointer_blobs_of
    from dvtool.git.revisions import parents
    from dvtool.git.revisions import stashes
    from dvtool.git.worktrees import worktrees

    for tree in worktrees(git).open:
        yield from (((path, sha), "index") for path, sha in staged_dvc_files(tree))
    if everything:
        ever = all_pointer_blobs(git, reflog=True, dvc=True)
        yield from (((blob.path, blob.blob), blob.commit) for blob in ever)
        return
    entries = stashes(git)
    held = [commit for entry, above in parents(git, entries).items() for commit in (entry, *above[1:])]
    for blob in pointer_blobs_of(git, [*commits(), *held], dvc=True):
        yield (blob.path, blob.blob), blob.commit


def _file(tree: GitRepo, path: bytes) -> bytes:
    from dvtool.project.dvcfiles import read_dvc_file

    return read_dvc_file(tree.worktree, path) or b""


def _items(path: bytes, data: bytes, label: str) -> Iterator[Found]:
    try:
        yield from ((item, label) for item in dvc_items(path, data, os.fsdecode(path)))
    except (FormatError, UnsafeInput):
        return


def known_roots(project: Project, roots: Iterable[Root]) -> dict[Root, list[Root]]:
    """What those of *roots* that have an adopted digest are in the cache; of one that is not known nothing is there.

    A directory that was fetched and never looked at has no listing of ours yet: its files are named one by one.
    """
    adopted = {root for root in roots if is_adopted(root.oid)}
    if not adopted:
        return {}
    from dvtool.project.adoption import Adoption

    found: dict[Root, list[Root]] = {root: [] for root in adopted}
    with Adoption(project) as adoption:
        files = adoption.aliases.files(root.oid for root in adopted)
        for root, known in found.items():
            if not root.directory:
                known.extend([Root(False, files[root.oid].oid)] if root.oid in files else [])
                continue
            tree = adoption.aliases.tree(root.oid)
            if tree is not None and adoption.has_listing(tree):
                known.append(Root(True, tree.tree.oid))
                if not tree.lacking:
                    continue
            with suppress(FormatError, UnsafeInput):
                directory = adoption.directory(root.oid, b"a directory")
                below = adoption.aliases.files(file.stated for file in directory.files) if directory else {}
                known.extend(Root(False, oid) for oid in dict.fromkeys(file.oid for file in below.values()))
    return found
