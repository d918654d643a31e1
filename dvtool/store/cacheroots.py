"""Root files of a cache that several repositories share: what each workspace still needs.

See ``docs/formats/remote.md``: a root file has the form of a root record, lies under
``roots/WORKSPACE`` and is replaced by rename. It only grows here; a collection trims it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator

from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.disk.durable import write_file
from dvtool.errors import storage_error
from dvtool.formats.records import Root
from dvtool.formats.records import RootRecord
from dvtool.formats.records import decode_root_record
from dvtool.formats.records import encode_root_record
from dvtool.model.paths import show
from dvtool.store.cache import Cache


def roots_by_workspace(cache: Cache) -> Iterator[tuple[str, RootRecord]]:
    """Every root file, by the workspace that it belongs to.

    Raises `FormatError`, `IntegrityError` for one that is damaged, `StorageError`: none is passed over.
    """
    folder = os.path.join(cache.root, b"roots")
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(error, "list", folder) from error
    for name in names:
        if name.startswith(TEMPORARY_PREFIX):
            continue
        path = os.path.join(folder, name)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise storage_error(error, "read", path) from error
        yield os.fsdecode(name), decode_root_record(data, show(path))


def has_roots(cache: Cache, workspace: str) -> bool:
    """Whether a workspace has a root file."""
    return os.path.lexists(os.path.join(cache.root, b"roots", os.fsencode(workspace)))


def keep_roots(cache: Cache, workspace: str, repository: str, roots: Iterable[Root]) -> None:
    """Add *roots* to the file of a workspace; durable when this returns, and before any pointer names them.

    Raises `FormatError`, `IntegrityError` for a damaged file, `StorageError`.
    """
    folder = os.path.join(cache.root, b"roots")
    path = os.path.join(folder, os.fsencode(workspace))
    known: set[Root] = set()
    try:
        with open(path, "rb") as file:
            known.update(decode_root_record(file.read(), show(path)).roots)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise storage_error(error, "read", path) from error
    wanted = known.union(roots)
    if wanted == known:
        return
    record = RootRecord(repository, (), tuple(wanted), ())
    try:
        cache.make_folder(folder)
        # Whoever holds the lock alone may delete temporaries.
        with cache.lock.acquire(shared=True):
            write_file(path, encode_root_record(record), durable=cache.settings.durable)
    except OSError as error:
        raise storage_error(error, "write", path) from error


def replace_roots(cache: Cache, workspace: str, repository: str, roots: Iterable[Root]) -> None:
    """Let the file of a workspace name *roots* alone. Needs the exclusive lock. Raises `StorageError`."""
    folder = os.path.join(cache.root, b"roots")
    path = os.path.join(folder, os.fsencode(workspace))
    try:
        cache.make_folder(folder)
        record = RootRecord(repository, (), tuple(dict.fromkeys(roots)), ())
        write_file(path, encode_root_record(record), durable=cache.settings.durable)
    except OSError as error:
        raise storage_error(error, "write", path) from error
