"""Who else needs objects whose local copies are about to go: other paths here, other worktrees, other workspaces."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

from dvtool.formats.pack import TREE
from dvtool.formats.records import Root
from dvtool.git.worktree import pointers_in_worktree
from dvtool.git.worktrees import worktrees
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import TreeRef
from dvtool.pipeline.lockfile import unwritten_stages
from dvtool.project.cacheroots import roots_of_others
from dvtool.project.keeping import KeepRules
from dvtool.project.keeping import roots_to_keep
from dvtool.project.open import Project
from dvtool.project.workspaces import state_dirs
from dvtool.store.cache import Cache
from dvtool.store.treeedit import edit_tree
from dvtool.store.trees import GetPage
from dvtool.store.unnamed import Marks
from dvtool.store.unnamed import mark_below
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import outputs_of
from dvtool.workspace.pointers import read_tracked
from dvtool.workspace.selection import Selected


class Holder(NamedTuple):
    """``who``: "other tracked paths here", "another worktree", ...; what it needs."""

    who: str
    marks: Marks


class Rest:
    """What is left of tracked directories of which a part is dropped: pages that are stored nowhere."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._pages: dict[ObjectId, bytes] = {}
        self.trees: list[TreeRef] = []

    def add(self, item: Tracked, parts: Iterable[bytes], get: GetPage) -> None:
        """*parts*: paths inside the tracked directory that go. Raises what *get* raises."""

        def stored(oid: ObjectId) -> bytes:
            return self._pages.get(oid) or get(oid)

        self.trees.append(edit_tree(stored, self._put, item.tree, dict.fromkeys(parts)))

    def read_meta(self, oid: ObjectId, kind: int) -> bytes:
        """A page of what is left, or an object of the cache."""
        page = self._pages.get(oid) if kind == TREE else None
        return page if page is not None else self._cache.read_meta(oid, kind)

    def _put(self, page: bytes) -> ObjectId:
        oid = object_id(page)
        self._pages[oid] = page
        return oid


def rest_of(cache: Cache, dropped: Iterable[Selected], get: GetPage) -> Rest:
    """What is left beside the parts in *dropped*. Raises what *get* raises."""
    parts: dict[Tracked, list[bytes]] = {}
    for one in dropped:
        parts.setdefault(one.item, []).append(one.below)
    rest = Rest(cache)
    for item, below in parts.items():
        if b"" not in below:
            rest.add(item, below, get)
    return rest


def holders(project: Project, cache: Cache, dropped: Sequence[Selected], rest: Rest) -> list[Holder]:
    """Everybody but the dropped paths of this worktree, as things stand now.

    Older versions of the dropped paths themselves hold nothing. Raises as `roots_to_keep`.
    """
    tops = {one.item.path for one in dropped}
    here = [keep.root for keep in roots_to_keep(project, KeepRules()) if keep.path not in tops]
    here += [Root(True, tree.oid) for tree in rest.trees]
    found = [
        ("other tracked paths of this repository", here),
        ("another worktree of this repository", _linked_worktrees(project)),
        ("another workspace that shares the cache", roots_of_others(project, cache)),
    ]
    return [Holder(who, _marks(rest, roots)) for who, roots in found]


def _marks(rest: Rest, roots: Iterable[Root]) -> Marks:
    marks = Marks()
    trees = []
    for root in roots:
        marks.add(root.oid)
        if root.directory:
            trees.append(root.oid)
    mark_below(rest, trees, marks)
    return marks


def _linked_worktrees(project: Project) -> Iterator[Root]:
    if project.git is None:
        return
    for tree in worktrees(project.git).open:
        if tree is not project.git:
            for path in pointers_in_worktree(tree, nested=True, locks=True):
                for item in read_tracked(tree.worktree, path):
                    yield Root(item.is_directory, item.pointer.digest.oid)
    for state_dir in state_dirs(project):
        if state_dir != project.layout.state_dir:
            for each in unwritten_stages(state_dir):
                yield from (Root(item.is_directory, item.pointer.digest.oid) for item in outputs_of(*each))
