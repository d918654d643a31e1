"""Which tracked paths, or parts of them, targets mean."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths

if TYPE_CHECKING:
    from dvtool.store.trees import GetPage


class Selected(NamedTuple):
    """A tracked path, or the part of it at ``path``."""

    item: Tracked
    path: bytes

    @property
    def below(self) -> bytes:
        """The part's path inside the tracked directory; empty for all of it."""
        return self.path[len(self.item.path) + 1 :]


def select(tracked: TrackedPaths, targets: tuple[bytes, ...]) -> list[Selected]:
    """The tracked paths that *targets* mean; none given means all. Raises `UsageError` for one that means none.

    A target is a path, a pointer, a directory, or a stage: ``train``, ``models/train``, ``models/dvtool.yaml:train``.
    """
    if not targets:
        return [Selected(item, item.path) for item in tracked]
    by_pointer = tracked.by_pointer()
    chosen: dict[tuple[bytes, bytes], Selected] = {}
    for target in targets:
        if target in by_pointer:
            item = by_pointer[target]
            found = [Selected(item, item.path)]
        elif (owner := tracked.owner(target)) is not None:
            found = [Selected(owner, target)]
        else:
            found = [Selected(item, item.path) for item in tracked.below(target) or tracked.outputs_named(target)]
        if not found:
            raise UsageError(
                f"{show(target) or 'this directory'} is not tracked and holds nothing that is",
                path=target,
                hint=f"`dvtool list -R --tracked` shows what is; `dvtool add {show(target) or '.'}` tracks it",
            )
        chosen.update(((one.item.path, one.path), one) for one in found)
    return list(chosen.values())


def wanted_entry(item: Tracked, below: bytes, get: GetPage) -> Entry | None:
    """What a pointer says of its path, or of one inside it. Raises what *get* raises."""
    entry = item.as_entry
    if not below:
        return entry
    if entry.kind != DIRECTORY:
        return None
    # `status` with nothing tracked does without trees.
    from dvtool.store.trees import lookup
    from dvtool.store.trees import subtree

    return lookup(get, subtree(entry), below)
