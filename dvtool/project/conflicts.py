"""What a merge left undecided: the versions in Git's index, what stands in the worktree, what was decided since.

Git's index says what is in conflict. Of our own there is only a note of what was decided in favour of the side that
stands there anyway; without it the same is asked again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

from dvtool.disk.beneath import read_beneath
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.errors import DvtoolError
from dvtool.errors import storage_error
from dvtool.formats.lock import MAX_BYTES
from dvtool.formats.pointer import decode_pointer
from dvtool.formats.pointer import encode_pointer
from dvtool.git.ignoremerge import is_ignore_file
from dvtool.git.unmerged import Unmerged
from dvtool.hashing.digests import object_id
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.project.merging import Conflict
from dvtool.project.merging import Merging
from dvtool.project.merging import Sides
from dvtool.project.open import Project
from dvtool.workspace.pointermerge import entry_of
from dvtool.workspace.pointermerge import with_content
from dvtool.workspace.pointermerge import with_entry
from dvtool.workspace.pointers import Tracked

_DECISIONS = b"merge-decisions"


class OpenFile(NamedTuple):
    """A pointer, lock or ignore file in conflict; ``path`` relative to the root.

    ``now``: what stands in the worktree, None where it is gone.
    ``versions`` names the three versions. ``is_staged``: Git was told already that it is merged.
    """

    path: bytes
    sides: Sides
    now: bytes | None
    versions: str
    is_staged: bool

    @property
    def is_lock(self) -> bool:
        return split(self.path)[1] == LOCK_NAME

    @property
    def is_pointer(self) -> bool:
        return not self.is_lock and not is_ignore_file(self.path)

    @property
    def is_readable(self) -> bool:
        """Not so where Git merged the text line by line."""
        if self.now is None:
            return True
        if is_ignore_file(self.path):
            return not any(line.startswith((b"<<<<<<<", b">>>>>>>")) for line in self.now.splitlines())
        try:
            _decode(self.path, self.now)
        except DvtoolError:
            return False
        return True

    @property
    def is_unmerged(self) -> bool:
        """True where what stands there is no merge of both: Git's own attempt, or ours alone."""
        both = self.sides.ours is not None and self.sides.theirs is not None
        return both and (self.now is None or self.now == self.sides.ours or not self.is_readable)


def open_files(project: Project) -> list[OpenFile]:
    """What is in conflict in this project, by path; and until the commit, what was before `git add` took it over."""
    if project.git is None:
        return []
    from dvtool.git.blobs import read_blobs
    from dvtool.git.unmerged import blobs_of
    from dvtool.git.unmerged import settled_files
    from dvtool.git.unmerged import unmerged_files

    subdir = project.layout.prefix.rstrip(b"/")
    unmerged = unmerged_files(project.git, subdir)
    staged = {path: each for path, each in settled_files(project.git, subdir).items() if path not in unmerged}
    found = {**staged, **unmerged}
    texts = dict(read_blobs(project.git, sorted(blobs_of(found.values())), limit=MAX_BYTES)) if found else {}
    return [
        OpenFile(
            own := project.layout.from_git(path),
            Sides(*(None if sha is None else texts[sha] for sha in versions)),
            _now(project.root, own),
            _key(versions),
            path in staged,
        )
        for path, versions in sorted(found.items())
    ]


def _key(versions: Unmerged) -> str:
    return " ".join(sha or "-" for sha in versions)


def _now(root: bytes, path: bytes) -> bytes | None:
    try:
        return read_beneath(root, path, MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error


class Decisions:
    """What was decided. Raises `StorageError`."""

    def __init__(self, project: Project) -> None:
        self._path = os.path.join(project.layout.state_dir, _DECISIONS)
        try:
            with open(self._path, "rb") as file:
                self._known = set(file.read().split())
        except FileNotFoundError:
            self._known = set()
        except OSError as error:
            raise storage_error(error, "read", self._path) from error

    def has(self, file: OpenFile, conflict: Conflict) -> bool:
        return _fingerprint(file, conflict) in self._known

    def add(self, file: OpenFile, conflicts: Iterable[Conflict]) -> None:
        """Note that these are decided."""
        new = {_fingerprint(file, one) for one in conflicts}
        if new <= self._known:
            return
        self._known |= new
        try:
            make_dirs(os.path.dirname(self._path))
            write_file(self._path, b"\n".join(sorted(self._known)) + b"\n", durable=False)
        except OSError as error:
            raise storage_error(error, "write", self._path) from error


def _fingerprint(file: OpenFile, one: Conflict) -> bytes:
    parts = (file.path, file.versions.encode(), one.path, one.stage.encode(), one.setting.encode())
    return object_id(b"\0".join(parts)).hex().encode("ascii")


def is_decided(merging: Merging, file: OpenFile, conflict: Conflict) -> bool:
    """Whether something else stands there by now than what the merge left. Raises what `Merging.page` raises."""
    kept = conflict.ours if conflict.kept == "ours" else conflict.theirs
    if file.is_unmerged:
        return False
    if file.now is None:
        return kept is not None
    text = file.sides.ours if conflict.kept == "ours" else file.sides.theirs
    if file.is_lock:
        if not conflict.stage:
            return file.now != text
        return _block(file.path, file.now, conflict.stage) != _block(file.path, text, conflict.stage)
    pointer = decode_pointer(file.now, show(file.path))
    if conflict.setting:
        before = decode_pointer(text or b"", show(file.path))
        return bool(getattr(pointer, conflict.setting) != getattr(before, conflict.setting))
    return _standing(merging, Tracked(file.path, pointer), conflict.path) != (None if kept is None else kept.entry)


def _standing(merging: Merging, tracked: Tracked, path: bytes) -> Entry | None:
    from dvtool.store.trees import lookup
    from dvtool.store.trees import subtree

    whole = entry_of(merging.settled(tracked.pointer_path, tracked.pointer))
    below = path[len(tracked.path) + 1 :]
    if not below or whole.kind != DIRECTORY:
        return whole
    return lookup(merging.page, subtree(whole), below)


def decided(
    merging: Merging, file: OpenFile, text: bytes | None, choices: Iterable[tuple[Conflict, str]]
) -> bytes | None:
    """The *text* of the file with one side, "ours" or "theirs", at each of these conflicts; None: the file goes."""
    chosen = list(choices)
    if file.sides.ours is None or file.sides.theirs is None:
        for _, side in chosen:
            text = file.sides.ours if side == "ours" else file.sides.theirs
        return text
    assert text is not None
    if file.is_lock:
        return _with_stages(file, text, chosen)
    pointer = decode_pointer(text, show(file.path))
    tracked = Tracked(file.path, pointer)
    edits: dict[bytes, Entry | None] = {}
    for conflict, side in chosen:
        wanted = conflict.ours if side == "ours" else conflict.theirs
        entry = None if wanted is None else wanted.entry
        below = conflict.path[len(tracked.path) + 1 :]
        if conflict.setting:
            other = file.sides.ours if side == "ours" else file.sides.theirs
            stated = decode_pointer(other or b"", show(file.path))
            pointer = pointer._replace(**{conflict.setting: getattr(stated, conflict.setting)})
        elif below:
            edits[below] = entry
        elif entry is not None:
            other = file.sides.ours if side == "ours" else file.sides.theirs
            pointer = with_content(pointer, decode_pointer(other or b"", show(file.path)))
    if edits:
        pointer = merging.settled(file.path, pointer)
        from dvtool.model.tree import directory_entry
        from dvtool.store.treeedit import edit_tree
        from dvtool.store.trees import subtree

        tree = edit_tree(merging.page, merging.put, subtree(entry_of(pointer)), edits)
        pointer = with_entry(pointer, directory_entry(b"", tree))
    merging.keep(Tracked(file.path, pointer))
    return encode_pointer(pointer)


def _with_stages(file: OpenFile, text: bytes, chosen: Iterable[tuple[Conflict, str]]) -> bytes:
    from dvtool.formats.lock import decode_lock
    from dvtool.formats.lock import encode_lock

    where = show(file.path)
    lock = decode_lock(text, where)
    sides = {"ours": decode_lock(file.sides.ours or b"", where), "theirs": decode_lock(file.sides.theirs or b"", where)}
    for conflict, side in chosen:
        stage = sides[side].get(conflict.stage)
        lock.pop(conflict.stage, None)
        if stage is not None:
            # What another stage claims on the other side cannot belong to both.
            taken = {name for name, other in lock.items() if not other.outs.keys().isdisjoint(stage.outs)}
            lock = {name: other for name, other in lock.items() if name not in taken}
            lock[conflict.stage] = stage
    return encode_lock(lock)


def _block(path: bytes, text: bytes | None, stage: str) -> str:
    from dvtool.formats.lock import decode_lock
    from dvtool.formats.lock import encode_block

    found = decode_lock(text, show(path)).get(stage) if text else None
    return "" if found is None else encode_block(stage, found)


def _decode(path: bytes, text: bytes) -> None:
    if split(path)[1] == LOCK_NAME:
        from dvtool.formats.lock import decode_lock

        decode_lock(text, show(path))
    else:
        decode_pointer(text, show(path))
