"""Any fsspec file system as a remote."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import threading
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import Capabilities
from dvtool.model.ports import RemoteItem
from dvtool.remote.failures import cut_short
from dvtool.remote.failures import wrong_length
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.fsspec_failures import fsspec_failure
from dvtool.remote.fsspec_failures import is_missing
from dvtool.remote.keys import TEMPORARY
from dvtool.remote.keys import check_key
from dvtool.remote.keys import check_prefix
from dvtool.remote.keys import is_key

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_RANGE_BYTES = 8 << 20
_TIME_FIELDS = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")


@dataclass(frozen=True, slots=True)
class FsspecLayout:
    """How keys lie in a file system.

    ``root`` is the path of the remote, ``container`` the one whose absence is an error rather
    than "no keys yet" (the bucket; the root itself on a file server). ``staged``: a written file
    is visible before it is complete, so values are written below ``tmp/`` and moved.
    """

    root: str
    container: str
    staged: bool


class FsspecRemote:
    """`dvtool.model.ports.Remote` over what *connect* returns.

    *connect* is called once, at the first request, and must switch off instance and listing
    caches (``skip_instance_cache=True``, ``use_listings_cache=False``).
    """

    def __init__(
        self,
        place: Place,
        url: str,
        connect: Callable[[], AbstractFileSystem],
        layout: FsspecLayout,
        capabilities: Capabilities,
    ) -> None:
        self.name = place.name
        self.url = url
        self.capabilities = capabilities
        self._place = place
        self._connect = connect
        self._layout = layout
        self._connecting = threading.Lock()
        self._filesystem: AbstractFileSystem | None = None
        self._made: set[str] = set()

    def prepare(self) -> None:
        threading.Thread(target=self._prepare_quietly, name=f"dvtool-{self.name}", daemon=True).start()

    def close(self) -> None:
        with self._connecting:
            self._filesystem = None

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        # Not `find`: its walk takes an error for an empty directory.
        pending = [self._path(check_prefix(prefix).rstrip("/"))]
        while pending:
            for info in self._ls(pending.pop()):
                path = info["name"].rstrip("/")
                key = self._key(path)
                if info["type"] == "directory":
                    if key + "/" != TEMPORARY:
                        pending.append(path)
                elif info["type"] == "file" and is_key(key):
                    yield _item(key, info)

    def stat(self, key: str) -> RemoteItem | None:
        with self._failures(f"look at {check_key(key)}"):
            info = self._info(self._path(key))
        if info is None:
            self._require_container()
            return None
        if info["type"] != "file":
            raise StorageError(f"remote {self.name}: {key} is not a file")
        return _item(key, info)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        path = self._path(check_key(key))
        if length == 0 or (start and length is None):
            item = self._require(key)
            if length == 0 or start >= item.size:
                return b""
        end = None if length is None else start + length
        ranged = {} if not start and end is None else {"start": start, "end": end}
        with self._failures(f"read {key}"), self._missing(key):
            data: bytes = self._fs().cat_file(path, **ranged)
        if length is not None and len(data) != length:
            raise wrong_length(self.name, key, start + length, start + len(data))
        return data

    def get_file(self, key: str, path: bytes, size: int) -> None:
        held = self._require(key).size
        if held != size:
            raise wrong_length(self.name, key, size, held)
        try:
            with open(path, "wb") as target:
                if self.capabilities.ranges:
                    target.writelines(
                        self.get(key, start, min(_RANGE_BYTES, size - start)) for start in range(0, size, _RANGE_BYTES)
                    )
                    return
        except OSError as error:
            raise storage_error(error, "write", path) from error
        self._get_whole(key, path, size)

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        path = self._path(check_key(key))
        if create_only and self.stat(key) is not None:
            return False
        if create_only and self.capabilities.create_only and not self._layout.staged:
            return self._put_once(key, path, data)
        self._store(key, path, lambda fs, target: fs.pipe_file(target, data))
        return True

    def put_file(self, key: str, path: bytes) -> None:
        local = os.fsdecode(path)
        self._store(key, self._path(check_key(key)), lambda fs, target: fs.put_file(local, target))

    def delete(self, key: str) -> None:
        path = self._path(check_key(key))
        with self._failures(f"delete {key}"):
            try:
                self._fs().rm_file(path)
                return
            except Exception as error:
                if not is_missing(error):
                    raise
        self._require_container()

    def _store(self, key: str, path: str, write: Callable[[AbstractFileSystem, str], object]) -> None:
        with self._failures(f"write {key}"):
            fs = self._fs()
            if not self._layout.staged:
                write(fs, path)
                return
            self._require_container()
            temporary = self._path(TEMPORARY + secrets.token_hex(12))
            self._make_parent(fs, temporary)
            self._make_parent(fs, path)
            try:
                write(fs, temporary)
                fs.mv(temporary, path)
            except BaseException:
                with contextlib.suppress(Exception):
                    fs.rm_file(temporary)
                raise

    def _put_once(self, key: str, path: str, data: bytes) -> bool:
        with self._failures(f"write {key}"):
            try:
                self._fs().pipe_file(path, data, mode="create")
            except FileExistsError:
                return False
        return True

    def _get_whole(self, key: str, path: bytes, size: int) -> None:
        try:
            with self._failures(f"read {key}"), self._missing(key):
                self._fs().get_file(self._path(key), os.fsdecode(path))
            got = os.stat(path).st_size
            if got != size:
                raise cut_short(self.name, key, size, got)
        except BaseException:
            # Drivers set the full size first, so the length says nothing about what arrived.
            with open(path, "wb"):
                raise

    def _make_parent(self, fs: AbstractFileSystem, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent not in self._made:
            fs.makedirs(parent, exist_ok=True)
            self._made.add(parent)

    def _ls(self, path: str) -> Any:
        with self._failures("list"):
            try:
                return self._fs().ls(path, detail=True, refresh=True)
            except Exception as error:
                if not is_missing(error):
                    raise
        self._require_container()
        return ()

    def _info(self, path: str) -> Any:
        try:
            return self._fs().info(path)
        except Exception as error:
            if not is_missing(error):
                raise
        return None

    def _require(self, key: str) -> RemoteItem:
        item = self.stat(key)
        if item is None:
            raise MissingData(f"remote {self.name}: {key} is not there", path=key)
        return item

    def _require_container(self) -> None:
        with self._failures("open"):
            if self._info(self._layout.container) is None:
                raise StorageError(
                    f"remote {self.name}: {self._layout.container} does not exist on {self._place.host}",
                    hint=f"create it, or check `dvtool config remote.{self.name}.url`",
                )

    @contextlib.contextmanager
    def _missing(self, key: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not is_missing(error):
                raise
            self._require_container()
            raise MissingData(f"remote {self.name}: {key} is not there", path=key) from error

    @contextlib.contextmanager
    def _failures(self, doing: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            failure = fsspec_failure(error, self._place, doing)
            if failure is error:
                raise
            raise failure from error

    def _fs(self) -> AbstractFileSystem:
        with self._connecting:
            if self._filesystem is None:
                self._filesystem = self._connect()
            return self._filesystem

    def _prepare_quietly(self) -> None:
        # Whatever goes wrong here goes wrong again, and is told, at the first real request.
        with contextlib.suppress(Exception):
            self._fs()

    def _path(self, key: str) -> str:
        return f"{self._layout.root}/{key}" if key else self._layout.root

    def _key(self, path: str) -> str:
        root = self._layout.root.strip("/") + "/"
        plain = path.strip("/")
        if root == "/":
            return plain
        if not plain.startswith(root):
            raise StorageError(f"remote {self.name}: the server lists keys outside {self.url}")
        return plain[len(root) :]


def _item(key: str, info: dict[str, Any]) -> RemoteItem:
    size = info["size"]
    if size is None:
        raise StorageError(f"the server does not state the size of {key}")
    tag = info.get("ETag") or info.get("etag")
    return RemoteItem(key, int(size), _modified(info), None if tag is None else str(tag))


def _modified(info: dict[str, Any]) -> float | None:
    for field in _TIME_FIELDS:
        value = info.get(field)
        if isinstance(value, str):
            try:
                value = dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
            except ValueError:
                continue
        if isinstance(value, dt.datetime):
            aware = value if value.tzinfo is not None else value.replace(tzinfo=dt.timezone.utc)
            return aware.timestamp()
        if isinstance(value, (int, float)):
            return float(value)
    return None
