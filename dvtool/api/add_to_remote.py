"""Tracking a file whose bytes go straight to a remote, without a copy in the cache."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass

from dvtool.api.add import Added
from dvtool.api.add import bound
from dvtool.disk.beneath import open_file
from dvtool.disk.beneath import open_root
from dvtool.disk.signature import signature_of
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.oplog import Row
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.newpath import check_new_path
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.outputs import refused
from dvtool.project.parts import is_durable
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.project.parts import relative_path
from dvtool.project.recording import Recorded
from dvtool.project.recording import record_pointers
from dvtool.project.routes import Routes
from dvtool.project.transfers import push_context
from dvtool.transfer.stream import StreamResult
from dvtool.transfer.stream import push_stream
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import pointer_path_of

_NO_DIGEST = as_digest(ObjectId(bytes(32)))


@dataclass(frozen=True, slots=True)
class AddToRemoteRequest:
    """``source``: one file, relative to the current directory, inside the project or outside.

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


def add_to_remote(project: Project, request: AddToRemoteRequest, reporter: Reporter = SILENT) -> AddToRemoteResult:
    """Send one file to a remote, prove that it arrived, write its pointer. Local disk use does not grow with it.

    Raises `UsageError` for a directory, `StorageError` (also when the file changes meanwhile),
    `UnsafeInput`, `ConfigError`, `Locked`.
    """
    path = relative_path(project, request.name if request.name is not None else request.source)
    source = os.path.join(project.environment.cwd, request.source)
    if os.path.isdir(source):
        raise UsageError(
            f"{show(request.source)} is a directory: only a single file can go straight to a remote",
            path=request.source,
            hint=f"dvtool add {show(request.source)}, then dvtool push",
        )
    cache = open_cache(project)
    with open_worktree(project, cache) as worktree, begin(project, "add") as operation:
        worktree.lock("dvtool add")
        tracked = open_tracked(project)
        owner = tracked.owner(path)
        if owner is not None and owner.stage:
            raise refused(owner, path, "take another name; `dvtool push` sends what a stage made")
        owner = tracked.get(path)
        if owner is None:
            check_new_path(project, worktree, tracked, path, is_dir=False)
            if tracked.owner(path) is not None:
                raise UsageError(f"{show(path)} lies in a tracked directory: `dvtool add {show(path)}` adds it there")
        old = owner or Tracked(pointer_path_of(path), Pointer(split(path)[1], Kind.FILE, _NO_DIGEST, 0))
        remote = project.config.remote(request.remote or Routes(project.config).owner(old) or None).name
        sent, executable = _send(project, request, remote, path, source, reporter)
        digest = as_digest(sent.oid)
        item = old._replace(
            pointer=old.pointer._replace(kind=Kind.FILE, digest=digest, size=sent.size, files=1, executable=executable)
        )
        if request.remote and not _is_at_home(project, item, remote):
            item = bound(item, remote)
        keep_in_shared_cache(project, cache, [item])
        operation.prepare(
            lasting="what was sent stays on the remote", bases=[Row(path, worktree.base(path), item.as_entry)]
        )
        recorded = record_pointers(project, [item], durable=is_durable(project))
        worktree.set_base(path, item.as_entry)
    return AddToRemoteResult(_added(item, recorded), sent.bytes_sent, remote, recorded.git_files)


def _is_at_home(project: Project, item: Tracked, remote: str) -> bool:
    """Whether the path belongs to that remote without its pointer saying so."""
    owner = Routes(project.config).owner(item._replace(pointer=item.pointer._replace(remote="")))
    return remote == (owner or project.config.text("core.remote"))


def _send(
    project: Project, request: AddToRemoteRequest, name: str, path: bytes, source: bytes, reporter: Reporter
) -> tuple[StreamResult, bool]:
    settings = project.config.remote(name)
    context = push_context(project, settings, (), jobs=request.jobs, now=request.now)
    context = context._replace(chunk=context.cuts_at_content(path))
    try:
        fd = _open(source)
        with open(fd, "rb", buffering=0) as stream, closing(open_remote_of(project, name)) as remote:
            before = os.fstat(fd)
            sent = push_stream(open_cache(project), remote, stream, context, reporter)
            after = os.fstat(fd)
    except OSError as error:
        raise storage_error(error, "read", request.source) from error
    if signature_of(before) != signature_of(after) or sent.size != after.st_size:
        raise StorageError(
            f"{show(request.source)} changed while it was sent; no pointer was written",
            path=request.source,
            hint="run the command again when nothing writes to it",
        )
    return sent, bool(after.st_mode & 0o100)


def _open(source: bytes) -> int:
    directory = open_root(os.path.dirname(source))
    try:
        return open_file(directory, os.path.basename(source), shown=source)
    finally:
        os.close(directory)


def _added(item: Tracked, recorded: Recorded) -> Added:
    pointer = item.pointer
    changed = item.pointer_path in recorded.changed
    return Added(item.path, item.pointer_path, "file", str(pointer.digest), pointer.size, 1, changed)
