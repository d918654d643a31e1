"""Telling a shared cache what this workspace needs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager

from dvtool.disk.durable import create_only
from dvtool.disk.durable import make_dirs
from dvtool.disk.lock import FileLock
from dvtool.errors import storage_error
from dvtool.formats.pack import TREE
from dvtool.formats.records import Root
from dvtool.hashing.digests import object_id
from dvtool.project.open import Project
from dvtool.store.cache import Cache
from dvtool.store.cacheroots import has_roots
from dvtool.store.cacheroots import keep_roots
from dvtool.store.cacheroots import replace_roots
from dvtool.store.cacheroots import roots_by_workspace
from dvtool.workspace.pointers import Tracked


def keep_in_shared_cache(project: Project, cache: Cache, items: Iterable[Tracked]) -> None:
    """Name what *items* stand for in the cache's root file of this workspace; nothing where the cache is its own.

    The first time, also all else that its commits, index and files name. What the cache does not
    hold needs no keeping and is left out. Raises `StorageError`, `Locked`, `FormatError`, `IntegrityError`.
    """
    _keep(project, cache, (Root(item.is_directory, item.pointer.digest.oid) for item in items))


@contextmanager
def kept_in_shared_cache(project: Project, cache: Cache, roots: Iterable[Root]) -> Iterator[None]:
    """Meanwhile nobody collects in a shared cache; afterwards it keeps *roots*. Raises as `keep_in_shared_cache`."""
    if project.config.path("cache.dir") is None:
        yield
        return
    with _nobody_collects(cache):
        yield
        _keep(project, cache, roots)


def _keep(project: Project, cache: Cache, roots: Iterable[Root]) -> None:
    if project.config.path("cache.dir") is None:
        return
    workspace = _workspace_id(project)
    wanted = dict.fromkeys(roots)
    # The cache's lock first, as everywhere; the other one, for two commands of this workspace add to one file.
    path = os.path.join(project.layout.state_dir, b"roots.lock")
    try:
        with _nobody_collects(cache), FileLock(path).acquire(shared=False):
            if not has_roots(cache, workspace):
                from dvtool.project.named import named_roots

                wanted.update(dict.fromkeys(named_roots(project)))
            here = [root for root in wanted if _is_here(cache, root)]
            if here:
                keep_roots(cache, workspace, project.repo_id, here)
    except OSError as error:
        raise storage_error(error, "lock", error.filename or path) from error


@contextmanager
def _nobody_collects(cache: Cache) -> Iterator[None]:
    try:
        cache.make_folder(cache.root)
        lock = cache.lock.acquire(shared=True, timeout=cache.waiting.timeout, on_wait=cache.waiting.on_wait)
    except OSError as error:
        raise storage_error(error, "lock", error.filename or cache.root) from error
    with lock:
        yield


def _is_here(cache: Cache, root: Root) -> bool:
    return cache.has_meta(root.oid, TREE) if root.directory else cache.has_blob(root.oid)


def roots_of_others(project: Project, cache: Cache) -> Iterator[Root]:
    """What the other workspaces that share the cache have named there. Raises as `roots_by_workspace`."""
    mine: str | None = None
    for workspace, record in roots_by_workspace(cache):
        mine = mine or _workspace_id(project)
        if workspace != mine:
            yield from record.roots


def is_own_root_file(project: Project, name: str) -> bool:
    """Whether the root file of that name in a shared cache belongs to this workspace."""
    return project.config.path("cache.dir") is not None and name == _workspace_id(project)


def trim_own_roots(project: Project, cache: Cache, roots: Iterable[Root]) -> None:
    """Let this workspace keep exactly *roots* in a cache that others share. Needs the exclusive lock."""
    if project.config.path("cache.dir") is not None:
        replace_roots(cache, _workspace_id(project), project.repo_id, roots)


def _workspace_id(project: Project) -> str:
    path = os.path.join(project.layout.state_dir, b"workspace")
    try:
        make_dirs(project.layout.state_dir)
        create_only(path, os.urandom(16).hex().encode("ascii"))
        with open(path, "rb") as file:
            stored = file.read(32)
    except OSError as error:
        raise storage_error(error, "read", path) from error
    # A copy of the whole repository is another workspace, which must not lose what the first one does not need.
    return object_id(stored + b"\0" + os.path.realpath(project.layout.state_dir)).hex()[:32]
