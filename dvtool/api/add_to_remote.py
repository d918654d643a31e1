"""Tracking files and directories whose bytes go straight to a remote, without a copy in the cache."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.api.add import Added
from dvtool.api.add import bound
from dvtool.disk.beneath import open_root
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.oplog import Row
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import Entry
from dvtool.model.tree import directory_entry
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.newpath import check_new_path
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.outputs import refused
from dvtool.project.parts import is_durable
from dvtool.project.parts import open_remote_of
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_path
from dvtool.project.recording import Recorded
from dvtool.project.recording import make_parents
from dvtool.project.recording import record_pointers
from dvtool.project.routes import Routes
from dvtool.project.transfers import push_context
from dvtool.state.memo import NoMemo
from dvtool.transfer.remotesink import remote_sink
from dvtool.transfer.types import Wanted
from dvtool.workspace.movedrules import MovedRules
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.pointers import pointer_path_of
from dvtool.workspace.sinks import Sink
from dvtool.workspace.snapshot import Snapshot
from dvtool.workspace.worktree import Worktree

_NO_DIGEST = as_digest(ObjectId(bytes(32)))


@dataclass(frozen=True, slots=True)
class AddToRemoteRequest:
    """``source``: a file or directory, relative to the current directory, inside the project or outside.

    ``name``: what it shall be called in the project; needed for a source outside. ``now``: Unix
    seconds by the caller's clock. ``remote``: where it goes, and what it belongs to from now on; None
    is where the path belongs already.
    """

    source: bytes
    name: bytes | None = None
    remote: str | None = None
    jobs: int = 0
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class AddToRemoteResult:
    """``added`` as `add` has it; ``bytes_sent`` is less than the size where the remote had parts of it."""

    added: Added
    bytes_sent: int
    remote: str
    git_files: tuple[bytes, ...]


class _Source(NamedTuple):
    """What is read: the full path, links on the way to it followed, and whether it is what stands at the target."""

    full: bytes
    is_directory: bool
    in_place: bool


def add_to_remote(project: Project, request: AddToRemoteRequest, reporter: Reporter = SILENT) -> AddToRemoteResult:
    """Send a file or directory to a remote, prove that it arrived, write its pointer.

    Local disk use does not grow with it, but for the listings of directories. Links inside a directory are
    recorded as links. Raises `StorageError` (also when a file changes meanwhile), `UsageError`, `UnsafeInput`,
    `MissingData`, `ConfigError`, `Locked`.
    """
    path = relative_path(project, request.name if request.name is not None else request.source)
    with open_worktree(project) as worktree, begin(project, "add") as operation:
        worktree.lock("dvtool add")
        source = _find(project, worktree, request, path)
        old = _place(project, worktree, open_tracked(project), path, source)
        name = project.config.remote(request.remote or Routes(project.config).owner(old) or None).name
        settings = project.config.remote(name)
        context = push_context(project, settings, (), jobs=request.jobs, now=request.now)
        above, base = split(source.full)

        def called(below: bytes) -> bytes:
            return below if source.in_place else path + below[len(base) :]

        with (
            closing(open_remote_of(project, name)) as remote,
            remote_sink(worktree.cache, remote, context, reporter, path_of=called) as sink,
        ):
            if source.in_place:
                worktree.memo.drop_below(path)  # all is to be read; what it is, is known from then on
                entry = _read(_snapshot(worktree, sink), path, is_directory=source.is_directory)
            else:
                with _outside(
                    worktree, above or b"/", MovedRules(worktree.ignore, source.full, path), sink
                ) as snapshot:
                    entry = _read(snapshot, base, is_directory=source.is_directory)
            sent = sink.finish(Wanted(source.is_directory, entry.oid, entry.size, entry.files, path))
            item = old._replace(pointer=_pointer(old.pointer, entry))
            if request.remote and not _is_at_home(project, item, name):
                item = bound(item, name)
            keep_in_shared_cache(project, worktree.cache, [item])
        bases = [Row(path, worktree.base(path), item.as_entry)] if source.in_place else []
        operation.prepare(lasting="what was sent stays on the remote", bases=bases)
        recorded = record_pointers(project, [item], durable=is_durable(project))
        if source.in_place:
            worktree.set_base(path, item.as_entry)
    return AddToRemoteResult(_added(item, recorded), sent, name, recorded.git_files)


def _find(project: Project, worktree: Worktree, request: AddToRemoteRequest, path: bytes) -> _Source:
    given = os.path.join(project.environment.cwd, request.source)
    here = os.path.join(os.path.realpath(project.root), path)
    if request.name is None and os.path.islink(given.rstrip(b"/")):
        if worktree.linked(os.readlink(given.rstrip(b"/"))) is not None:
            hint = f"`dvtool push {show(request.source)}` sends it"
            raise UsageError(f"{show(request.source)} is in the cache already", path=request.source, hint=hint)
        raise UnsafeInput(
            f"{show(request.source)} is a symbolic link",
            path=request.source,
            hint="add what it points to, with -o NAME",
        )
    full = os.path.realpath(given)
    try:
        mode = os.stat(full).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        message = f"{show(request.source)} does not exist"
        raise MissingData(message, path=request.source, hint="check the spelling") from error
    except OSError as error:
        raise storage_error(error, "read", request.source) from error
    if full != here and is_below(here, full):
        raise UsageError(f"{show(request.source)} holds {show(path)}, which it is to become", path=request.source)
    return _Source(full, stat.S_ISDIR(mode), full == here)


def _place(project: Project, worktree: Worktree, tracked: TrackedPaths, path: bytes, source: _Source) -> Tracked:
    """The pointer that is there, or the beginning of a new one. Raises `UsageError`, `UnsafeInput`."""
    owner = tracked.owner(path)
    if owner is not None and owner.stage:
        raise refused(owner, path, "take another name; `dvtool push` sends what a stage made")
    if owner is not None and owner.path != path:
        raise UsageError(f"{show(path)} lies in a tracked directory: `dvtool add {show(path)}` adds it there")
    inside = next((item for item in tracked.below(path) if item.path != path), None)
    if inside is not None:
        raise UnsafeInput(f"{show(path)} holds {show(inside.path)}, which is tracked by itself", path=path)
    if owner is not None:
        return owner
    check_new_path(project, worktree, tracked, path, is_dir=source.is_directory)
    if not source.in_place and worktree.stat(path) is not None:
        raise UsageError(f"{show(path)} is there already, and is something else", path=path, hint="take another name")
    new = Tracked(pointer_path_of(path), Pointer(split(path)[1], Kind.FILE, _NO_DIGEST, 0))
    make_parents(project, [new])  # before hours of sending, not after
    return new


def _snapshot(worktree: Worktree, sink: Sink) -> Snapshot:
    """Without helpers: they would hash what is to be sent."""
    moment = worktree.began()
    return Snapshot(
        worktree.root_fd, worktree.ignore, worktree.memo, sink, moment, SILENT, linked=_sent_link(worktree, sink)
    )


@contextmanager
def _outside(worktree: Worktree, above: bytes, rules: MovedRules, sink: Sink) -> Iterator[Snapshot]:
    try:
        folder = open_root(above)
    except OSError as error:
        raise storage_error(error, "read", above) from error
    try:
        yield Snapshot(folder, rules, NoMemo(), sink, worktree.began(), SILENT, linked=_sent_link(worktree, sink))
    finally:
        os.close(folder)


def _read(snapshot: Snapshot, path: bytes, *, is_directory: bool) -> Entry:
    if is_directory:
        return directory_entry(split(path)[1], snapshot.directory(path))
    return snapshot.tracked_file(path)


def _sent_link(worktree: Worktree, sink: Sink) -> Callable[[bytes], tuple[ObjectId, int] | None]:
    """A link into the cache stands for a file there, which is sent as one."""

    def send(target: bytes) -> tuple[ObjectId, int] | None:
        found = worktree.linked(target)
        if found is not None:
            folder = open_root(os.path.dirname(target))
            try:
                oid, _ = sink.large(folder, os.path.basename(target), target)
            finally:
                os.close(folder)
            if oid != found[0]:
                raise IntegrityError(f"{show(target)}: the bytes are not what its name says", path=target)
        return found

    return send


def _pointer(old: Pointer, entry: Entry) -> Pointer:
    kind = Kind.DIRECTORY if entry.kind == DIRECTORY else Kind.FILE
    digest = as_digest(entry.oid)
    return old._replace(kind=kind, digest=digest, size=entry.size, files=entry.files, executable=entry.executable)


def _is_at_home(project: Project, item: Tracked, remote: str) -> bool:
    """Whether the path belongs to that remote without its pointer saying so."""
    owner = Routes(project.config).owner(item._replace(pointer=item.pointer._replace(remote="")))
    return remote == (owner or project.config.text("core.remote"))


def _added(item: Tracked, recorded: Recorded) -> Added:
    pointer = item.pointer
    changed = item.pointer_path in recorded.changed
    kind, digest = pointer.kind.value, str(pointer.digest)
    return Added(item.path, item.pointer_path, kind, digest, pointer.size, pointer.files, changed)
