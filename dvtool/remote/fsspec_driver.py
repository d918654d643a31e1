"""Any fsspec file system as a remote."""

from __future__ import annotations

import contextlib
import inspect
import os
import secrets
import threading
from collections.abc import Callable
from collections.abc import Coroutine
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.model.ports import WHOLE_BYTES
from dvtool.model.ports import Capabilities
from dvtool.model.ports import RemoteItem
from dvtool.remote.calls import Calls
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import cut_short
from dvtool.remote.failures import too_long
from dvtool.remote.failures import wrong_length
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.fsspec_failures import fsspec_failure
from dvtool.remote.fsspec_failures import is_missing
from dvtool.remote.fsspec_items import item_of
from dvtool.remote.keys import OWN
from dvtool.remote.keys import TEMPORARY
from dvtool.remote.keys import Keys

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_RANGE_BYTES = 8 << 20

Disconnect = Callable[[Any], Coroutine[Any, Any, None] | None]


@dataclass(frozen=True, slots=True)
class FsspecLayout:
    """How keys lie in a file system.

    ``root`` is the path of the remote, ``container`` the one whose absence is an error rather
    than "no keys yet" (the bucket; the root itself on a file server). ``staged``: a written file
    is visible before it is complete, so values are written below ``tmp/`` and moved.
    ``makes_root``: the first write makes ``container`` where the directory above it exists.
    ``replacing``: the flag of ``mv`` that replaces what is there; without it of two who move onto one name one fails.
    """

    root: str
    container: str
    staged: bool
    makes_root: bool = False
    replacing: str = ""


class FsspecRemote:
    """`dvtool.model.ports.Remote` over what *connect* returns.

    *connect* is called once, at the first request, and must switch off instance and listing
    caches (``skip_instance_cache=True``, ``use_listings_cache=False``). *exclusive*: its connection
    bears one call at a time. *disconnect* gets the file system at `close`: what is under way on it
    must fail then; it may return a coroutine for the loop of an asynchronous one.
    """

    keys: Keys = OWN

    def __init__(
        self,
        place: Place,
        url: str,
        connect: Callable[[], AbstractFileSystem],
        layout: FsspecLayout,
        capabilities: Capabilities,
        *,
        exclusive: bool = False,
        disconnect: Disconnect | None = None,
    ) -> None:
        self.name = place.name
        self.url = url
        self.capabilities = capabilities
        self._place = place
        self._connect = connect
        self._disconnect = disconnect
        self._layout = layout
        self._connecting = threading.Lock()
        self._filesystem: AbstractFileSystem | None = None
        self._calls: Calls | None = None
        self._closed = False
        self._turn: Any = threading.RLock() if exclusive else contextlib.nullcontext()
        self._made: set[str] = set()
        self._is_writable = False

    def prepare(self) -> None:
        threading.Thread(target=self._prepare_quietly, name=f"dvtool-{self.name}", daemon=True).start()

    def close(self) -> None:
        with self._connecting:
            self._closed = True
            fs, self._filesystem = self._filesystem, None
        if fs is None:
            return
        with contextlib.suppress(Exception):
            last = None if self._disconnect is None else self._disconnect(fs)
            if self._calls is not None:
                self._calls.stop(last)

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        # Not `find`: its walk takes an error for an empty directory.
        pending = [self._path(self.keys.prefix(prefix).rstrip("/"))]
        while pending:
            directory = pending.pop()
            inside = self._ls(directory)
            if self._is_itself(directory, inside):
                continue
            for info in inside:
                path = info["name"].rstrip("/")
                key = self._key(path)
                if info["type"] == "directory":
                    if self.keys.enters(f"{key}/"):
                        pending.append(path)
                elif info["type"] != "file":
                    self.keys.other(key)
                elif self.keys.has(key):
                    yield item_of(key, info)

    def stat(self, key: str) -> RemoteItem | None:
        with self._failures(f"look at {self.keys.key(key)}"):
            info = self._info(self._path(key))
        if info is None:
            self._require_container()
            return None
        if info["type"] != "file":
            raise StorageError(f"remote {self.name}: {key} is not a file")
        return item_of(key, info)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        path = self._path(self.keys.key(key))
        is_whole = length is None and not start
        if length is None:
            # Its length, asked for first, bounds the answer and finds one that is cut without a word.
            length = max(self._require(key).size - start, 0)
            if length > WHOLE_BYTES:
                raise too_long(self.name, key, WHOLE_BYTES)
        elif not length:
            self._require(key)
        if not length:
            return b""
        ranged = {} if is_whole else {"start": start, "end": start + length}
        with self._failures(f"read {key}"), self._missing(key):
            data: bytes = self._call("cat_file", path, **ranged)
        if len(data) > length and not is_whole:
            # The whole value: there are libraries that do not look at the range.
            data = data[start : start + length]
        if len(data) != length:
            raise self._other_length(key, start + length, start + len(data))
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
        path = self._path(self.keys.key(key))
        if create_only and self.stat(key) is not None:
            return False
        if create_only and self.capabilities.create_only and not self._layout.staged:
            return self._put_once(key, path, data)
        replace = not (create_only and self._layout.replacing)
        return self._store(key, path, lambda target: self._call("pipe_file", target, data), replace=replace)

    def put_file(self, key: str, path: bytes) -> None:
        try:
            with open(path, "rb"):
                local = os.fsdecode(path)
        except OSError as error:
            raise storage_error(error, "read", path) from error
        self._store(key, self._path(self.keys.key(key)), lambda target: self._call("put_file", local, target))

    def delete(self, key: str) -> None:
        path = self._path(self.keys.key(key))
        with self._failures(f"delete {key}"):
            try:
                self._call("rm_file", path)
                return
            except Exception as error:
                if not is_missing(error):
                    raise
        self._require_container()

    def prune(self, prefix: str) -> None:
        if not self._layout.staged:
            return
        found = pending = [self._path(self.keys.prefix(prefix).rstrip("/"))]
        while pending:
            inside = [info for path in pending for info in self._ls(path)]
            pending = [info["name"].rstrip("/") for info in inside if info["type"] == "directory"]
            found = [*found, *pending]
        for path in reversed(found):
            # A directory that is not empty, or is gone by now.
            with contextlib.suppress(Exception):
                self._call("rmdir", path)
        self._made.clear()

    def _store(self, key: str, path: str, write: Callable[[str], object], *, replace: bool = True) -> bool:
        with self._failures(f"write {key}"):
            self._require_writable()
            if not self._layout.staged:
                write(path)
                return True
            temporary = self._path(TEMPORARY + secrets.token_hex(12))
            self._make_parent(temporary)
            self._make_parent(path)
            try:
                write(temporary)
                return self._move(temporary, path, replace=replace)
            except BaseException:
                with contextlib.suppress(Exception):
                    self._call("rm_file", temporary)
                raise

    def _move(self, temporary: str, path: str, *, replace: bool) -> bool:
        flags = {self._layout.replacing: True} if replace and self._layout.replacing else {}
        try:
            self._call("mv", temporary, path, **flags)
        except FileExistsError:
            if not replace:
                self._call("rm_file", temporary)
                return False
            # A server that does not rename over a file. Only the catalog is ever written again.
            self._call("rm_file", path)
            self._call("mv", temporary, path)
        return True

    def _put_once(self, key: str, path: str, data: bytes) -> bool:
        with self._failures(f"write {key}"):
            self._require_writable()
            try:
                self._call("pipe_file", path, data, mode="create")
            except FileExistsError:
                return False
        return True

    def _get_whole(self, key: str, path: bytes, size: int) -> None:
        try:
            with self._failures(f"read {key}"), self._missing(key):
                self._call("get_file", self._path(key), os.fsdecode(path))
            got = os.stat(path).st_size
            if got != size:
                raise cut_short(self.name, key, size, got)
        except BaseException:
            # Drivers set the full size first, so the length says nothing about what arrived.
            with open(path, "wb"):
                raise

    def _make_parent(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent not in self._made:
            self._call("makedirs", parent, exist_ok=True)
            self._made.add(parent)

    def _ls(self, path: str) -> Any:
        with self._failures("list"):
            try:
                # `refresh`: some keep listings although they were told not to.
                return self._call("ls", path, detail=True, refresh=True)
            except Exception as error:
                if not is_missing(error):
                    raise
        self._require_container()
        return ()

    def _is_itself(self, path: str, inside: Any) -> bool:
        """Whether this is how a library or a server lists a file: as one entry, under its own name or below it."""
        if len(inside) != 1 or inside[0]["type"] != "file":
            return False
        name = inside[0]["name"].strip("/")
        if name == path.strip("/"):
            return True
        if name.rpartition("/")[2] != path.rpartition("/")[2]:
            return False
        with self._failures("list"):
            info = self._info(path)
        return info is not None and info["type"] == "file"

    def _info(self, path: str) -> Any:
        try:
            return self._call("info", path)
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

    def _require_writable(self) -> None:
        """Once: libraries make missing buckets and directories on the way, and a mistyped one must not come to be."""
        if self._is_writable:
            return
        container = self._layout.container
        above = container.rstrip("/").rpartition("/")[0]
        if self._layout.makes_root and above.strip("/") and self._info(container) is None and self._info(above):
            self._call("makedirs", container, exist_ok=True)
        self._require_container()
        self._is_writable = True

    def _other_length(self, key: str, expected: int, got: int) -> StorageError:
        held = self._require(key).size
        if held < expected:
            return wrong_length(self.name, key, expected, held)
        return cut_short(self.name, key, expected, got)

    @contextlib.contextmanager
    def _missing(self, key: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not is_missing(error):
                raise
            self._require(key)
            raise TransientError(f"remote {self.name}: {key} is there and cannot be read") from error

    @contextlib.contextmanager
    def _failures(self, doing: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if self._closed:
                raise self._closed_failure() from error
            failure = fsspec_failure(error, self._place, doing)
            if failure is error:
                raise
            raise failure from error

    def _call(self, method: str, *args: Any, **options: Any) -> Any:
        """One method of the file system. `close` and Ctrl-C end that of an asynchronous one at once."""
        fs = self._fs()
        asynchronous = getattr(fs, f"_{method}", None) if self._calls is not None else None
        if self._calls is not None and inspect.iscoroutinefunction(asynchronous):
            return self._calls.run(asynchronous(*args, **_accepted(asynchronous, options)))
        with self._turn:
            plain = getattr(fs, method)
            return plain(*args, **_accepted(plain, options))

    def _fs(self) -> AbstractFileSystem:
        with self._connecting:
            if self._closed:
                raise self._closed_failure()
            if self._filesystem is None:
                fs = self._connect()
                if getattr(fs, "async_impl", False):
                    self._calls = Calls(self.name, fs.loop)
                self._filesystem = fs
            return self._filesystem

    def _closed_failure(self) -> StorageError:
        return StorageError(f"remote {self.name} is closed")

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


def _accepted(method: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Without ``refresh`` where a library's own signature has no room for it."""
    if "refresh" not in options:
        return options
    known = inspect.signature(method).parameters
    if "refresh" in known or any(each.kind is each.VAR_KEYWORD for each in known.values()):
        return options
    return {key: value for key, value in options.items() if key != "refresh"}
