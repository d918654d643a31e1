"""Files of DVC that a migration has left beside ours: whether both still say the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.model.digest import is_adopted
from dvtool.model.paths import show
from dvtool.project.adoption import Adoption
from dvtool.project.foreign import tracked_here
from dvtool.project.locate import is_dvc_root
from dvtool.project.open import Project
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths


class Disagreement(NamedTuple):
    """``path``: tracked by one of the two, or by both as different data. ``why`` says which, and in which files."""

    path: bytes
    why: str


def disagreements(project: Project, tracked: TrackedPaths) -> list[Disagreement]:
    """Sorted by path; none where there is nothing of DVC. Files of DVC that cannot be read are one of them."""
    if project.foreign or not is_dvc_root(project.root):
        return []
    try:
        theirs = tracked_here(project)
        with Adoption(project) as adoption:
            settled = {item.path: item for item in adoption.settle(theirs)}
    except DvtoolError as error:
        return [Disagreement(error.path.encode("utf-8", "surrogateescape") if error.path else b".dvc", error.message)]
    return sorted(_compared(tracked, settled))


def _compared(tracked: TrackedPaths, theirs: dict[bytes, Tracked]) -> Iterator[Disagreement]:
    for item in tracked:
        other = theirs.pop(item.path, None)
        if other is None:
            yield Disagreement(item.path, f"only {show(item.pointer_path)} knows it")
        elif not _is_same(item, other):
            yield Disagreement(item.path, f"{show(item.pointer_path)} and {show(other.pointer_path)} differ")
    for path, other in theirs.items():
        yield Disagreement(path, f"only {show(other.pointer_path)} knows it")


def _is_same(ours: Tracked, theirs: Tracked) -> bool:
    if ours.stated is not None and ours.stated == theirs.stated:
        return True
    digest = theirs.pointer.digest
    return not theirs.lacking and not is_adopted(digest.oid) and digest == ours.pointer.digest
