"""Tracking files and directories."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.errors import MissingData
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats.oplog import Row
from dvtool.model.digest import as_digest
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import check_path
from dvtool.model.paths import join
from dvtool.model.paths import name_problem
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.outputs import record_outputs
from dvtool.project.outputs import refused
from dvtool.project.ownership import refuse_outputs
from dvtool.project.pages import PageSource
from dvtool.project.parts import find_files
from dvtool.project.parts import is_durable
from dvtool.project.parts import learned
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_paths
from dvtool.project.recording import record_pointers
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.treeedit import edit_tree
from dvtool.store.trees import lookup
from dvtool.store.trees import subtree
from dvtool.workspace.dropped import Dropped
from dvtool.workspace.dropped import note_about
from dvtool.workspace.known import require_known
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.pointers import pointer_path_of
from dvtool.workspace.reconcile import Standing
from dvtool.workspace.reconcile import reconciled
from dvtool.workspace.sinks import StoreSink
from dvtool.workspace.snapshot import Snapshot
from dvtool.workspace.worktree import Worktree


@dataclass(frozen=True, slots=True)
class AddRequest:
    """``targets`` are relative to the current directory: files, directories, paths inside tracked directories.

    ``force``: record each as it stands, also where files of the pointer were never placed here or
    stem from another version. Without it only what the user changed is recorded. ``remote``: the
    one that they belong to from now on, as their pointers say; None leaves that as it is. ``outputs``: what stages
    made is recorded too, in their locks; without it such a target is refused.
    """

    targets: tuple[bytes, ...]
    force: bool = False
    remote: str | None = None
    outputs: bool = False


class Added(NamedTuple):
    """One tracked path after `add`. ``changed`` is False where the pointer stood there already.

    ``is_here`` is False where the pointer names files that the worktree does not have, or not in that version.
    """

    path: bytes
    pointer_path: bytes
    kind: str
    digest: str
    size: int
    files: int
    changed: bool
    is_here: bool = True


@dataclass(frozen=True, slots=True)
class AddResult:
    """``visible`` are data paths that the user's own ignore rules keep visible to Git."""

    added: tuple[Added, ...]
    files_seen: int
    files_hashed: int
    bytes_hashed: int
    git_files: tuple[bytes, ...]
    visible: tuple[bytes, ...]


class _Target(NamedTuple):
    """Where a target's entry goes: a pointer of its own, or a place inside a tracked directory."""

    path: bytes
    owner: Tracked | None

    @property
    def is_partial(self) -> bool:
        return self.owner is not None and self.owner.path != self.path


def add(project: Project, request: AddRequest, reporter: Reporter = SILENT) -> AddResult:
    """Store the targets' bytes in the cache and write pointers for Git.

    When it returns, every object is complete in the cache and durable, and so are the pointers.
    Raises `UsageError`, `UnsafeInput` (what cannot or must not be tracked), `MissingData` (a
    tracked target that is not there), `StorageError`, `Locked`.
    """
    cache = open_cache(project)
    if request.remote is not None:
        project.config.remote(request.remote)
    with open_worktree(project, cache) as worktree, begin(project, "add") as operation:
        worktree.lock("dvtool add")
        paths = relative_paths(project, request.targets)
        files = find_files(project)
        tracked = learned(project, open_tracked(project, data_in=paths, found=files), reporter, cache)
        targets = _plan(project, worktree, tracked, paths)
        if not request.outputs:
            _refuse_outputs(targets)
        refuse_outputs(project, [target.path for target in targets if target.owner is None], files)
        if request.remote is not None:
            _refuse_parts(targets, request.remote)
        with CacheWriter(cache, what="dvtool add", on_wait=reporter.note) as writer:
            if any(not _is_plain(worktree, target.owner) for target in targets):
                writer.keep_pages()
            snapshot = worktree.snapshot(StoreSink(cache, writer), reporter)
            reporter.begin("hashing")
            entries = [(target, _entry(worktree, snapshot, target)) for target in targets]
            reporter.end()
            writer.keep_pages()
            with PageSource(project, writer, reporter) as pages:
                new = _Composer(worktree, writer, pages, force=request.force).compose(entries)
            if request.remote is not None:
                new = [_New(bound(item, request.remote), standing) for item, standing in new]
            pointers = [each.item for each in new]
            beside = worktree.leftovers_beside(path for item in pointers for path in (item.path, item.pointer_path))
            worktree.sweep([*snapshot.leftovers, *beside], reporter)
            writer.commit()
            # Before the lock is given back: a collection from another workspace must not come between.
            keep_in_shared_cache(project, cache, pointers)
        operation.prepare(
            bases=[Row(item.path, worktree.base(item.path), standing) for item, standing in new if standing is not None]
        )
        durable = is_durable(project)
        recorded = record_pointers(project, [item for item in pointers if not item.stage], durable=durable)
        outputs = [item for item in pointers if item.stage]
        locks = record_outputs(project, outputs, durable=durable) if outputs else ()
        for item, standing in new:
            if standing is not None:
                worktree.set_base(item.path, standing)
        counts = snapshot.counts
    added = tuple(
        Added(
            item.path,
            item.pointer_path,
            item.pointer.kind.value,
            str(item.pointer.digest),
            item.pointer.size,
            item.pointer.files,
            item.pointer_path in recorded.changed or (bool(item.stage) and item != tracked.get(item.path)),
            standing in (None, item.as_entry),
        )
        for item, standing in new
    )
    return AddResult(
        added, counts.files_seen, counts.files_hashed, counts.bytes_hashed, recorded.git_files + locks, recorded.visible
    )


def _plan(project: Project, worktree: Worktree, tracked: TrackedPaths, paths: tuple[bytes, ...]) -> list[_Target]:
    targets = []
    for path in paths:
        owner = tracked.owner(path)
        target = _Target(path, owner)
        _check(worktree, tracked, target)
        targets.append(target)
    new = [target.path for target in targets if target.owner is None]
    if project.git is not None and new:
        from dvtool.git.worktree import tracked as tracked_by_git

        layout = project.layout
        taken = tracked_by_git(project.git, [layout.to_git(path) for path in new])
        for path in new:
            if layout.to_git(path) in taken:
                raise UnsafeInput(
                    f"{show(path)} is tracked by Git already",
                    path=path,
                    hint=f"take it out of Git first: git rm -r --cached {show(path)}",
                )
    covered = [target.path for target in targets]
    return [
        target
        for target in targets
        if not any(target.path != other and target.path.startswith(other + b"/") for other in covered)
    ]


def _refuse_outputs(targets: list[_Target]) -> None:
    for path, owner in targets:
        if owner is not None and owner.stage:
            hint = f"`dvtool commit {show(path)}` records it as it stands, `dvtool repro` makes it anew"
            raise refused(owner, path, hint)


def bound(item: Tracked, remote: str) -> Tracked:
    """The same, belonging to *remote*."""
    return item._replace(pointer=item.pointer._replace(remote=remote))


def _refuse_parts(targets: list[_Target], remote: str) -> None:
    for target in targets:
        if target.is_partial and target.owner is not None:
            whole = show(target.owner.path)
            raise UsageError(
                f"{show(target.path)} lies in {whole}, and a tracked directory belongs to one remote as a whole",
                path=target.path,
                hint=f"dvtool add --remote {remote} {whole}",
            )


def _check(worktree: Worktree, tracked: TrackedPaths, target: _Target) -> None:
    path = target.path
    if not path:
        raise UsageError("the project's top directory cannot be tracked as a whole", hint="name directories in it")
    if path.endswith(POINTER_SUFFIX) and not target.is_partial:
        data = path[: -len(POINTER_SUFFIX)]
        raise UsageError(f"{show(path)} is a pointer, not data", path=path, hint=f"dvtool add {show(data)}")
    status = worktree.stat(path)
    if status is None and not target.is_partial:
        if target.owner is None:
            raise UsageError(f"{show(path)} does not exist", path=path, hint="check the spelling")
        raise MissingData(
            f"{show(path)} does not exist", path=path, hint=f"`dvtool checkout {show(path)}` brings it back"
        )
    if status is not None and worktree.ignore.is_ignored(path, stat.S_ISDIR(status.st_mode)):
        raise UsageError(
            f"{show(path)} is ignored by .dvtoolignore", path=path, hint=f"dvtool check-ignore -d {show(path)}"
        )
    if target.is_partial:
        return
    try:
        check_path(path, "cannot be tracked by itself")
    except UnsafeInput as error:
        if not any(map(name_problem, path.split(b"/"))):
            error.hint = "inside a tracked directory such a name may stand: add the directory that holds it"
        raise
    if target.owner is None:
        _refuse_other_project(worktree, path)
    if len(split(path)[1]) > 255 - len(POINTER_SUFFIX):
        raise UsageError(f"{show(path)}: the name is too long for a pointer beside it", path=path)
    inside = [item for item in tracked.below(path) if item.path != path]
    if inside:
        raise UnsafeInput(
            f"{show(path)} holds {show(inside[0].path)}, which is tracked by itself",
            path=path,
            hint=f"take it out of the stage in {show(inside[0].pointer_path)} first"
            if inside[0].stage
            else f"dvtool remove {show(inside[0].pointer_path)}, then add {show(path)}",
        )
    if status is not None and stat.S_ISLNK(status.st_mode) and target.owner is None:
        raise UnsafeInput(
            f"{show(path)} is a symbolic link", path=path, hint="add what it points to; Git tracks links by itself"
        )


def _refuse_other_project(worktree: Worktree, path: bytes) -> None:
    """Below another repository a pointer would be that one's, with its bytes in this one's cache."""
    above, _ = split(path)
    while above:
        if worktree.stat(join(above, b".git")) is not None or worktree.stat(join(above, b".dvtool")) is not None:
            inside = path[len(above) + 1 :]
            raise UnsafeInput(
                f"{show(path)} belongs to another repository, {show(above)}",
                path=path,
                hint=f"dvtool -C {show(above)} add {show(inside)}",
            )
        above, _ = split(above)


def _entry(worktree: Worktree, snapshot: Snapshot, target: _Target) -> Entry | None:
    entry = worktree.current(snapshot, target.path, is_top=not target.is_partial)
    if entry is not None and entry.kind == LINK and not target.is_partial:
        raise UnsafeInput(f"{show(target.path)} is a symbolic link", path=target.path)
    return entry


def _is_plain(worktree: Worktree, owner: Tracked | None) -> bool:
    """True when the pages just made need not be read again: all that differs from the pointer is the user's."""
    return owner is None or worktree.base(owner.path) == owner.as_entry


class _New(NamedTuple):
    """A pointer to be written. ``standing``: what of it stands in the worktree then; None where that is not known."""

    item: Tracked
    standing: Entry | None


class _Composer:
    """Makes the pointers from what stands at the targets. *pages* finds what *writer* has just put, too."""

    def __init__(self, worktree: Worktree, writer: CacheWriter, pages: PageSource, *, force: bool) -> None:
        self._worktree = worktree
        self._writer = writer
        self._pages = pages
        self._force = force

    def compose(self, entries: list[tuple[_Target, Entry | None]]) -> list[_New]:
        """New pointers, by path. Raises `UsageError`, and what the page source raises."""
        found: list[_New] = []
        parts: dict[Tracked, dict[bytes, Entry | None]] = {}
        for target, entry in entries:
            if target.owner is not None and target.is_partial:
                parts.setdefault(target.owner, {})[target.path[len(target.owner.path) + 1 :]] = entry
            elif entry is not None:
                recorded = entry if target.owner is None else self._reconciled(target.owner, b"", entry)
                found.append(_New(_tracked(target, recorded), entry))
        found += [self._with_parts(owner, entries) for owner, entries in parts.items()]
        return sorted(found)

    def _with_parts(self, owner: Tracked, parts: dict[bytes, Entry | None]) -> _New:
        if not owner.is_directory:
            raise UsageError(f"{show(owner.path)} is tracked as a file, so nothing can be added below it")
        changes: dict[bytes, Entry | None] = {}
        for below, entry in parts.items():
            if entry is None and lookup(self._pages.get, owner.tree, below) is None:
                raise UsageError(f"{show(join(owner.path, below))} does not exist", hint="check the spelling")
            if entry is None and not self._force and self._was_dropped(owner, below):
                path = join(owner.path, below)
                raise MissingData(
                    f"{show(path)} is not here because it was dropped: nobody has deleted it",
                    path=path,
                    hint=f"dvtool pull {show(path)}, or dvtool add --force {show(path)} to record that it is gone",
                )
            changes[below] = entry if entry is None else self._reconciled(owner, below, entry)
        tree = edit_tree(self._pages.get, self._writer.put_tree, owner.tree, changes)
        base = self._worktree.base(owner.path)
        if base is not None and base.kind == DIRECTORY:
            standing = edit_tree(self._pages.get, self._writer.put_tree, subtree(base), parts)
            base = directory_entry(base.name, standing)
        require_known(self._pages.get, owner, tree)
        return _New(owner._replace(pointer=_directory_pointer(owner.pointer, tree)), base)

    def _was_dropped(self, owner: Tracked, below: bytes) -> bool:
        base = self._worktree.base(owner.path)
        if base is not None and base.kind == DIRECTORY and lookup(self._pages.get, subtree(base), below) is not None:
            return False  # pulled again since
        path, oid = join(owner.path, below), owner.pointer.digest.raw
        return note_about(Dropped(self._worktree.state_dir).read(), path, oid) is not None

    def _reconciled(self, owner: Tracked, below: bytes, current: Entry) -> Entry:
        """What to record of *current*: what the user changed, unless all of it was asked for."""
        if self._force:
            return current
        get = self._pages.get
        pointer: Entry | None = owner.as_entry
        base = self._worktree.base(owner.path)
        is_known = base is not None
        if below:
            pointer = lookup(get, owner.tree, below) if owner.is_directory else None
            base = lookup(get, subtree(base), below) if base is not None and base.kind == DIRECTORY else None
        standing = Standing(pointer, current, base, is_known)
        try:
            recorded = reconciled(standing, get, self._writer.put_tree)
        except MissingData as error:
            raise MissingData(
                f"{show(join(owner.path, below))}: what it holds besides is not known here: {error.message}",
                path=owner.path,
                hint=f"dvtool fetch {show(owner.path)}, or dvtool add --force to record it exactly as it stands",
            ) from error
        if recorded is not None and recorded.kind == DIRECTORY:
            require_known(get, owner, subtree(recorded))
        return current if recorded is None else recorded


def _tracked(target: _Target, entry: Entry) -> Tracked:
    path = target.path
    pointer_path = target.owner.pointer_path if target.owner is not None else pointer_path_of(path)
    name = split(path)[1]
    digest = as_digest(entry.oid)
    if entry.kind == DIRECTORY:
        pointer = Pointer(name, Kind.DIRECTORY, digest, entry.size, entry.files)
    else:
        pointer = Pointer(name, Kind.FILE, digest, entry.size, executable=entry.executable)
    if target.owner is None:
        return Tracked(pointer_path, pointer)
    return target.owner._replace(pointer=pointer.with_notes_of(target.owner.pointer))


def _directory_pointer(old: Pointer, tree: TreeRef) -> Pointer:
    return old._replace(digest=as_digest(tree.oid), size=tree.size, files=tree.files)
