"""A folder of an SMB share as a remote."""

from __future__ import annotations

import contextlib
import os
import random
import stat as modes
import threading
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any
from typing import TypeVar

from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.disk.durable import temporary_name
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import WHOLE_BYTES
from dvtool.model.ports import Capabilities
from dvtool.model.ports import RemoteItem
from dvtool.model.ports import Unfinished
from dvtool.remote.address import Address
from dvtool.remote.drivers.smb.connections import MOST
from dvtool.remote.drivers.smb.connections import Connection
from dvtool.remote.drivers.smb.connections import Connections
from dvtool.remote.drivers.smb.failures import exists
from dvtool.remote.drivers.smb.failures import is_absent
from dvtool.remote.drivers.smb.failures import is_denied
from dvtool.remote.drivers.smb.failures import is_folder
from dvtool.remote.drivers.smb.failures import smb_failure
from dvtool.remote.drivers.smb.options import SmbOptions
from dvtool.remote.extras import require
from dvtool.remote.failures import cut_short
from dvtool.remote.failures import too_long
from dvtool.remote.failures import wrong_length
from dvtool.remote.keys import OWN
from dvtool.remote.keys import TEMPORARY
from dvtool.remote.keys import Keys
from dvtool.remote.logins import Login
from dvtool.remote.logins import find_login
from dvtool.remote.logins import login_help

T = TypeVar("T")

_BLOCK = 1 << 20
_EVERYBODY = "rwd"
_TRIES_OVER_OPEN = 50
_SECONDS_OPEN = 0.2


class SmbRemote:
    """`dvtool.model.ports.Remote` over one folder."""

    keys: Keys = OWN

    def __init__(self, address: Address, options: SmbOptions) -> None:
        self.name = address.name
        self.url = options.url
        self.capabilities = Capabilities(unfinished=True, concurrency=MOST)
        self._address = address
        self._options = options
        self._connections = Connections(address, options)
        self._looking = threading.Lock()
        self._login: Login | None = None
        self._looked = False

    def prepare(self) -> None:
        threading.Thread(target=self._prepare_quietly, name=f"dvtool-{self.name}", daemon=True).start()

    def close(self) -> None:
        self._connections.close()

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        self.keys.prefix(prefix)
        return iter(sorted(self._run("list", lambda at: self._walk(at, prefix)), key=lambda item: item.key))

    def stat(self, key: str) -> RemoteItem | None:
        self.keys.key(key)

        def look(at: Connection) -> RemoteItem | None:
            found = _status(at, key)
            if found is None:
                self._require_root(at)
                return None
            return self._item(key, found)

        return self._run(f"look at {key}", look)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        self.keys.key(key)

        def read(at: Connection) -> bytes:
            with self._reading(at, key) as (file, held):
                wanted = max(held - start, 0) if length is None else length
                if length is None and wanted > WHOLE_BYTES:
                    raise too_long(self.name, key, WHOLE_BYTES)
                if start + wanted > held and wanted > 0:
                    raise wrong_length(self.name, key, start + wanted, held)
                data = b"".join(_blocks(at, file, start, wanted))
            if len(data) != wanted:
                raise cut_short(self.name, key, start + wanted, start + len(data))
            return data

        return self._run(f"read {key}", read)

    def get_file(self, key: str, path: bytes, size: int) -> None:
        self.keys.key(key)

        def read(at: Connection) -> None:
            with self._reading(at, key) as (file, held):
                if held != size:
                    raise wrong_length(self.name, key, size, held)
                got = 0
                for data in _blocks(at, file, 0, size):
                    _write(target, data, path)
                    got += len(data)
            if got != size:
                raise cut_short(self.name, key, size, got)

        try:
            target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise storage_error(error, "write", path) from error
        try:
            self._run(f"read {key}", read)
        finally:
            os.close(target)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        self.keys.key(key)
        view = memoryview(data)
        blocks = (view[at : at + _BLOCK] for at in range(0, len(data), _BLOCK))
        return self._run(f"write {key}", lambda at: self._publish(at, key, blocks, create_only=create_only))

    def put_file(self, key: str, path: bytes) -> None:
        self.keys.key(key)
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise storage_error(error, "read", path) from error
        try:
            self._run(f"write {key}", lambda at: self._publish(at, key, _local(source, path), create_only=False))
        finally:
            os.close(source)

    def delete(self, key: str) -> None:
        self.keys.key(key)

        def remove(at: Connection) -> None:
            if not _remove(at, key):
                self._require_root(at)

        self._run(f"delete {key}", remove)

    def unfinished(self) -> Iterator[Unfinished]:
        def look(at: Connection) -> Iterable[Unfinished]:
            entries = _entries(at, TEMPORARY)
            if entries is None:
                self._require_root(at)
            prefix = TEMPORARY_PREFIX.decode("ascii")
            named = (
                (name, info) for name, info, folder in entries or () if name.startswith(prefix) and folder is False
            )
            return [
                Unfinished(TEMPORARY + name, info.end_of_file, info.last_write_time.timestamp(), name)
                for name, info in named
            ]

        return iter(self._run("list", look))

    def discard(self, left: Unfinished) -> None:
        name = TEMPORARY + os.path.basename(left.handle)
        self._run("delete", lambda at: _remove(at, name))

    def _walk(self, at: Connection, top: str) -> Iterable[RemoteItem]:
        found = []
        pending = [top]
        while pending:
            prefix = pending.pop()
            for name, info, folder in _entries(at, prefix) or ():
                key = prefix + name
                if folder is None:
                    self.keys.other(key)
                elif folder:
                    if self.keys.enters(f"{key}/"):
                        pending.append(f"{key}/")
                elif self.keys.has(key):
                    found.append(RemoteItem(key, info.end_of_file, info.last_write_time.timestamp()))
        if not found:
            self._require_root(at)
        return found

    def _publish(self, at: Connection, key: str, blocks: Iterator[Any], *, create_only: bool) -> bool:
        if create_only and _status(at, key) is not None:
            return False
        name = TEMPORARY + temporary_name().decode("ascii")
        file = self._making(at, name, lambda: _open(at, name, "xb"))
        try:
            with _closing(file):
                for block in blocks:
                    rest = block
                    while len(rest):
                        with at.watched():
                            rest = rest[file.write(rest) :]
                with at.watched():
                    file.flush()
            self._making(at, key, lambda: _rename(at, name, key, over=not create_only))
        except Exception as error:
            with contextlib.suppress(Exception):
                _remove(at, name)
            if create_only and exists(error):
                return False
            raise
        return True

    def _making(self, at: Connection, name: str, write: Callable[[], T]) -> T:
        """The result of *write*; the folders above *name* are made when it needs them."""
        try:
            return write()
        except Exception as error:
            if not is_absent(error):
                raise
        self._make(at, name.rpartition("/")[0])
        return write()

    def _make(self, at: Connection, name: str) -> None:
        """Make a folder and those above it down to the root, but none above that."""
        import smbclient

        try:
            with at.watched():
                smbclient.mkdir(at.path(name), **at.arguments)
        except Exception as error:
            if exists(error):
                return
            if not is_absent(error):
                raise
            if not name:
                raise self._no_root() from None
        else:
            return
        self._make(at, name.rpartition("/")[0])
        self._make(at, name)

    @contextlib.contextmanager
    def _reading(self, at: Connection, key: str) -> Iterator[tuple[Any, int]]:
        """The open file and its size."""
        try:
            file = _open(at, key, "rb")
        except Exception as error:
            if is_folder(error):
                raise self._not_a_file(key) from error
            if not is_absent(error):
                raise
            self._require_root(at)
            raise MissingData(f"remote {self.name}: {key} is not there", path=key) from None
        with _closing(file):
            yield file, file.fd.end_of_file

    def _item(self, key: str, found: Any) -> RemoteItem:
        if not modes.S_ISREG(found.st_mode):
            raise self._not_a_file(key)
        return RemoteItem(key, found.st_size, found.st_mtime)

    def _not_a_file(self, key: str) -> StorageError:
        return StorageError(f"remote {self.name}: {key} is not a regular file", path=key, hint="move it away")

    def _require_root(self, at: Connection) -> None:
        found = _status(at, "")
        if found is None or not modes.S_ISDIR(found.st_mode):
            raise self._no_root()

    def _no_root(self) -> StorageError:
        return StorageError(
            f"remote {self.name}: there is no folder {self.url}",
            hint=f"make it there, or check `dvtool config remote.{self.name}.url`; "
            "the first `dvtool push` makes the last part of the path",
        )

    def _run(self, doing: str, work: Callable[[Connection], T]) -> T:
        require("smbclient", "smb", self.name)
        try:
            with self._connections.lent(self._found_login()) as connection:
                return work(connection)
        except Exception as error:
            if self._connections.is_closed:
                raise StorageError(f"remote {self.name} is closed") from error
            help_ = login_help(self._address, self._options.server)
            failure = smb_failure(error, self.name, self._options.server, doing, self._tried(), help_)
            if failure is error:
                raise
            raise failure from error

    def _found_login(self) -> Login | None:
        with self._looking:
            if not self._looked:
                address = self._address
                if self._options.user:
                    settings = {**address.settings, "user": self._options.user}
                    address = Address(
                        address.name, address.url, settings, address.base_dir, address.environ, address.origins
                    )
                self._login = find_login(address, self._options.server)
                self._looked = True
            return self._login

    def _tried(self) -> str:
        if self._login is None:
            return "the Kerberos ticket of this machine, since no user and password are set"
        return f"user {self._login.user} with the password of {self._login.source}"

    def _prepare_quietly(self) -> None:
        # Whatever goes wrong here goes wrong again, and is told, at the first real request.
        with contextlib.suppress(Exception):
            self._run("connect", lambda at: _status(at, ""))


def _open(at: Connection, name: str, mode: str) -> Any:
    import smbclient

    with at.watched():
        return smbclient.open_file(at.path(name), mode, buffering=0, share_access=_EVERYBODY, **at.arguments)


@contextlib.contextmanager
def _closing(file: Any) -> Iterator[None]:
    try:
        yield
        file.close()
    except BaseException:
        with contextlib.suppress(Exception):
            file.close()
        if not file.closed:
            # The connection is gone, and its handle with it; the library would go on to count it as open.
            file.fd._connected = False  # noqa: SLF001
        raise


def _rename(at: Connection, name: str, key: str, *, over: bool) -> None:
    import smbclient

    rename = smbclient.replace if over else smbclient.rename
    for left in range(_TRIES_OVER_OPEN if over else 1, 0, -1):
        try:
            with at.watched():
                rename(at.path(name), at.path(key), **at.arguments)
        except Exception as error:
            # A file that somebody reads just now is not replaced. Only `catalog` is ever written again.
            if left == 1 or not is_denied(error) or _status(at, key) is None:
                raise
            threading.Event().wait(_SECONDS_OPEN * random.random())  # noqa: S311
        else:
            return


def _status(at: Connection, name: str) -> Any:
    """None: it is not there."""
    import smbclient

    try:
        with at.watched():
            return smbclient.lstat(at.path(name), **at.arguments)
    except Exception as error:
        if is_absent(error):
            return None
        raise


def _remove(at: Connection, name: str) -> bool:
    """False: it was not there."""
    import smbclient

    try:
        with at.watched():
            smbclient.remove(at.path(name), **at.arguments)
    except Exception as error:
        if is_absent(error):
            return False
        raise
    return True


def _entries(at: Connection, prefix: str) -> list[tuple[str, Any, bool | None]] | None:
    """Name, what the server says of it, whether it is a folder: None for a link. None: no such folder."""
    import smbclient

    def folder(each: Any) -> bool | None:
        return None if each.is_symlink() else each.is_dir()

    try:
        with at.watched(), smbclient.scandir(at.path(prefix.rstrip("/")), **at.arguments) as entries:
            return [(each.name, each.smb_info, folder(each)) for each in entries]
    except Exception as error:
        if is_absent(error):
            return None
        raise


def _blocks(at: Connection, file: Any, start: int, length: int) -> Iterator[bytes]:
    file.seek(start)
    left = length
    while left > 0:
        with at.watched():
            data = file.read(min(_BLOCK, left))
        if not data:
            return
        left -= len(data)
        yield data


def _local(source: int, path: bytes) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(source, _BLOCK)
        except OSError as error:
            raise storage_error(error, "read", path) from error
        if not data:
            return
        yield data


def _write(target: int, data: bytes, path: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(target, rest) :]
        except OSError as error:
            raise storage_error(error, "write", path) from error
