"""The bytes of files, whole or in part: from disk, from Git, from the cache, else from remotes in turn."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import NamedTuple
from typing import TypeVar

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.formats.pack import DATA
from dvtool.model.digest import ObjectId
from dvtool.model.digest import is_adopted
from dvtool.model.paths import show
from dvtool.model.pointer import Source as Origin
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.project.imported import open_stated
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.plainfiles import Found
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Routes
from dvtool.project.transfers import wanted_of
from dvtool.store.cache import Cache
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.transfer.partial import RemoteFiles
from dvtool.workspace.pointers import Tracked

R = TypeVar("R")
_MOST_OF_GIT = 1 << 30
_BATCH_BYTES = 32 << 20


class _Origin(NamedTuple):
    """Another repository, from which something was imported, and the tracked path there."""

    contents: Contents
    item: Tracked


class Contents:
    """Reads what a `FileTree` found. *names*: remotes that stand for the default one. Threads may share it.

    Nothing is put into the cache: who reads all of something, again and again, fetches it first.
    """

    def __init__(
        self, project: Project, cache: Cache, names: tuple[str, ...] = (), reporter: Reporter = SILENT
    ) -> None:
        self._project = project
        self._cache = cache
        self._names = names
        self._reporter = reporter
        self._lock = RLock()
        self._routes = Routes(project.config)
        self._remotes = Remotes(project)
        self._chains: dict[str, tuple[str, ...]] = {}
        self._open: dict[str, RemoteFiles] = {}
        self._origins: dict[Origin, _Origin | None] = {}
        self._readers = 0
        self._ending = False

    def close(self) -> None:
        """Ends the connections, once nobody reads any more; what is read later opens them again."""
        with self._lock:
            self._ending = self._readers > 0
            if self._ending:
                return
            for each in self._open.values():
                each.close()
            self._open.clear()
            for origin in self._origins.values():
                if origin is not None:
                    origin.contents.close()
            self._origins.clear()
            self._remotes.__exit__(None, None, None)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Connections stay while somebody is in here."""
        with self._lock:
            self._readers += 1
        try:
            yield
        finally:
            with self._lock:
                self._readers -= 1
                if self._ending and not self._readers:
                    self.close()

    @property
    def bytes_received(self) -> int:
        """What came from remotes, indexes not counted."""
        origins = (each.contents.bytes_received for each in self._origins.values() if each is not None)
        return sum(each.bytes_received for each in self._open.values()) + sum(origins)

    def is_elsewhere(self, found: Found) -> bool:
        """Whether it can only be fetched whole: another tool keeps it, or Git in the repository that it is from."""
        if found.entry is None or found.item is None or found.kind != FILE:
            return False
        oid = found.entry.oid
        if is_adopted(oid):
            return True
        if not found.item.is_imported and found.item.stated is None:
            return False
        with self._lock:
            if self._cache.has_blob(oid):
                return False
        return found.item.stated is not None or self._origin(found.item) is None

    def read(self, found: Found, start: int, stop: int, *, ahead: int = 0) -> bytes:
        """The bytes from *start* to *stop* of tracked content, which lie inside it.

        *ahead*: so many more are likely to be asked for next. Raises `MissingData`, `IntegrityError`, `StorageError`.
        """
        with self.reading():
            return self._read(found, start, stop, ahead)

    def _read(self, found: Found, start: int, stop: int, ahead: int) -> bytes:
        assert found.entry is not None
        assert found.item is not None
        if start >= stop:
            return b""
        entry = found.entry
        data = self._local(entry, start, stop)
        if data is not None:
            return data
        if found.item.is_imported and (origin := self._origin(found.item)) is not None:
            return origin.contents.read(found._replace(item=origin.item), start, stop, ahead=ahead)
        oid, size = entry.oid, entry.size
        return self._in_turn(
            found.path, found.item, lambda files: files.read(oid, size, start, stop, ahead=ahead), entry, start, stop
        )

    def whole(self, found: Iterable[Found]) -> dict[bytes, bytes]:
        """Tracked files by path, whole; small ones of one remote come together."""
        with self.reading():
            return self._whole(found)

    def _whole(self, found: Iterable[Found]) -> dict[bytes, bytes]:
        result: dict[bytes, bytes] = {}
        batch: list[Found] = []
        for one in found:
            assert one.entry is not None
            data = self._local(one.entry, 0, one.entry.size)
            if data is not None:
                result[one.path] = data
            elif one.entry.size >= CHUNKED_FROM or (one.item is not None and one.item.is_imported):
                result[one.path] = self.read(one, 0, one.entry.size)
            else:
                batch.append(one)
                if sum(each.size or 0 for each in batch) > _BATCH_BYTES:
                    result.update(self._together(batch))
                    batch = []
        result.update(self._together(batch))
        return result

    def git_blob(self, sha: str) -> bytes:
        """A file that Git itself has. Raises `MissingData`, `FormatError` for over 1 GiB."""
        from dvtool.git.blobs import read_blobs

        assert self._project.git is not None
        return next(data for _, data in read_blobs(self._project.git, [sha], limit=_MOST_OF_GIT))

    def _together(self, batch: list[Found]) -> dict[bytes, bytes]:
        groups: dict[tuple[str, ...], dict[ObjectId, int]] = {}
        for one in batch:
            assert one.entry is not None
            assert one.item is not None
            groups.setdefault(self._chain(one.path, one.item), {})[one.entry.oid] = one.entry.size
        for chain, wanted in groups.items():
            try:
                # It is in memory then; what fails here is told with its path below, or comes from a mirror.
                self._files(chain[0]).whole(wanted)
            except (MissingData, IntegrityError, StorageError):
                continue
        return {one.path: self.read(one, 0, one.size or 0) for one in batch}

    def _local(self, entry: Entry, start: int, stop: int) -> bytes | None:
        """From the cache; None where that does not have it, or not right."""
        if entry.size == 0:
            return b""
        oid, cache = entry.oid, self._cache
        with self._lock:
            try:
                if cache.packs.find(oid, DATA) is not None:
                    return cache.read_blob(oid)[start:stop]
            except (MissingData, IntegrityError):
                return None
            is_loose = cache.has_loose(oid) and cache.is_sound_loose(oid)
        return _from_file(cache.loose_path(oid), entry.size, start, stop) if is_loose else None

    def _in_turn(
        self, path: bytes, item: Tracked, read: Callable[[RemoteFiles], R], entry: Entry, start: int, stop: int
    ) -> R | bytes:
        failures: list[DvtoolError] = []
        for name in self._chain(path, item):
            try:
                return read(self._files(name))
            except (MissingData, IntegrityError, StorageError) as error:
                failures.append(error)
        # Another process may have fetched it since this one looked.
        with self._lock:
            self._cache.forget()
        data = self._local(entry, start, stop)
        if data is not None:
            return data
        for failure in failures:
            if not isinstance(failure, MissingData):
                raise failure
        where = " or ".join(self._chain(path, item))
        raise MissingData(
            f"{show(path)} is not in the cache and not on {where} ({entry.digest})",
            path=path,
            hint=f"somebody who has the data can run `dvtool push`; dvtool whereis --check {show(path)}",
        )

    def _origin(self, item: Tracked) -> _Origin | None:
        """Where an imported path can be read by parts; None where what it is from has it in other ways.

        Raises `UnsafeInput` where the user did not say that it may be read; as `open_stated`.
        """
        stated = item.pointer.source
        assert stated is not None
        with self._lock:
            if stated not in self._origins:
                source = open_stated(self._project, stated, show(item.pointer_path), self._reporter)
                owner = source.tracked.owner(source.inside(stated.path))
                found = None
                if owner is not None and owner.stated is None:
                    contents = Contents(source.project, open_cache(source.project), (), self._reporter)
                    found = _Origin(contents, owner)
                self._origins[stated] = found
            return self._origins[stated]

    def _chain(self, path: bytes, item: Tracked) -> tuple[str, ...]:
        with self._lock:
            owner = self._routes.owner(item)
            if owner not in self._chains:
                try:
                    routes = self._routes.for_reading([wanted_of(self._routes, item)], self._names, self._reporter)
                except ConfigError as error:
                    if self._project.config.remotes():
                        raise
                    raise MissingData(
                        f"{show(path)} is not in the cache, and there is no remote to read it from",
                        path=path,
                        hint="dvtool remote add -d NAME URL",
                    ) from error
                self._chains[owner] = routes[0].remotes
            return self._chains[owner]

    def _files(self, name: str) -> RemoteFiles:
        with self._lock:
            if name not in self._open:
                jobs = int(self._project.config.remote(name).options.get("jobs", "0"))
                self._open[name] = RemoteFiles(self._cache, self._remotes.get(name), jobs=jobs)
            return self._open[name]


def _from_file(path: bytes, size: int, start: int, stop: int) -> bytes | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_size != size:
                return None
            data = os.pread(fd, stop - start, start)
        finally:
            os.close(fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error
    return data if len(data) == stop - start else None
