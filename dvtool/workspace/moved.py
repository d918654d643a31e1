"""What a move means for pointers, trees and the memo."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from collections.abc import Mapping
from typing import NamedTuple

from dvtool.disk.beneath import open_dir
from dvtool.disk.signature import StatSignature
from dvtool.disk.signature import signature_of
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import storage_error
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.digest import is_adopted
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.store.treeedit import edit_tree
from dvtool.store.trees import GetPage
from dvtool.store.trees import PutPage
from dvtool.store.trees import lookup
from dvtool.store.trees import subtree
from dvtool.workspace.filereading import pack_signature
from dvtool.workspace.known import require_known
from dvtool.workspace.moving import move_entry
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import pointer_path_of
from dvtool.workspace.seen import SeenFiles
from dvtool.workspace.snapshot import Snapshot
from dvtool.workspace.worktree import Worktree

Changes = dict[bytes, Entry | None]


class Spot(NamedTuple):
    """One end of a move: the pointer that the path belongs to (None: it gets one), what that records there."""

    path: bytes
    owner: Tracked | None
    entry: Entry | None

    @property
    def tree_owner(self) -> Tracked | None:
        """The tracked directory that the path lies inside."""
        return self.owner if self.owner is not None and self.owner.path != self.path else None

    def below(self, owner: Tracked) -> bytes:
        """The path inside the tracked directory."""
        return self.path[len(owner.path) + 1 :]


class Sides(NamedTuple):
    """``target`` is to be recorded before the data moves; after it ``source`` is, or ``removed`` taken away.

    ``bases``: what dvtool itself will have placed at tracked paths; None where that is unknown.
    """

    target: Tracked
    source: Tracked | None
    removed: Tracked | None
    bases: Mapping[bytes, Entry | None]


class Renamed(NamedTuple):
    """Stat signatures of the moved file or directory before and after."""

    before: StatSignature
    after: StatSignature


def plan_sides(get: GetPage, put: PutPage, source: Spot, target: Spot, base: Callable[[bytes], Entry | None]) -> Sides:
    """The pointers after a move, with new tree pages put. Raises what *get* raises."""
    moved = source.entry or target.entry
    assert moved is not None
    assert source.owner is not None
    placed = _base_at(get, source, base) or moved
    changes: dict[Tracked, Changes] = {}
    base_changes: dict[Tracked, Changes] = {}
    for spot, now, then in ((source, None, None), (target, moved, placed)):
        owner = spot.tree_owner
        if owner is not None:
            changes.setdefault(owner, {})[spot.below(owner)] = now
            base_changes.setdefault(owner, {})[spot.below(owner)] = then
    edited = {owner: _edited(get, put, owner, wanted) for owner, wanted in changes.items()}
    bases: dict[bytes, Entry | None] = {
        owner.path: _edited_base(get, put, base(owner.path), base_changes[owner], owner, new)
        for owner, new in edited.items()
    }
    if source.tree_owner is None:
        bases[source.path] = None
    outer = target.tree_owner
    if outer is None:
        new_target = _new_pointer(target.path, moved, source)
        bases[target.path] = placed._replace(name=split(target.path)[1])
    else:
        new_target = edited[outer]
    inner = source.tree_owner
    return Sides(
        new_target,
        edited[inner] if inner is not None and inner is not outer else None,
        source.owner if inner is None else None,
        bases,
    )


def move_data(worktree: Worktree, source: bytes, target: bytes, *, durable: bool) -> Renamed | None:
    """Rename what stands at *source*; None where nothing does. Raises `StorageError`, `ChangedMeanwhile`."""
    before = worktree.stat(source)
    if before is None:
        return None
    parent, name = split(source)
    target_parent, target_name = split(target)
    try:
        source_dir = open_dir(worktree.root_fd, parent)
        try:
            target_dir = open_dir(worktree.root_fd, target_parent, create=True)
            try:
                move_entry(source_dir, name, target_dir, target_name, shown=source, durable=durable)
                after = os.lstat(target_name, dir_fd=target_dir)
            finally:
                os.close(target_dir)
        finally:
            os.close(source_dir)
    except OSError as error:
        raise storage_error(error, "move", source) from error
    return Renamed(signature_of(before), signature_of(after))


def follow(
    worktree: Worktree,
    snapshot: Snapshot,
    source: Spot,
    target: Spot,
    bases: Mapping[bytes, Entry | None],
    renamed: Renamed | None,
) -> None:
    """Let the memo know, so that nothing is hashed again. *snapshot* began after the move."""
    memo = worktree.memo
    seen = SeenFiles(memo).find(source.path)
    memo.move(source.path, target.path)
    if renamed is not None and seen is not None and stat.S_ISREG(renamed.after.mode):
        before, after = renamed
        memo.drop_file(target.path)
        # A rename moves the change time alone. A write since then would have moved the other one.
        if seen[0] == pack_signature(before) and before.is_same_but_ctime(after):
            if target.tree_owner is None:
                memo.put_file(target.path, pack_signature(after), seen[1])
            else:
                entry = file_entry(split(target.path)[1], seen[1], after.size, bool(after.mode & 0o100))
                snapshot.fresh[target.path] = (pack_signature(after), entry)
    for spot in (source, target):
        parent = split(spot.path)[0]
        if spot.tree_owner is not None and os.path.isdir(os.path.join(worktree.root, parent)):
            with contextlib.suppress(DvtoolError):
                snapshot.directory(parent)
    snapshot.fresh.clear()
    for path, base in bases.items():
        if base is None:
            memo.drop_applied(path)
        else:
            worktree.set_base(path, base)
    memo.save()
    worktree.forget_seen()


def _base_at(get: GetPage, spot: Spot, base: Callable[[bytes], Entry | None]) -> Entry | None:
    assert spot.owner is not None
    top = base(spot.owner.path)
    if top is None or spot.tree_owner is None:
        return top
    with contextlib.suppress(DvtoolError):
        return lookup(get, subtree(top), spot.below(spot.owner)) if top.kind == DIRECTORY else None
    return None


def _edited(get: GetPage, put: PutPage, owner: Tracked, changes: Changes) -> Tracked:
    tree = edit_tree(get, put, owner.tree, changes)
    require_known(get, owner, tree)
    pointer = owner.pointer._replace(digest=as_digest(tree.oid), size=tree.size, files=tree.files)
    return owner._replace(pointer=pointer)


def _edited_base(
    get: GetPage, put: PutPage, old: Entry | None, changes: Changes, before: Tracked, after: Tracked
) -> Entry | None:
    if old is None or old.kind != DIRECTORY:
        return None
    if old == before.as_entry:
        return after.as_entry
    try:
        return directory_entry(old.name, edit_tree(get, put, subtree(old), changes))
    except DvtoolError:
        return None


def _new_pointer(path: bytes, entry: Entry, source: Spot) -> Tracked:
    name = split(path)[1]
    is_whole = source.owner is not None and source.tree_owner is None
    before = source.owner.pointer if source.owner is not None and is_whole else None
    owner = source.owner
    if owner is not None and is_whole and owner.stated is not None:
        return Tracked(pointer_path_of(path), owner.as_stated._replace(name=name))
    if is_adopted(entry.oid):
        raise MissingData(
            f"{show(source.path)} was never here", path=source.path, hint=f"dvtool fetch {show(source.path)}"
        )
    digest = as_digest(ObjectId(entry.raw))
    if entry.kind == DIRECTORY:
        pointer = Pointer(name, Kind.DIRECTORY, digest, entry.size, entry.files)
    else:
        pointer = Pointer(name, Kind.FILE, digest, entry.size, executable=entry.executable)
    return Tracked(pointer_path_of(path), pointer if before is None else pointer.with_notes_of(before))
