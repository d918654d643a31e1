"""Whether there is room for all that a checkout is to make: listings of a few bytes can name billions of files."""

from __future__ import annotations

import os

from dvtool.errors import StorageError
from dvtool.model.paths import show
from dvtool.model.tree import DIRECTORY
from dvtool.store.trees import require_few_files
from dvtool.store.trees import subtree
from dvtool.workspace.checkoutplan import CheckoutPlan


def require_room(plan: CheckoutPlan, root_fd: int) -> None:
    """Raise `StorageError` if the file system cannot hold so many new files, `UnsafeInput` if nobody waits for them."""
    files = sum(change.new.files for change in plan.create if change.new is not None)
    files -= sum(1 for change in plan.remove if change.old is not None)
    state = os.fstatvfs(root_fd)
    if state.f_files and files > state.f_favail:
        raise StorageError(
            f"{show(plan.path)}: {files:,} files are more than the {state.f_favail:,} that still fit on this disk",
            path=plan.path,
            hint=f"look at what it holds with `dvtool list {show(plan.path)}`, and check out parts of it",
        )
    for change in plan.create:
        if change.new is not None and change.new.kind == DIRECTORY:
            # Some file systems have room for any number.
            require_few_files(change.path, subtree(change.new))
