from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import NoReturn

import pytest

from dvtool.disk import _native
from dvtool.disk import replace
from dvtool.disk.beneath import open_root
from dvtool.disk.durable import temporary_name
from dvtool.disk.replace import ChangedMeanwhile
from dvtool.disk.signature import StatSignature
from dvtool.disk.signature import signature_of

WAYS = ["exchange", "link aside", "rename aside"]


def lacking(number: int) -> Any:
    def call(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return call


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Replace on file systems that can do less and less."""
    if request.param != "exchange":
        monkeypatch.setattr(_native, "renameat2", lacking(errno.EINVAL))
    if request.param == "rename aside":
        monkeypatch.setattr(os, "link", lacking(errno.EPERM))
    return str(request.param)


def sign(path: Path) -> StatSignature:
    return signature_of(os.lstat(path))


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def prepare(directory: Path, data: bytes = b"new") -> bytes:
    name = temporary_name()
    (directory / os.fsdecode(name)).write_bytes(data)
    return name


def before_taking_out(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let *act* happen after the last look at the file and before it is taken out of its name."""
    real = replace._require_seen

    def looked(*args: Any) -> None:
        real(*args)
        act()

    monkeypatch.setattr(replace, "_require_seen", looked)


def after_taking_out(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let *act* happen when the old file is out of its name and is about to be looked at."""
    real = replace._require_expected

    def looked(*args: Any) -> None:
        act()
        real(*args)

    monkeypatch.setattr(replace, "_require_expected", looked)


def save_over(path: Path, data: bytes) -> None:
    draft = path.with_name("draft")
    draft.write_bytes(data)
    draft.rename(path)


def test_expected_file_is_replaced(tmp_path: Path, here_fd: int, way: str) -> None:
    (tmp_path / "a").write_bytes(b"old")
    now = replace.replace_file(here_fd, prepare(tmp_path), b"a", sign(tmp_path / "a"))
    assert contents(tmp_path) == {"a": b"new"}
    assert now == sign(tmp_path / "a")


def test_expected_link_is_replaced_and_its_target_kept(tmp_path: Path, here_fd: int, way: str) -> None:
    (tmp_path / "target").write_bytes(b"kept")
    (tmp_path / "a").symlink_to("target")
    replace.replace_file(here_fd, prepare(tmp_path), b"a", sign(tmp_path / "a"))
    assert not (tmp_path / "a").is_symlink()
    assert contents(tmp_path) == {"a": b"new", "target": b"kept"}


def test_file_that_is_a_link_to_the_new_one_already(tmp_path: Path, here_fd: int, way: str) -> None:
    (tmp_path / "a").write_bytes(b"same")
    tmp = temporary_name()
    (tmp_path / os.fsdecode(tmp)).write_bytes(b"same")
    if way != "rename aside":
        os.unlink(tmp_path / os.fsdecode(tmp))
        os.link(tmp_path / "a", tmp_path / os.fsdecode(tmp))
    now = replace.replace_file(here_fd, tmp, b"a", sign(tmp_path / "a"))
    assert now == sign(tmp_path / "a")
    assert contents(tmp_path) == {"a": b"same"}


def test_new_name_is_taken_once(tmp_path: Path, here_fd: int, way: str) -> None:
    assert replace.replace_file(here_fd, prepare(tmp_path, b"1"), b"a", None) == sign(tmp_path / "a")
    with pytest.raises(ChangedMeanwhile, match="d/a appeared") as caught:
        replace.replace_file(here_fd, prepare(tmp_path, b"2"), b"a", None, shown=b"d/a")
    assert caught.value.path == "d/a"
    assert contents(tmp_path) == {"a": b"1"}


def test_file_changed_before_is_kept(tmp_path: Path, here_fd: int, way: str) -> None:
    (tmp_path / "a").write_bytes(b"old")
    seen = sign(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"edited")
    with pytest.raises(ChangedMeanwhile):
        replace.replace_file(here_fd, prepare(tmp_path), b"a", seen)
    with pytest.raises(ChangedMeanwhile):
        replace.remove_file(here_fd, b"a", seen)
    assert contents(tmp_path) == {"a": b"edited"}


def test_file_rewritten_with_its_time_set_back_is_kept(tmp_path: Path, here_fd: int, way: str) -> None:
    (tmp_path / "a").write_bytes(b"old")
    seen = sign(tmp_path / "a")._replace(ctime_ns=0)
    with pytest.raises(ChangedMeanwhile):
        replace.replace_file(here_fd, prepare(tmp_path), b"a", seen)
    assert contents(tmp_path) == {"a": b"old"}


@pytest.mark.parametrize("edit", [save_over, Path.write_bytes])
def test_file_saved_after_the_last_look_is_put_back(
    tmp_path: Path, here_fd: int, way: str, monkeypatch: pytest.MonkeyPatch, edit: Callable[[Path, bytes], object]
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")
    before_taking_out(monkeypatch, lambda: edit(file, b"edited"))
    with pytest.raises(ChangedMeanwhile):
        replace.replace_file(here_fd, prepare(tmp_path), b"a", sign(file))
    assert contents(tmp_path) == {"a": b"edited"}
    with pytest.raises(ChangedMeanwhile):
        replace.remove_file(here_fd, b"a", sign(file))
    assert contents(tmp_path) == {"a": b"edited"}


def test_directory_that_took_the_name_is_put_back(
    tmp_path: Path, here_fd: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")

    def become_directory() -> None:
        file.unlink()
        file.mkdir()
        (file / "inside").write_bytes(b"x")

    before_taking_out(monkeypatch, become_directory)
    with pytest.raises((ChangedMeanwhile, OSError)):
        replace.replace_file(here_fd, prepare(tmp_path), b"a", sign(file))
    assert os.listdir(tmp_path) == ["a"]
    assert contents(file) == {"inside": b"x"}


def test_deleted_file_is_reported_and_stays_deleted(tmp_path: Path, here_fd: int, way: str) -> None:
    (tmp_path / "a").write_bytes(b"old")
    seen = sign(tmp_path / "a")
    (tmp_path / "a").unlink()
    with pytest.raises(ChangedMeanwhile):
        replace.replace_file(here_fd, prepare(tmp_path), b"a", seen)
    assert replace.remove_file(here_fd, b"a", seen) is False
    assert contents(tmp_path) == {}


def test_bytes_written_through_an_open_descriptor_are_kept(
    tmp_path: Path, here_fd: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")
    seen = sign(file)
    with file.open("ab", buffering=0) as writer:
        after_taking_out(monkeypatch, lambda: writer.write(b"+"))
        with pytest.raises(ChangedMeanwhile):
            replace.replace_file(here_fd, prepare(tmp_path), b"a", seen)
        assert file.read_bytes().startswith(b"old+")
        with pytest.raises(ChangedMeanwhile):
            replace.remove_file(here_fd, b"a", sign(file))
        writer.write(b"!")
    assert file.read_bytes().endswith(b"!")
    assert os.listdir(tmp_path) == ["a"]


def test_file_that_is_open_for_writing_is_kept(tmp_path: Path, here_fd: int, way: str) -> None:
    file = tmp_path / "a"
    with file.open("wb", buffering=0) as writer:
        with pytest.raises(ChangedMeanwhile, match="open for writing"):
            replace.replace_file(here_fd, prepare(tmp_path), b"a", sign(file))
        with pytest.raises(ChangedMeanwhile, match="open for writing"):
            replace.remove_file(here_fd, b"a", sign(file))
        writer.write(b"later")
    assert contents(tmp_path) == {"a": b"later"}


def test_two_saves_during_the_replacement_keep_both(
    tmp_path: Path, here_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")
    before_taking_out(monkeypatch, lambda: save_over(file, b"first"))
    after_taking_out(monkeypatch, lambda: save_over(file, b"second"))
    with pytest.raises(ChangedMeanwhile) as caught:
        replace.replace_file(here_fd, prepare(tmp_path), b"a", sign(file))
    kept = contents(tmp_path)
    assert kept.pop("a") == b"second"
    ((rescued, data),) = kept.items()
    assert data == b"first"
    assert rescued in str(caught.value.hint)


def test_newer_file_with_the_inode_number_of_ours_is_kept(
    tmp_path: Path, here_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"old")

    def save_until_the_number_comes_back() -> None:
        number = file.stat().st_ino
        file.unlink()
        drafts = [tmp_path / f"draft{i}" for i in range(20)]
        for draft in drafts:
            draft.write_bytes(b"newest")
        drafts.sort(key=lambda draft: draft.stat().st_ino == number)
        drafts.pop().rename(file)
        for draft in drafts:
            draft.unlink()

    before_taking_out(monkeypatch, lambda: save_over(file, b"edited"))
    after_taking_out(monkeypatch, save_until_the_number_comes_back)
    with pytest.raises(ChangedMeanwhile):
        replace.replace_file(here_fd, prepare(tmp_path), b"a", sign(file))
    assert file.read_bytes() == b"newest"
    assert sorted(contents(tmp_path).values()) == [b"edited", b"newest"]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "broken"), KeyboardInterrupt()])
def test_fault_or_interrupt_in_the_middle_restores_the_old_file(
    tmp_path: Path, here_fd: int, way: str, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def fail() -> NoReturn:
        raise error

    after_taking_out(monkeypatch, fail)
    with pytest.raises(type(error)):
        replace.replace_file(here_fd, prepare(tmp_path), b"a", sign(tmp_path / "a"))
    assert contents(tmp_path) == {"a": b"old"}
    with pytest.raises(type(error)):
        replace.remove_file(here_fd, b"a", sign(tmp_path / "a"))
    assert contents(tmp_path) == {"a": b"old"}


def test_expected_file_is_removed(tmp_path: Path, here_fd: int, way: str) -> None:
    (tmp_path / "a").write_bytes(b"old")
    assert replace.remove_file(here_fd, b"a", sign(tmp_path / "a")) is True
    assert contents(tmp_path) == {}


def test_a_user_who_keeps_saving_never_loses_the_last_version(tmp_path: Path) -> None:
    """500 replacements race with a user; whatever that user saved and did not save over stays."""
    file = tmp_path / "a"
    file.write_bytes(b"ours")
    stop = threading.Event()
    saved: list[bytes] = []
    taken: list[bytes] = []

    def save() -> None:
        while not stop.is_set():
            saved.append(b"user %d" % len(saved))
            save_over(file, saved[-1])

    user = threading.Thread(target=save)
    user.start()
    fd = open_root(os.fsencode(tmp_path))
    try:
        for number in range(500):
            seen = sign(file)
            shown = file.read_bytes()
            if sign(file) != seen:
                continue
            try:
                replace.replace_file(fd, prepare(tmp_path, b"tool %d" % number), b"a", seen)
            except ChangedMeanwhile:
                continue
            taken.append(shown)
    finally:
        stop.set()
        user.join()
        os.close(fd)
    final = contents(tmp_path)
    last = saved[-1] if saved else b"ours"
    # The last save is there, or was when a replacement that had seen exactly it took its place.
    assert last in final.values() or last in taken
    assert not any(name.startswith(".dvtool-tmp-") for name in final)
