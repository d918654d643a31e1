from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import NoReturn

import pytest

from dvtool.disk import lock
from dvtool.disk.lock import FileLock
from dvtool.errors import Locked

HOLD = """
import sys
from dvtool.disk.lock import FileLock
with FileLock(sys.argv[1].encode()).acquire(shared=False, what="a long one"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(here: bytes) -> bytes:
    return os.path.join(here, b"lock")


def is_free(path: bytes, *, shared: bool = False) -> bool:
    try:
        FileLock(path).acquire(shared=shared, timeout=0).release()
    except Locked:
        return False
    return True


def held_elsewhere(path: bytes) -> subprocess.Popen[str]:
    root = str(Path(lock.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, os.fsdecode(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": root},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_exclusive_excludes_everybody_and_shared_the_exclusive(path: bytes) -> None:
    with FileLock(path).acquire(shared=False) as handle:
        assert not handle.degraded
        assert not is_free(path)
        assert not is_free(path, shared=True)
    with FileLock(path).acquire(shared=True):
        assert is_free(path, shared=True)
        assert not is_free(path)
    assert is_free(path)


def test_who_waits_learns_who_holds_it(path: bytes) -> None:
    heard: list[str] = []
    with FileLock(path).acquire(shared=False, what="collecting\ngarbage"), pytest.raises(Locked) as caught:
        FileLock(path).acquire(shared=False, timeout=0.4, on_wait=heard.append)
    assert len(heard) == 1
    who = f"in use by pid {os.getpid()} on {os.uname().nodename} since 2"
    assert heard[0].startswith(f"waiting for {os.fsdecode(path)}, {who}")
    assert heard[0].endswith("Z: collecting garbage")
    assert heard[0].partition(", ")[2] in caught.value.message
    assert caught.value.path == os.fsdecode(path)


def test_a_waiter_gets_it_when_it_is_released(path: bytes) -> None:
    first = FileLock(path).acquire(shared=False)
    with FileLock(path).acquire(shared=False, on_wait=lambda _: first.release()) as second:
        assert not second.degraded
        assert not is_free(path)


def test_killed_holder_leaves_the_lock_free(path: bytes) -> None:
    process = held_elsewhere(path)
    with process:
        assert not is_free(path)
        assert f"pid {process.pid} " in FileLock(path).holder()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert is_free(path)


def test_release_counts_although_a_forked_child_lives(path: bytes) -> None:
    handle = FileLock(path).acquire(shared=False)
    child = os.fork()
    if child == 0:
        signal.pause()
        os._exit(0)
    try:
        handle.release()
        assert is_free(path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_forked_child_cannot_give_the_lock_away(path: bytes) -> None:
    with FileLock(path).acquire(shared=False) as handle:
        child = os.fork()
        if child == 0:
            handle.release()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert not is_free(path)


def test_started_programs_do_not_inherit_it(path: bytes) -> None:
    with FileLock(path).acquire(shared=False) as handle:
        assert handle._fd is not None
        assert not os.get_inheritable(handle._fd)


def test_deleted_lock_file_is_not_mistaken_for_the_lock(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fcntl.flock
    deletions = iter([True])

    def flock(fd: int, operation: int) -> None:
        real(fd, operation)
        if next(deletions, False):
            os.unlink(path)

    monkeypatch.setattr(fcntl, "flock", flock)
    with FileLock(path).acquire(shared=False):
        assert not is_free(path)


def refuse(number: int) -> Callable[..., NoReturn]:
    def call(*_: Any) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return call


def test_without_flock_other_processes_are_excluded_by_posix_locks(
    path: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))

    def look(seen: Any) -> None:
        seen.put((is_free(path), is_free(path, shared=True)))

    context = multiprocessing.get_context("fork")
    seen = context.SimpleQueue()
    with FileLock(path).acquire(shared=True) as handle:
        assert not handle.degraded
        child = context.Process(target=look, args=(seen,))
        child.start()
        child.join()
    assert seen.get() == (False, True)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_without_any_locks_the_handle_says_so(path: bytes, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(fcntl, "flock", refuse(number))
    monkeypatch.setattr(fcntl, "lockf", refuse(number))
    with FileLock(path).acquire(shared=False) as handle:
        assert handle.degraded
    handle.release()


def test_fault_of_the_lock_call_is_raised_and_closes_the_file(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", refuse(errno.EIO))
    before = os.listdir("/dev/fd")
    with pytest.raises(OSError):
        FileLock(path).acquire(shared=False)
    assert os.listdir("/dev/fd") == before


def read_only(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def opened(name: bytes, flags: int, *args: Any, **kwargs: Any) -> int:
        if name == path and flags & (os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), name)
        return real(name, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", opened)


def test_read_only_cache_can_still_be_locked(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    FileLock(path).acquire(shared=False).release()
    with FileLock(path).acquire(shared=True):
        read_only(path, monkeypatch)
        assert is_free(path, shared=True)
        assert not is_free(path)


def test_no_threads_or_descriptors_are_left(path: bytes) -> None:
    before, threads = os.listdir("/dev/fd"), threading.active_count()
    for _ in range(20):
        with FileLock(path).acquire(shared=True):
            assert not is_free(path)
    assert os.listdir("/dev/fd") == before
    assert threading.active_count() == threads


def test_absent_lock_file_says_nothing_of_its_holder(path: bytes) -> None:
    assert FileLock(path).holder() == "another process"
    Path(os.fsdecode(path)).write_bytes(b"\xff\x00 rubbish")
    assert FileLock(path).holder() == "another process"


def test_a_sharer_who_has_ended_is_not_named(path: bytes) -> None:
    """Who took it last left the note, but another one holds it still."""
    with FileLock(path).acquire(shared=True):
        child = os.fork()
        if child == 0:
            FileLock(path).acquire(shared=True, what="gone")
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        heard = subprocess.run(
            [sys.executable, "-c", f"from dvtool.disk.lock import FileLock\nprint(FileLock({path!r}).holder())"],
            env={"PYTHONPATH": str(Path(lock.__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert "gone" not in heard
    if os.path.exists("/proc/locks"):
        assert heard.startswith(f"pid {os.getpid()} on {os.uname().nodename}, started 2")


def test_the_mode_holds_whatever_the_umask(path: bytes) -> None:
    umask = os.umask(0o077)
    try:
        FileLock(path, mode=0o664, exact_mode=True).acquire(shared=True).release()
        FileLock(path, mode=0o664, exact_mode=True).acquire(shared=True).release()
    finally:
        os.umask(umask)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o664


def test_it_counts_what_is_held(path: bytes) -> None:
    mine = FileLock(path)
    first = mine.acquire(shared=True)
    with mine.acquire(shared=True):
        assert mine.held == 2
    assert mine.held == 1
    first.release()
    first.release()
    assert mine.held == 0


def in_a_child(look: Callable[[], object]) -> Any:
    context = multiprocessing.get_context("fork")
    seen = context.SimpleQueue()
    child = context.Process(target=lambda: seen.put(look()))
    child.start()
    child.join()
    return seen.get()


def test_without_flock_a_lock_taken_twice_is_held_until_both_are_given_back(
    path: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process has only one POSIX lock on a file, and loses it when it closes any descriptor of that file."""
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    before = os.listdir("/dev/fd")
    with FileLock(path).acquire(shared=True):
        FileLock(path).acquire(shared=True).release()
        assert FileLock(path).holder().startswith("pid ")
        assert not is_free(path)
        assert in_a_child(lambda: (is_free(path), is_free(path, shared=True))) == (False, True)
    assert in_a_child(lambda: is_free(path))
    with FileLock(path).acquire(shared=False):
        assert not is_free(path, shared=True)
        assert in_a_child(lambda: is_free(path, shared=True)) is False
    assert is_free(path)
    assert os.listdir("/dev/fd") == before


def test_a_stale_handle_of_a_network_file_system_is_opened_again(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    real, stale = os.open, iter([True, True])

    def opened(name: bytes, *args: Any, **kwargs: Any) -> int:
        if next(stale, False):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(os, "open", opened)
    with FileLock(path).acquire(shared=False) as handle:
        assert not handle.degraded


def test_where_no_lock_file_can_be_made_reading_goes_on(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    read_only(path, monkeypatch)
    with FileLock(path).acquire(shared=True) as handle:
        assert handle.degraded
    with pytest.raises(OSError) as caught:
        FileLock(path).acquire(shared=False)
    assert caught.value.errno == errno.EROFS
