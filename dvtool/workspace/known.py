"""What may be recorded of a directory that another tool's manifest states."""

from __future__ import annotations

from dvtool.errors import MissingData
from dvtool.model.digest import is_adopted
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.tree import FILE
from dvtool.model.tree import TreeRef
from dvtool.store.trees import GetPage
from dvtool.store.trees import walk
from dvtool.workspace.pointers import Tracked


def require_known(get: GetPage, owner: Tracked, tree: TreeRef) -> None:
    """Raise `MissingData` if *tree*, which is to stand at *owner* from now on, has a file that is not known in BLAKE3:
    its size would be made up, and no remote of ours could ever give it back."""
    if not owner.lacking:
        return
    for path, entry in walk(get, tree):
        if entry.kind == FILE and is_adopted(entry.oid):
            raise MissingData(
                f"{show(join(owner.path, path))} was never here, and so is not known well enough to be recorded anew",
                path=owner.path,
                hint=f"dvtool fetch {show(owner.path)}, or dvtool add --force {show(owner.path)} to record what stands "
                "there alone",
            )
