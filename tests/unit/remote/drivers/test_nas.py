"""A directory on a network mount, whose calls fail as on NFS and SMB."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dvtool.disk.durable import open_temporary
from dvtool.errors import AccessDenied
from dvtool.errors import StorageError
from dvtool.remote.drivers import local
from dvtool.remote.drivers.local import LocalRemote
from dvtool.remote.failures import TransientError
from dvtool.remote.retry import RetryingRemote
from tests.support.plainfs import make_plain


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "nas").mkdir()
    return tmp_path / "nas"


@pytest.fixture
def remote(root: Path) -> LocalRemote:
    return LocalRemote("nas", os.fsencode(root))


def failing(number: int, times: int = 1_000, only: Callable[..., bool] = lambda *_: True) -> Any:
    """Wraps a function: its first *times* calls that *only* is true of fail with the error *number*."""
    left = [times]

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if left[0] and only(*args):
                left[0] -= 1
                raise OSError(number, os.strerror(number), *args[:1])
            return real(*args, **options)

        return call

    return wrap


def patched(patch: pytest.MonkeyPatch, owner: object, name: str, wrap: Any) -> None:
    patch.setattr(owner, name, wrap(getattr(owner, name)))


@pytest.mark.parametrize("name", ["lstat", "open", "scandir"])
def test_a_stale_handle_is_tried_again(
    remote: LocalRemote, root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    remote.put("data/ab/k", b"value")
    patched(monkeypatch, os, name, failing(errno.ESTALE, 2, lambda path, *_: bytes(root) in os.fsencode(path)))
    patient = RetryingRemote(remote, pause=lambda _: None)
    assert [item.key for item in patient.list("")] == ["data/ab/k"]
    item = patient.stat("data/ab/k")
    assert item is not None and item.size == 5
    assert patient.get("data/ab/k") == b"value"


def test_a_handle_that_stays_stale_is_told(remote: LocalRemote, monkeypatch: pytest.MonkeyPatch) -> None:
    remote.put("k", b"value")
    patched(monkeypatch, os, "lstat", failing(errno.ESTALE))
    with pytest.raises(TransientError, match=r"remote nas: cannot look at .*Stale file handle"):
        remote.stat("k")


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("call", ["close", "fsync"])
def test_what_fails_only_at_the_end_of_writing_leaves_nothing(
    remote: LocalRemote, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    remote.put("k", b"old")
    (tmp_path / "new").write_bytes(b"new value")
    with monkeypatch.context() as patch:
        if call == "fsync":
            patched(patch, local, "fsync_file", failing(number, 1))
        else:
            written = set[int]()
            real_close = os.close

            def opened(*args: Any, **options: Any) -> tuple[int, bytes]:
                found = open_temporary(*args, **options)
                written.add(found[0])
                return found

            def close(fd: int) -> None:
                real_close(fd)
                if fd in written:
                    written.discard(fd)
                    raise OSError(number, os.strerror(number))

            patch.setattr(local, "open_temporary", opened)
            patch.setattr(os, "close", close)
        with pytest.raises(StorageError, match="remote nas: cannot write"):
            remote.put_file("k", bytes(tmp_path / "new"))
    assert remote.get("k") == b"old"
    assert os.listdir(root / "tmp") == []


@pytest.mark.parametrize("without", [{"link"}, {"link", "rename"}, {"flock", "posix", "link", "rename", "clone"}])
@pytest.mark.parametrize("number", [None, errno.EOPNOTSUPP])
def test_a_mount_without_links_and_locks_serves_all_the_same(
    remote: LocalRemote, root: Path, monkeypatch: pytest.MonkeyPatch, without: set[str], number: int | None
) -> None:
    make_plain(monkeypatch, without=without - {"rename"}, number=number)
    make_plain(monkeypatch, without=without & {"rename"})
    assert remote.put("dvtool-store.json", b"first", create_only=True)
    assert not remote.put("dvtool-store.json", b"second", create_only=True)
    assert remote.get("dvtool-store.json") == b"first"
    assert remote.put("catalog", b"one") and remote.put("catalog", b"two")
    assert remote.get("catalog") == b"two"
    assert os.listdir(root / "tmp") == []


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EACCES, AccessDenied), (errno.EROFS, StorageError), (errno.EBUSY, TransientError)],
)
def test_a_rename_that_is_refused_keeps_the_old_value(
    remote: LocalRemote, root: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StorageError]
) -> None:
    remote.put("catalog", b"old")
    with monkeypatch.context() as patch:
        patched(patch, os, "replace", failing(number))
        with pytest.raises(kind, match="remote nas: cannot write"):
            remote.put("catalog", b"new")
    assert remote.get("catalog") == b"old"
    assert os.listdir(root / "tmp") == []


def test_a_rename_whose_answer_was_lost_is_done(remote: LocalRemote, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client asks again, and then the server knows no such file."""
    monkeypatch.setattr(os, "replace", done_but_not_told(os.replace, FileNotFoundError))
    assert remote.put("catalog", b"value")
    assert remote.get("catalog") == b"value"


@pytest.mark.parametrize(("name", "error"), [("link", FileExistsError), ("unlink", FileNotFoundError)])
def test_a_link_whose_answer_was_lost_is_done(
    remote: LocalRemote, root: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: type[OSError]
) -> None:
    monkeypatch.setattr(os, name, done_but_not_told(getattr(os, name), error))
    assert remote.put("k", b"value", create_only=True)
    assert remote.get("k") == b"value"
    assert os.listdir(root / "tmp") == []


def test_a_temporary_that_somebody_removed_is_no_success(remote: LocalRemote, monkeypatch: pytest.MonkeyPatch) -> None:
    remote.put("catalog", b"old")
    real = os.replace

    def replace(source: bytes, target: bytes) -> None:
        os.unlink(source)
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(StorageError):
        remote.put("catalog", b"new")
    assert remote.get("catalog") == b"old"


def test_what_a_file_server_leaves_is_no_value(remote: LocalRemote, root: Path) -> None:
    remote.put("data/ab/k", b"value")
    for name in (".nfs000000001234abcd00000001", ".smbdeleteAAA1", ".fuse_hidden0001", ".DS_Store"):
        (root / "data/ab" / name).write_bytes(b"deleted, still open")
        (root / "tmp" / name).write_bytes(b"deleted, still open")
    assert [item.key for item in remote.list("")] == ["data/ab/k"]
    assert list(remote.unfinished()) == []


def done_but_not_told(real: Callable[..., Any], error: type[OSError]) -> Callable[..., None]:
    """As *real*, but the first call does it and fails with *error*."""
    told = [False]

    def call(*args: Any, **options: Any) -> None:
        real(*args, **options)
        if not told[0]:
            told[0] = True
            raise error(*args[:1])

    return call
