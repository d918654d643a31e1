"""A directory as a remote: a local disk, a NAS mount, a USB disk.

The directory must exist to be read: an unmounted share is an error, never an empty remote.
The first write creates the directory itself if its parent exists, and no more than that.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from dvtool.disk.clone import read_blocks
from dvtool.disk.clone import reflink
from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.disk.durable import discard
from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import fsync_file
from dvtool.disk.durable import open_temporary
from dvtool.disk.durable import publish
from dvtool.disk.durable import write_all
from dvtool.errors import ConfigError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.ports import WHOLE_BYTES
from dvtool.model.ports import Capabilities
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.model.ports import Unfinished
from dvtool.remote.address import Address
from dvtool.remote.failures import file_failure
from dvtool.remote.failures import too_long
from dvtool.remote.failures import wrong_length
from dvtool.remote.keys import OWN
from dvtool.remote.keys import TEMPORARY
from dvtool.remote.keys import Keys
from dvtool.remote.redact import redact

_READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


def open_driver(address: Address) -> Remote:
    """Raises `ConfigError` for a URL that names a host, or ``~``."""
    return LocalRemote(address.name, directory_of(address))


class LocalRemote:
    """`dvtool.model.ports.Remote` over the directory *root* (absolute)."""

    keys: Keys = OWN

    def __init__(self, name: str, root: bytes) -> None:
        self.name = name
        self.url = os.fsdecode(root)
        self.capabilities = Capabilities(create_only=True, ranges=True, listing=True, unfinished=True)
        self._root = root
        self._temporary = os.path.join(root, os.fsencode(TEMPORARY.rstrip("/")))

    def prepare(self) -> None:
        """Nothing is slow to start."""

    def close(self) -> None:
        """Nothing is held open."""

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        self._require_root()
        top = os.fsencode(self.keys.prefix(prefix))
        return iter(sorted(self._walk(top), key=lambda item: item.key))

    def stat(self, key: str) -> RemoteItem | None:
        path = self._path(key)
        with self._failures("look at", path):
            try:
                status = os.lstat(path)
            except OSError as error:
                if error.errno in _ABSENT:
                    self._require_root()
                    return None
                raise
        if not stat.S_ISREG(status.st_mode):
            raise self._not_a_file(key, path)
        return RemoteItem(key, status.st_size, status.st_mtime)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        path = self._path(key)
        source = self._open_value(key, path)
        try:
            with self._failures("read", path):
                available = max(os.fstat(source).st_size - start, 0)
                wanted = available if length is None else length
                if length is None and available > WHOLE_BYTES:
                    raise too_long(self.name, key, WHOLE_BYTES)
                if wanted > available:
                    raise wrong_length(self.name, key, start + wanted, start + available)
                data = _read_at(source, start, wanted)
            if len(data) != wanted:
                raise wrong_length(self.name, key, start + wanted, start + len(data))
            return data
        finally:
            os.close(source)

    def get_file(self, key: str, path: bytes, size: int) -> None:
        value = self._path(key)
        source = self._open_value(key, value)
        try:
            with self._failures("read", value):
                held = os.fstat(source).st_size
            if held != size:
                raise wrong_length(self.name, key, size, held)
            with self._failures("write", path):
                target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
                try:
                    copied = _copy(source, target)
                finally:
                    os.close(target)
        finally:
            os.close(source)
        if copied != size:
            raise wrong_length(self.name, key, size, copied)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        return self._publish(key, lambda target: write_all(target, data), create_only=create_only)

    def put_file(self, key: str, path: bytes) -> None:
        with self._failures("read", path):
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._publish(key, lambda target: _copy_whole(source, target), create_only=False)
        finally:
            os.close(source)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._failures("delete", path):
            try:
                os.unlink(path)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                self._require_root()
                return
            # A collection deletes in an order that keeps every promise: it must hold after a power loss too.
            fsync_dir(os.path.dirname(path))

    def unfinished(self) -> Iterator[Unfinished]:
        self._require_root()
        with self._failures("list", self._temporary):
            try:
                names = sorted(os.listdir(self._temporary))
            except FileNotFoundError:
                return
        for name in names:
            path = os.path.join(self._temporary, name)
            with self._failures("look at", path):
                try:
                    status = os.lstat(path)
                except FileNotFoundError:  # its upload has just ended
                    continue
            if name.startswith(TEMPORARY_PREFIX) and stat.S_ISREG(status.st_mode):
                shown = TEMPORARY + os.fsdecode(name)
                yield Unfinished(shown, status.st_size, status.st_mtime, os.fsdecode(name))

    def discard(self, left: Unfinished) -> None:
        path = os.path.join(self._temporary, os.path.basename(os.fsencode(left.handle)))
        with self._failures("delete", path), suppress(FileNotFoundError):
            os.unlink(path)

    def prune(self, prefix: str) -> None:
        top = self._path(self.keys.prefix(prefix).rstrip("/"))
        for directory, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                os.rmdir(directory)

    def _publish(self, key: str, fill: Callable[[int], object], *, create_only: bool) -> bool:
        path = self._path(key)
        self._make_directory(self._temporary)
        self._make_directory(os.path.dirname(path))
        with self._failures("write", path):
            target, temporary = open_temporary(self._temporary, mode=0o666)
            try:
                try:
                    fill(target)
                    fsync_file(target)
                    written = os.fstat(target)
                finally:
                    os.close(target)
                if create_only:
                    return publish(temporary, path, durable=True)
                _replace(temporary, path, written)
            except BaseException:
                discard(None, temporary)
                raise
            fsync_dir(os.path.dirname(path))
            return True

    def _make_directory(self, path: bytes) -> None:
        with self._failures("create", path):
            missing: list[bytes] = []
            while not os.path.isdir(path):
                missing.append(path)
                if path == self._root:
                    break
                path = os.path.dirname(path)
            for made in reversed(missing):
                try:
                    os.mkdir(made)
                except FileExistsError:
                    continue
                except FileNotFoundError:
                    raise self._unmounted() from None
                fsync_dir(os.path.dirname(made))

    def _walk(self, top: bytes) -> Iterator[RemoteItem]:
        pending = [top]
        while pending:
            prefix = pending.pop()
            directory = os.path.join(self._root, prefix)
            with self._failures("list", directory):
                try:
                    scan = os.scandir(directory)
                except OSError as error:
                    if error.errno not in _ABSENT:
                        raise
                    self._require_root()
                    continue
                with scan:
                    for entry in scan:
                        name = prefix + entry.name
                        key = os.fsdecode(name)
                        if entry.is_dir(follow_symlinks=False):
                            if self.keys.enters(f"{key}/"):
                                pending.append(name + b"/")
                        elif not entry.is_file(follow_symlinks=False):
                            self.keys.other(key)
                        elif self.keys.has(key):
                            item = _listed(key, entry)
                            if item is not None:
                                yield item

    def _open_value(self, key: str, path: bytes) -> int:
        with self._failures("read", path):
            try:
                value = os.open(path, _READ_FLAGS)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV):
                    raise self._not_a_file(key, path) from error
                if error.errno not in _ABSENT:
                    raise
            else:
                if stat.S_ISREG(os.fstat(value).st_mode):
                    return value
                os.close(value)
                raise self._not_a_file(key, path)
        self._require_root()
        raise MissingData(f"remote {self.name}: {key} is not there", path=path)

    def _not_a_file(self, key: str, path: bytes) -> StorageError:
        return StorageError(f"remote {self.name}: {key} is not a regular file", path=path, hint="move it away")

    def _path(self, key: str) -> bytes:
        return os.path.join(self._root, os.fsencode(self.keys.key(key)))

    def _require_root(self) -> None:
        with self._failures("open", self._root):
            try:
                if stat.S_ISDIR(os.stat(self._root).st_mode):
                    return
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
        raise self._unmounted()

    def _unmounted(self) -> StorageError:
        # The first write makes the directory, none above it.
        is_made = os.path.isdir(os.path.dirname(self._root))
        make = "make it with the first `dvtool push`" if is_made else "create it with mkdir"
        return StorageError(
            f"remote {self.name}: there is no directory {self.url}: is it mounted?",
            path=self._root,
            hint=f"mount it, {make}, or check `dvtool config remote.{self.name}.url`",
        )

    @contextmanager
    def _failures(self, doing: str, path: bytes) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise file_failure(error, self.name, doing, path) from error


def directory_of(address: Address) -> bytes:
    """The directory that a URL names, absolute; raises as `open_driver`."""
    name, url = address.name, address.url
    path = os.fsencode(url)
    if url[:7].lower() == "file://":
        host, slash, rest = url[7:].partition("/")
        if host not in ("", "localhost") or not slash:
            raise ConfigError(f"remote {name}: {redact(url)} names a host: write file:///absolute/path")
        path = b"/" + unquote_to_bytes(rest)
    if path == b"~" or path.startswith(b"~/"):
        raise ConfigError(f"remote {name}: ~ is not expanded in {url}: write the whole path")
    return os.path.normpath(os.path.join(address.base_dir, path))


def _replace(temporary: bytes, path: bytes, written: os.stat_result) -> None:
    try:
        os.replace(temporary, path)
    except FileNotFoundError:
        # NFS: the server did it, the reply was lost, and the second try found nothing to rename.
        if not os.path.samestat(os.lstat(path), written):
            raise


def _listed(key: str, entry: os.DirEntry[bytes]) -> RemoteItem | None:
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # deleted by somebody else since the directory was read
        return None
    return RemoteItem(key, status.st_size, status.st_mtime)


def _read_at(source: int, start: int, length: int) -> bytes:
    parts: list[bytes] = []
    while length:
        part = os.pread(source, length, start)
        if not part:
            break
        parts.append(part)
        start += len(part)
        length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _copy(source: int, target: int) -> int:
    """Share or copy all of *source* into the empty *target*; how many bytes that were."""
    if reflink(source, target):
        return os.fstat(target).st_size
    return read_blocks(source, lambda block: write_all(target, block))


def _copy_whole(source: int, target: int) -> None:
    expected = os.fstat(source).st_size
    copied = _copy(source, target)
    if copied != expected:
        raise OSError(errno.EIO, f"the file being sent changed: {copied} bytes instead of {expected}")
