"""Whether there is room for all that a checkout is to make: listings of a few bytes can name billions of files."""

from __future__ import annotations

import os

from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import TreeRef
from dvtool.store.trees import GetPage
from dvtool.store.trees import check_depth
from dvtool.store.trees import entries
from dvtool.store.trees import subtree
from dvtool.workspace.checkoutplan import CheckoutPlan

MAX_EMPTY_DIRECTORIES = 1_000_000
"""Directories without a file count in no total, so that only this bounds them."""


def require_room(plan: CheckoutPlan, root_fd: int) -> None:
    """Raise `StorageError` if the file system cannot hold so many new files; where it does not say, do nothing."""
    files = sum(change.new.files for change in plan.create if change.new is not None)
    files -= sum(1 for change in plan.remove if change.old is not None)
    state = os.fstatvfs(root_fd)
    if state.f_files and files > state.f_favail:
        raise StorageError(
            f"{show(plan.path)}: {files:,} files are more than the {state.f_favail:,} that still fit on this disk",
            path=plan.path,
            hint=f"look at what it holds with `dvtool list {show(plan.path)}`, and check out parts of it",
        )


class EmptyDirectories:
    """Counts what a checkout makes of directories that hold no file at any depth."""

    def __init__(self, get_page: GetPage) -> None:
        self._get_page = get_page
        self._known: dict[ObjectId, int] = {}
        self._total = 0

    def require_few(self, path: bytes, tree: TreeRef) -> None:
        """Before an empty directory is made: raise `UnsafeInput` if with all that it holds there are too many."""
        self._total += self._count(path, tree)
        if self._total > MAX_EMPTY_DIRECTORIES:
            raise UnsafeInput(
                f"{show(path)}: more than {MAX_EMPTY_DIRECTORIES:,} directories without any file in them",
                path=path,
                hint="dvtool makes no more of them: see where its pointer comes from (`git log -p -- FILE`)",
            )

    def _count(self, path: bytes, tree: TreeRef) -> int:
        check_depth(path + b"/")
        if tree.oid not in self._known:
            below = (entry for entry in entries(self._get_page, tree) if entry.kind == DIRECTORY)
            # Each distinct directory is counted once: a bomb has few of them.
            self._known[tree.oid] = 1 + sum(self._count(path + b"/" + one.name, subtree(one)) for one in below)
        return self._known[tree.oid]
