"""HDFS by its own protocol, through hdfs-native: no Java is needed."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any
from urllib.parse import unquote
from urllib.parse import urlsplit

from dvtool.errors import ConfigError
from dvtool.model.ports import Capabilities
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.extras import require
from dvtool.remote.fsspec_driver import FsspecLayout
from dvtool.remote.fsspec_driver import FsspecRemote
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.redact import redact

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_USER = "HADOOP_USER_NAME"
_DENIED = re.compile(r'RPCError\("org\.apache\.hadoop\.security\.AccessControlException", "(.*?)(?:\\n|"\)$)')
_BELOW_A_FILE = re.compile(r"access=EXECUTE, .*:-[rwxst-]{9}$")
_NUMBER = re.compile(r"\(os error (\d+)\)", re.ASCII)
_IMPATIENT = {
    "dfs.client.failover.max.attempts": "2",
    "dfs.client.failover.sleep.base.millis": "200",
    "dfs.client.failover.sleep.max.millis": "1000",
    "dfs.client.socket-timeout": "60000",
}
"""The library would try to reach an absent NameNode for minutes; `dvtool.remote.retry` tries again."""
_connecting = threading.Lock()


def open_driver(address: Address) -> Remote:
    """Raises `ConfigError`."""
    try:
        parts = urlsplit(address.url)
        port = parts.port
    except ValueError:
        raise _no_url(address) from None
    root = unquote(parts.path).rstrip("/")
    if not parts.hostname or port == 0 or not root or parts.query or parts.fragment or parts.password:
        raise _no_url(address)
    read = SettingsReader(address)
    user = read.text("user") or unquote(parts.username or "") or address.environ.get(_USER)
    host = parts.hostname if port is None else f"{parts.hostname}:{port}"
    tried = f"user {user}" if user else "the user of this machine, or its Kerberos ticket"
    return FsspecRemote(
        Place(address.name, host, tried),
        redact(address.url),
        lambda: _connect(address.name, parts.hostname or "", port, user, read.count("replication")),
        FsspecLayout(root=root, container=root, staged=True, makes_root=True, replacing="overwrite"),
        Capabilities(create_only=True),
    )


def _connect(name: str, host: str, port: int | None, user: str | None, replication: int | None) -> AbstractFileSystem:
    library = require("hdfs_native.fsspec", "hdfs", name)

    class Hdfs(library.HdfsFileSystem):  # type: ignore[misc, name-defined]
        """With times as other file systems give them, and without the server's stack traces."""

        cachable = False

        def _convert_file_status(self, status: Any) -> dict[str, Any]:
            info: dict[str, Any] = super()._convert_file_status(status)
            return {**info, "mtime": info["modification_time"] / 1000}

        def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
            return super()._open(path, mode, replication=replication, **options)

        def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
            # To seek beyond the end is no exception there, but a panic.
            reader = self.client.read(path)
            first, size = start or 0, len(reader)
            last = size if end is None else min(end, size)
            data: bytes = reader.read_range(first, last - first) if last > first else b""
            return data

        def rm_file(self, path: str) -> None:
            if not self.client.delete(path, False):
                raise FileNotFoundError(path)

    with _connecting:
        # The library knows no other way to be told who asks.
        before = os.environ.get(_USER)
        if user:
            os.environ[_USER] = user
        try:
            fs = Hdfs(host=host, port=port, skip_instance_cache=True, **_IMPATIENT)
            fs.client = _Plain(fs.client)
            # The connection comes about, under that name, at the first request.
            fs.exists("/")
        finally:
            if before is None:
                os.environ.pop(_USER, None)
            else:
                os.environ[_USER] = before
    return fs


class _Plain:
    """The client, with errors of one line: the server appends where in its own code it met them."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **options: Any) -> Any:
            try:
                return method(*args, **options)
            except Exception as error:  # noqa: BLE001 - raised again, shorter
                raise _plain(error) from None

        return call


def _plain(error: Exception) -> Exception:
    said = str(error).partition("\n")[0]
    if denied := _DENIED.match(said):
        # To look for something below a file is denied, too, where that file is not executable.
        return FileNotFoundError(denied[1]) if _BELOW_A_FILE.search(denied[1]) else PermissionError(denied[1])
    number = _NUMBER.search(said)
    if isinstance(error, OSError) and number is not None:
        return OSError(int(number[1]), os.strerror(int(number[1])))
    if "failed to lookup address" in said:
        return socket.gaierror(said)
    return type(error)(said)


def _no_url(address: Address) -> ConfigError:
    return ConfigError(
        f"remote {address.name}: {redact(address.url)} is not hdfs://HOST:PORT/DIRECTORY",
        hint=f"`dvtool remote modify {address.name} url hdfs://HOST:8020/DIRECTORY`",
    )
