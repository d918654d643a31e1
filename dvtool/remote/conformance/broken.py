"""Checks of what is left when something ends in the middle, and of what is not there at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.ports import Remote
from dvtool.remote.conformance.bench import Bench
from dvtool.remote.conformance.bench import CheckFailed
from dvtool.remote.conformance.bench import content
from dvtool.remote.conformance.bench import expect
from dvtool.remote.conformance.bench import read
from dvtool.remote.conformance.bench import refused
from dvtool.remote.conformance.bench import shown
from dvtool.remote.conformance.otherprocess import OtherProcess
from dvtool.remote.conformance.view import View
from dvtool.remote.failures import TransientError
from dvtool.remote.retry import RetryingRemote

_MOMENTS = (0.0, 0.02, 0.1)
"""Seconds after its start at which an upload is broken off."""


def broken_upload(bench: Bench) -> None:
    """An upload that is broken off by `close` leaves all or nothing under its key."""
    data = content(bench.large)
    path = bench.file(data)
    for number, seconds in enumerate(_MOMENTS):
        remote = bench.bare()
        remote.stat("warm")
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(remote.put_file, f"closed{number}", path)
            wait([sending], timeout=seconds)
            remote.close()
            error = sending.exception()
        expect(error is None or isinstance(error, StorageError), f"a call broken off by close raises {shown(error)}")
        _all_or_nothing(bench, f"closed{number}", data)


def killed_upload(bench: Bench) -> None:
    """A process that is killed while it uploads leaves all or nothing under its key."""
    data = content(bench.large)
    path = bench.file(data)
    for number, seconds in enumerate(_MOMENTS[1:]):
        with OtherProcess(bench) as other:
            other.put_file_and_die(f"killed{number}", path, seconds)
        _all_or_nothing(bench, f"killed{number}", data)


def resume(bench: Bench) -> None:
    """A download cut at 0, 33 and 100 % goes on where it was."""
    data = content(bench.large)
    bench.writer.put_file("k", bench.file(data))
    for percent in (0, 33, 100):
        arrived = len(data) * percent // 100
        cut = _CutOnce(bench.bare(), data[:arrived])
        back = bench.path()
        RetryingRemote(cut, pause=lambda _: None).get_file("k", back, len(data))
        expect(read(back) == data, f"a download cut at {percent} % came to another end")
        if cut.capabilities.ranges:
            again = cut.received - (len(data) - arrived)
            expect(again <= 0, f"a download cut at {percent} % fetched {again} bytes again")


def closing(bench: Bench) -> None:
    one, other = bench.client(), bench.client()
    bench.writer.put("k", b"x")
    expect(one.get("k") == b"x" == other.get("k"), "two clients read otherwise")
    one.close()
    one.close()
    expect(other.get("k") == b"x", "closing one client disturbs another")


def prepare(bench: Bench) -> None:
    remote = bench.client()
    remote.prepare()
    remote.prepare()
    bench.writer.put("k", b"x")
    expect(remote.get("k") == b"x", "after prepare a value comes back otherwise")


def absent_place(bench: Bench) -> None:
    """A bucket, container or root that does not exist is an error, never an empty one."""
    assert bench.open_absent is not None
    path, back = bench.file(b"12345"), bench.path()
    uses: dict[str, Callable[[Remote], object]] = {
        "stat": lambda remote: remote.stat("data/k"),
        "get": lambda remote: remote.get("data/k"),
        "a range": lambda remote: remote.get("data/k", 1, 2),
        "get_file": lambda remote: remote.get_file("data/k", back, 5),
    }
    can = bench.remote.capabilities
    if can.listing:
        uses["list"] = lambda remote: [*remote.list("data/")]
    if can.write:
        uses["put"] = lambda remote: remote.put("data/k", b"x")
        uses["a create-only put"] = lambda remote: remote.put("data/k", b"x", create_only=True)
        uses["put_file"] = lambda remote: remote.put_file("data/k", path)
    if can.delete:
        uses["delete"] = lambda remote: remote.delete("data/k")
    remote = bench.open_absent()
    try:
        for what, use in uses.items():
            refused(StorageError, f"{what} where no such place exists", use, remote)
    finally:
        remote.close()


class _CutOnce(View):
    """The first download ends after *beginning*; ``received`` counts the bytes that come after that."""

    def __init__(self, inner: Remote, beginning: bytes) -> None:
        super().__init__(inner)
        self._beginning: bytes | None = beginning
        self.received = 0

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        data = super().get(key, start, length)
        self.received += len(data)
        return data

    def get_file(self, key: str, path: bytes, size: int) -> None:
        if self._beginning is not None:
            with open(path, "wb") as target:
                target.write(self._beginning)
            self._beginning = None
            raise TransientError("cut on purpose")
        super().get_file(key, path, size)
        self.received += size


def _all_or_nothing(bench: Bench, key: str, data: bytes) -> None:
    remote = bench.client()
    item = remote.stat(key)
    if remote.capabilities.listing:
        before = None if item is None else item.size
        listed = {found.key: found.size for found in remote.list("")}.get(key)
        # A server that has all the bytes may still finish when the caller is gone: between the two looks, too.
        item = remote.stat(key)
        held = None if item is None else item.size
        expect(listed in (before, held), f"the listing shows {listed} bytes of a broken upload, stat {held}")
    if item is None:
        return
    expect(item.size == len(data), f"a broken upload left {item.size} of {len(data)} bytes under its key")
    back = bench.path()
    try:
        remote.get_file(key, back, len(data))
    except MissingData:
        raise CheckFailed("a broken upload left a key that cannot be read") from None
    except DvtoolError as error:
        raise CheckFailed(f"a broken upload left a value that cannot be read: {error}") from error
    expect(read(back) == data, "a broken upload left other bytes under its key")
