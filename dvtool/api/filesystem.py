"""``dvtool://``: the data of a project as a file system for fsspec, and with it for pandas, pyarrow, DuckDB and others.

Read-only. Paths are relative to the root of the project.
"""

from __future__ import annotations

import errno
import io
import os
import posixpath
import threading
import weakref
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from datetime import datetime
from datetime import timezone
from functools import partial
from typing import Any
from typing import NoReturn
from urllib.parse import parse_qsl

from fsspec.spec import AbstractFileSystem

from dvtool.api.bringparts import bring_parts
from dvtool.api.process import environment
from dvtool.api.rangedfile import RangedFile
from dvtool.api.rangedfile import SizedReader
from dvtool.errors import NotInRepository
from dvtool.errors import UnsafeInput
from dvtool.hashing.digests import object_id
from dvtool.model.tree import BLAKE3_CODE
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.project.dataview import DataView
from dvtool.project.filecontent import Contents
from dvtool.project.open import open_project
from dvtool.project.plainfiles import Found
from dvtool.project.source import open_source

_KINDS = {FILE: "file", DIRECTORY: "directory", LINK: "link"}
_IN_URL = frozenset({"repo", "rev", "remote"})
_FSSPEC_OPTIONS = frozenset({"asynchronous", "listings_expiry_time", "loop", "max_paths", "use_listings_cache"})


class _Here:
    """The current directory, as a part of what tells two file systems apart: a project is looked for from there."""

    def __get__(self, instance: object, owner: type) -> str:
        return os.getcwd()


class DvtoolFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """*repo*: a directory of the project, or the URL of its Git repository; None is the current directory.

    *rev*: a commit, branch or tag; None is the worktree: files as they stand there, and what is tracked
    and was not checked out as the pointers say. *remote*: read from this one in place of the default one.

    Raises `dvtool.errors`, and `FileNotFoundError` for paths that are not there.
    """

    protocol = "dvtool"
    root_marker = ""
    _here = _Here()
    _extra_tokenize_attributes = ("_here",)

    def __init__(
        self, repo: str | None = None, rev: str | None = None, remote: str | None = None, **options: Any
    ) -> None:
        if unknown := options.keys() - _FSSPEC_OPTIONS:
            raise TypeError(f"dvtool:// has no option {min(unknown)!r}: it takes repo, rev and remote")
        super().__init__(**options)
        self.repo = repo
        self.rev = rev
        self.remote = remote
        self._cwd = os.getcwd()
        self._opening = threading.RLock()
        self._opened: DataView | None = None
        self._closing: Any = None
        _instances[id(self)] = self
        _ = self._view

    @property
    def commit(self) -> str | None:
        """The commit that is read; None for the worktree."""
        return self._view.commit

    @property
    def bytes_received(self) -> int:
        """Bytes of data that came from remotes so far."""
        return self._view.contents.bytes_received

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        text = os.fsdecode(path)
        if text.startswith("dvtool://"):
            text = _without_query(text[len("dvtool://") :])[0]
        text = posixpath.normpath(text.strip("/")) if text.strip("/") else ""
        if text == ".." or text.startswith("../"):
            raise UnsafeInput(f"{text} leads out of the project", path=text)
        return "" if text == "." else text

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, str]:
        return _without_query(path)[1] if path.startswith("dvtool://") else {}

    def info(self, path: Any, **_: Any) -> dict[str, Any]:
        """What is at a path: name, type, size, and for tracked content its digest. Raises `FileNotFoundError`."""
        name = self._strip_protocol(path)
        return _info(self._found(name), name)

    def exists(self, path: Any, **_: Any) -> bool:
        """Whether something is there. Failures to find out are raised."""
        try:
            self._found(self._strip_protocol(path))
        except FileNotFoundError:
            return False
        return True

    def ls(self, path: Any, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002  # fsspec's
        """What is right below a directory; a file is its own only entry."""
        name = self._strip_protocol(path)
        found = self._found(name)
        self._bring_listings(found.path)
        if found.kind != DIRECTORY:
            return [_info(found, name)] if detail else [name]
        listed = [self._listed(each) for each in self._view.tree.children(found.path)]
        named = sorted((_info(each, _under(name, found.path, path)) for path, each in listed), key=_name)
        return named if detail else [each["name"] for each in named]

    def find(
        self,
        path: Any,
        maxdepth: int | None = None,
        withdirs: bool = False,  # noqa: FBT001, FBT002
        detail: bool = False,  # noqa: FBT001, FBT002
        **_: Any,
    ) -> Any:
        """Every file below a path, sorted."""
        name = self._strip_protocol(path)
        try:
            top = self._found(name)
        except FileNotFoundError:
            return {} if detail else []
        if top.kind != DIRECTORY:
            return {name: _info(top, name)} if detail else [name]
        self._bring_listings(top.path, below=True)
        tree = self._view.tree
        if not (detail or withdirs or maxdepth):
            below = tree.names(top.path)
            if os.fsdecode(top.path) != name:
                return sorted(_under(name, top.path, each) for each in below)
            return sorted(map(os.fsdecode, below))
        found: dict[str, Any] = {}
        if withdirs and name:
            found[name] = _info(top, name)
        is_linked = os.fsdecode(top.path) != name
        for each in tree.walk(top.path, maxdepth):
            if withdirs or each.kind != DIRECTORY:
                own = _under(name, top.path, each.path) if is_linked else os.fsdecode(each.path)
                found[own] = _info(self._listed(each)[1] if each.kind == LINK else each, own)
        names = sorted(found)
        return {each: found[each] for each in names} if detail else names

    def modified(self, path: Any) -> datetime:
        """When a file on disk was changed. What has a digest instead does not change: the start of 1970."""
        return datetime.fromtimestamp(self._found(self._strip_protocol(path)).modified or 0, timezone.utc)

    def checksum(self, path: Any) -> str:
        """The digest of tracked content; of other files what changes with them."""
        info = self.info(path)
        return info.get("digest") or str(super().checksum(path))

    def ukey(self, path: Any) -> str:
        """The same."""
        return self.checksum(path)

    def cat(self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any) -> Any:  # noqa: FBT001, FBT002
        """The bytes of a file, or of several by path; small ones come with few requests."""
        paths = self.expand_path(path, recursive=recursive)
        if on_error != "raise" or (len(paths) == 1 and paths[0] == self._strip_protocol(path)):
            return super().cat(path, recursive=recursive, on_error=on_error, **kwargs)
        found = {name: self._found(name) for name in paths}
        if self._bring_files(found.values()):
            found = {name: self._found(name) for name in paths}
        tracked = {name: one for name, one in found.items() if one.entry is not None and one.kind == FILE}
        with self._contents() as contents:
            together = contents.whole(tracked.values())
        whole = {name: together[one.path] for name, one in tracked.items()}
        return {name: whole[name] if name in whole else self.cat_file(name) for name in paths if self.isfile(name)}

    def cat_file(self, path: Any, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """The bytes of a file, or a stretch of them; negative numbers count from the end."""
        with self.open(path, "rb") as file:
            first, last = slice(start, end).indices(file.size)[:2]
            file.seek(first)
            return bytes(file.read(max(0, last - first)))

    def invalidate_cache(self, path: Any = None) -> None:
        """Look again what there is."""
        super().invalidate_cache(path)
        self._view.forget()

    def close(self) -> None:
        """End connections; what is read later opens them again."""
        with self._opening:
            if self._closing is not None:
                self._closing()
            self._opened = None

    def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        if mode != "rb":
            self._refuse(path)
        found = self._found(path)
        if found.kind != FILE:
            code = errno.EISDIR if found.kind == DIRECTORY else errno.ENOENT
            raise OSError(code, os.strerror(code), path)
        if found.place:
            return SizedReader(io.FileIO(found.place), found.size or 0)
        if self._bring_files([found]):
            found = self._found(path)
        if found.blob:
            data = self._view.contents.git_blob(found.blob)
            return SizedReader(
                RangedFile(len(data), object_id(data), lambda start, stop, _: data[start:stop]), len(data)
            )
        assert found.entry is not None
        size = found.entry.size
        return SizedReader(RangedFile(size, found.entry.raw, partial(self._read, found)), size)

    def _bring_listings(self, path: bytes, *, below: bool = False) -> None:
        """What only a fetch can bring, as it does not lie on remotes of ours: without the files."""
        items = self._view.tree.unlisted(path, below=below)
        if items:
            bring_parts(self._view.project, [(item, b"") for item in items], listings=True)
            self._view.forget()

    def _bring_files(self, found: Iterable[Found]) -> bool:
        """The same for files, whole. True when there were any."""
        lacking = [(one.item, one.path) for one in found if self._view.contents.is_elsewhere(one)]
        if lacking:
            parts = [(item, path[len(item.path) + 1 :]) for item, path in lacking if item is not None]
            bring_parts(self._view.project, parts)
            self._view.forget()
        return bool(lacking)

    def _found(self, name: str) -> Found:
        path = os.fsencode(name)
        items = self._view.tree.unlisted(path)
        if items and items[0].path != path:
            self._bring_listings(path)
        found = self._view.tree.at(path)
        if found is None:
            where = f" at {self.rev}" if self.rev is not None else ""
            raise FileNotFoundError(errno.ENOENT, f"the project has no such path{where}", name)
        return found

    def _listed(self, found: Found) -> tuple[bytes, Found]:
        """Its own path with what it is: of a link the file that it leads to. Who walks does not walk through links."""
        led = self._view.tree.at(found.path) if found.kind == LINK and found.target else None
        return found.path, led if led is not None and led.kind == FILE else found

    def __reduce__(self) -> Any:
        # Elsewhere the current directory is another.
        repo = self.repo
        if repo is None or os.path.isdir(os.path.join(self._cwd, repo)):
            repo = os.path.join(self._cwd, repo or "")
        return partial(type(self), repo=repo, rev=self.rev, remote=self.remote), ()

    def _refuse(self, path: Any, *_: Any, **__: Any) -> NoReturn:
        raise OSError(errno.EROFS, "dvtool:// is read-only: write into the worktree, then `dvtool add`", path)

    # fsspec's own say nothing, or nothing useful.
    mkdir = makedirs = mkdirs = makedir = rmdir = rm = rm_file = delete = cp_file = copy = cp = _refuse
    mv = move = rename = touch = _refuse

    def _read(self, found: Found, start: int, stop: int, ahead: int) -> bytes:
        # An open file holds on to the file system, not to what a fork or `close` makes it do without.
        with self._contents() as contents:
            return contents.read(found, start, stop, ahead=ahead)

    @contextmanager
    def _contents(self) -> Iterator[Contents]:
        """`close` waits for who is in here."""
        with ExitStack() as reading:
            with self._opening:
                contents = self._view.contents
                reading.enter_context(contents.reading())
            yield contents

    @property
    def _view(self) -> DataView:
        view = self._opened
        if view is None:
            with self._opening:
                view = self._opened
                if view is None:
                    view = self._open_view()
                    self._closing = weakref.finalize(self, _close, view, os.getpid())
                    self._opened = view
        return view

    def _forget_parent(self) -> None:
        self._opening = threading.RLock()
        self._opened = self._closing = None

    def _open_view(self) -> DataView:
        names = () if self.remote is None else (self.remote,)
        around = environment()
        start = os.path.join(self._cwd, self.repo or ".")
        if self.repo is None or os.path.isdir(start):
            try:
                return DataView(open_project(os.fsencode(start), around), self.rev, names)
            except NotInRepository:
                if self.repo is None:
                    raise
        source = open_source(self.repo, self.rev, around)
        return DataView(source.project, source.commit, names, blobs_here=source.is_local)


_instances: weakref.WeakValueDictionary[int, DvtoolFileSystem] = weakref.WeakValueDictionary()
"""By `id`: fsspec calls file systems of equal arguments equal."""


def _after_fork() -> None:
    """Connections, threads and held locks do not live on in a forked process: the next use opens anew."""
    for each in list(_instances.values()):
        each._forget_parent()  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _close(view: DataView, pid: int) -> None:
    if pid == os.getpid():
        view.close()


def _without_query(url: str) -> tuple[str, dict[str, str]]:
    """A URL without ``?repo=...&rev=...``, and what stands there; any other question mark is one in a name."""
    path, mark, query = url.rpartition("?")
    pairs = dict(parse_qsl(query, keep_blank_values=True)) if mark else {}
    return (path, pairs) if pairs and pairs.keys() <= _IN_URL else (url, {})


def _under(name: str, top: bytes, path: bytes) -> str:
    """The path of something below *top*, which was asked for by *name*: another where links are on the way."""
    text, above = os.fsdecode(path), os.fsdecode(top)
    return text if above == name else posixpath.join(name, text[len(above) + 1 if above else 0 :])


def _name(info: dict[str, Any]) -> str:
    return str(info["name"])


def _info(found: Found, name: str) -> dict[str, Any]:
    info: dict[str, Any] = {
        "name": name,
        "size": None if found.kind == DIRECTORY and found.entry is None else found.size,
        "type": _KINDS[found.kind],
        "isexec": found.executable,
        "tracked": found.entry is not None,
    }
    entry = found.entry
    if entry is not None and found.kind != LINK:
        if entry.algorithm == BLAKE3_CODE and len(entry.raw) == 32:
            info["digest"] = f"blake3:{entry.raw.hex()}"
        else:
            stated = found.item.pointer.digest if found.item is not None and found.kind == DIRECTORY else entry.digest
            info["digest"] = str(stated)
    if found.modified is not None:
        info["mtime"] = found.modified
    if found.target:
        info["islink"] = True
        info["destination"] = os.fsdecode(found.target)
    return info
