"""What `FsspecRemote` does with file systems that are not as they should be."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fsspec.asyn import AsyncFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.ports import Capabilities
from dvtool.remote.failures import TransientError
from dvtool.remote.fsspec_driver import FsspecLayout
from dvtool.remote.fsspec_driver import FsspecRemote
from dvtool.remote.fsspec_failures import Place

CAN = Capabilities(create_only=False, server_time=False)


class Memory(MemoryFileSystem):  # type: ignore[misc]
    """With files of its own."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]


def remote_of(fs: Any, root: str = "/bucket", **options: Any) -> FsspecRemote:
    layout = FsspecLayout(root, root, staged=False, makes_root=options.pop("makes_root", False))
    return FsspecRemote(Place("origin", "host"), "odd://bucket", lambda: fs, layout, CAN, **options)


def with_bucket(fs: Memory) -> Memory:
    fs.makedirs("/bucket")
    return fs


def test_a_range_that_the_library_ignores_is_cut_here() -> None:
    class Ignores(Memory):
        def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
            found: bytes = super().cat_file(path)
            return found

    remote = remote_of(with_bucket(Ignores()))
    remote.put("k", b"0123456789")
    assert remote.get("k", 3, 4) == b"3456"
    assert remote.get("k", 4) == b"456789"


def test_a_body_that_is_cut_without_a_word_is_noticed() -> None:
    class Cuts(Memory):
        def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
            found: bytes = super().cat_file(path, start, end)
            return found[:-1]

    remote = remote_of(with_bucket(Cuts()))
    remote.put("k", b"0123456789")
    for read in (lambda: remote.get("k"), lambda: remote.get("k", 2, 5)):
        with pytest.raises(TransientError, match="cut off"):
            read()  # type: ignore[no-untyped-call]


def test_not_found_that_is_no_absence_is_tried_again() -> None:
    class Lies(Memory):
        def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
            raise FileNotFoundError(path)

    remote = remote_of(with_bucket(Lies()))
    remote.put("k", b"0123456789")
    with pytest.raises(TransientError, match="cannot be read"):
        remote.get("k")
    with pytest.raises(MissingData):
        remote.get("absent", 1, 2)


def test_listings_are_never_taken_from_a_cache() -> None:
    asked: list[dict[str, Any]] = []

    class Remembers(Memory):
        def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
            asked.append(kwargs)
            return super().ls(path, detail)

    remote = remote_of(with_bucket(Remembers()))
    assert [item.key for item in remote.list("")] == []
    assert asked == [{"refresh": True}]


def test_an_exclusive_connection_serves_one_at_a_time() -> None:
    inside = threading.Semaphore(1)

    class Single(Memory):
        def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
            assert inside.acquire(blocking=False)
            found: bytes = super().cat_file(path, start, end)
            inside.release()
            return found

    remote = remote_of(with_bucket(Single()), exclusive=True)
    remote.put("k", bytes(100_000))
    with ThreadPoolExecutor(8) as pool:
        assert {len(data) for data in pool.map(lambda _: remote.get("k"), range(64))} == {100_000}


def test_the_first_write_makes_the_root_but_nothing_above_it() -> None:
    fs = Memory()
    remote = remote_of(fs, "/above/root", makes_root=True)
    with pytest.raises(StorageError, match="/above/root does not exist"):
        remote.put("k", b"x")
    fs.makedirs("/above")
    with pytest.raises(StorageError, match="/above/root does not exist"):
        remote.get("k")
    remote.put("k", b"x")
    assert remote.get("k") == b"x"


def test_closing_ends_what_is_under_way() -> None:
    class Slow(AsyncFileSystem):  # type: ignore[misc]
        cachable = False
        started = threading.Event()

        async def _info(self, path: str, **kwargs: Any) -> dict[str, Any]:
            self.started.set()
            await asyncio.Event().wait()
            return {}

    fs = Slow(skip_instance_cache=True)
    ended: list[Any] = []

    async def last() -> None:
        ended.append("loop")

    def disconnect(each: Any) -> Coroutine[Any, Any, None]:
        ended.append(each)
        return last()

    remote = remote_of(fs, disconnect=disconnect)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(remote.stat, "k")
        fs.started.wait()
        remote.close()
        with pytest.raises(StorageError, match="closed"):
            asked.result()
    assert ended == [fs, "loop"]
    with pytest.raises(StorageError, match="closed"):
        remote.stat("k")


def test_a_driver_that_cannot_do_something_says_so() -> None:
    class Reads(Memory):
        def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
            raise NotImplementedError

    with pytest.raises(StorageError, match="cannot do that"):
        remote_of(with_bucket(Reads())).put("k", b"x")
