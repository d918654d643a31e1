"""Entries of the run cache in a cache: lines appended to one file for each of the first two digits of their keys.

Nothing relies on an entry: one that is torn, damaged or lost costs a run of its stage. So nothing here is synced.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.disk.durable import write_all
from dvtool.disk.durable import write_file
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import UnsafeInput
from dvtool.errors import storage_error
from dvtool.formats.pack import TREE
from dvtool.formats.runentry import MAX_BYTES
from dvtool.formats.runentry import decode_entry
from dvtool.model.digest import is_adopted
from dvtool.model.pointer import Kind
from dvtool.store.cache import Cache
from dvtool.store.names import RUNS

_NAMES = frozenset(b"%02x" % number for number in range(256))


class Line(NamedTuple):
    """One line as it lies in a file; ``number`` from 1."""

    path: bytes
    number: int
    data: bytes


class RunFiles:
    """Those of one cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._folder = os.path.join(cache.root, RUNS.rstrip("/").encode("ascii"))

    def lines_of(self, key: str) -> Iterator[bytes]:
        """The lines that begin with *key*, the newest first. Raises `StorageError`."""
        data = self._read(self.path_of(key))
        wanted = key.encode("ascii") + b" "
        end = len(data)
        while (at := data.rfind(wanted, 0, end)) >= 0:
            if at == 0 or data[at - 1] == 0x0A:
                stop = data.find(b"\n", at)
                yield data[at : stop if stop >= 0 else len(data)] + b"\n"
            end = at

    def append(self, key: str, line: bytes) -> None:
        """Add a line. Raises `StorageError`."""
        path = self.path_of(key)
        shared = self._cache.settings.group_shared
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            try:
                fd = os.open(path, flags, 0o664 if shared else 0o644)
            except FileNotFoundError:
                self._cache.make_folder(self._folder)
                fd = os.open(path, flags, 0o664 if shared else 0o644)
            try:
                size = os.fstat(fd).st_size
                if size == 0 and shared:
                    with contextlib.suppress(PermissionError):
                        os.fchmod(fd, 0o664)
                is_torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
                write_all(fd, b"\n" + line if is_torn else line)
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error(error, "write", path) from error

    def lines(self) -> Iterator[Line]:
        """Every line of every file. Raises `StorageError`."""
        for path in self.paths():
            yield from self.lines_in(path)

    def lines_in(self, path: bytes) -> Iterator[Line]:
        """Every line of one file. Raises `StorageError`."""
        for number, data in enumerate(self._read(path).split(b"\n"), 1):
            if data:
                yield Line(path, number, data + b"\n")

    def paths(self) -> list[bytes]:
        """The files that are there."""
        try:
            names = os.listdir(self._folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise storage_error(error, "list", self._folder) from error
        return [os.path.join(self._folder, name) for name in sorted(names) if name in _NAMES]

    def keep(self, path: bytes, is_kept: Callable[[bytes], bool]) -> int:
        """Take those lines out of one file that are not kept, and older ones of the same key; how many went.

        A line that is appended meanwhile may be lost with them. Raises `StorageError`.
        """
        lines = [line.data for line in self.lines_in(path)]
        newest = {line.partition(b" ")[0]: line for line in lines if is_kept(line)}
        if len(newest) == len(lines):
            return 0
        mode = 0o664 if self._cache.settings.group_shared else 0o644
        try:
            if newest:
                write_file(path, b"".join(newest.values()), mode=mode, durable=False)
            else:
                os.unlink(path)
        except OSError as error:
            raise storage_error(error, "write", path) from error
        return len(lines) - len(newest)

    def path_of(self, key: str) -> bytes:
        """Where entries of *key* lie."""
        return os.path.join(self._folder, key[:2].encode("ascii"))

    def _read(self, path: bytes) -> bytes:
        try:
            with open(path, "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return b""
        except OSError as error:
            raise storage_error(error, "read", path) from error


def drop_useless(cache: Cache) -> None:
    """Forget runs whose outputs are no longer in the cache. Raises `StorageError`."""
    files = RunFiles(cache)
    for path in files.paths():
        files.keep(path, lambda line: is_useful(cache, line))


def is_entry(line: bytes) -> bool:
    """Whether a line is a whole entry, or one of a newer version."""
    try:
        decode_entry(line, "")
    except (FormatError, IntegrityError, UnsafeInput) as error:
        return error.hint == "upgrade dvtool"
    return True


def is_useful(cache: Cache, line: bytes) -> bool:
    """Whether a line is an entry whose outputs are in the cache, as far as their names tell."""
    try:
        outs = decode_entry(line, "")[1].outs.values()
    except (FormatError, IntegrityError, UnsafeInput) as error:
        return error.hint == "upgrade dvtool"
    # Of what another tool's runs made, nobody knows here what is still there.
    return all(
        True
        if is_adopted(content.digest.oid)
        else cache.has_meta(content.digest.raw, TREE)
        if content.kind is Kind.DIRECTORY
        else cache.has_blob(content.digest.raw)
        for content in outs
    )


def fits(line: bytes) -> bool:
    """Whether a line is short enough to be kept."""
    return len(line) <= MAX_BYTES
