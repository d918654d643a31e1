"""Old outputs of stages that run: out of the way, and back in their places if nothing comes of it.

A folder for each stage that runs, below the workspace's state directory: the old outputs, and for each a symbolic link
whose target is the path that it had. Names only, so that the order of what the disk keeps is the order of what was
done. A journal beside them says which stages have ended well and wait to be recorded: their old outputs do not return.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from xxhash import xxh3_64_hexdigest

from dvtool.disk.beneath import open_dir
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_all
from dvtool.disk.exchange import NotSupported
from dvtool.disk.exchange import rename_noreplace
from dvtool.disk.replace import RESCUED_PREFIX
from dvtool.errors import storage_error
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.workspace.copying import remove_tree
from dvtool.workspace.worktree import ASIDE

_FAILED = b"failed"
_JOURNAL = b"finished"
_STAGE = b"stage"
_PATH = b".path"
_DATA = b".data"
_NEAR = b".near"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ELSEWHERE = frozenset({errno.EXDEV, errno.EACCES, errno.EPERM})
"""Another file system; or a directory that its owner made read-only, which only keeps its parent."""


class Finished(NamedTuple):
    """A line of the journal: the folder of a stage that ended well (empty for none), and what is to be recorded."""

    folder: bytes
    record: bytes


class Aside:
    """Puts outputs aside in one worktree. Changing anything needs the worktree's lock. Raises `StorageError`."""

    def __init__(self, root_fd: int, state_dir: bytes) -> None:
        self._root_fd = root_fd
        self._state_dir = state_dir
        self._folder = os.path.join(state_dir, ASIDE)
        self._journal = os.path.join(self._folder, _JOURNAL)

    def put(self, stage: str, paths: Iterable[bytes]) -> bytes:
        """Move what stands at *paths* out of the way; the name of its folder, empty where nothing stood there."""
        name = b""
        try:
            for path in paths:
                if not self._stands(path):
                    continue
                if not name:
                    name = os.urandom(8).hex().encode("ascii")
                    make_dirs(self._at(name), 0o700)
                    os.symlink(os.fsencode(stage), self._at(name, _STAGE))
                self._put(name, path)
        except OSError as error:
            if name:
                with contextlib.suppress(OSError):
                    self._give_back(name)
            raise storage_error(error, "put aside", error.filename or self._folder) from error
        return name

    def give_back(self, name: bytes) -> list[bytes]:
        """Bring the old outputs of a folder back to their paths, which must be free; the paths."""
        if not name:
            return []
        try:
            return self._give_back(name)
        except OSError as error:
            raise storage_error(error, "give back what is in", self._at(name)) from error

    def drop(self, name: bytes) -> None:
        """The new outputs are recorded: the old ones go. Those that are gone already are no error."""
        if not (name and os.path.isdir(self._at(name))):
            return
        try:
            for number, path in self._entries(name):
                near = self._near(name, number)
                if near is not None:
                    self._remove(join(split(path)[0], near))
            parent = os.open(self._folder, _DIRECTORY)
            try:
                remove_tree(parent, name)
            finally:
                os.close(parent)
        except OSError as error:
            raise storage_error(error, "remove", self._at(name)) from error

    def old(self, name: bytes, path: bytes) -> bytes | None:
        """The absolute path of what stood at *path*, where it lies in that folder now."""
        for number, each in self._entries(name) if name else ():
            if each == path and self._near(name, number) is None:
                return self._at(name, number + _DATA)
        return None

    def clear(self, stage: str, paths: Iterable[bytes]) -> bytes | None:
        """Take what a failed stage has written out of its places; the absolute path of where it is now.

        Only what it left the last time is kept.
        """
        place = os.path.join(self._state_dir, _FAILED, plain_name(stage))
        present = [path for path in paths if self._stands(path)]
        try:
            self._remove_all(place)
            if not present:
                return None
            for path in present:
                target = os.path.join(place, path)
                make_dirs(os.path.dirname(target), 0o700)
                self._move_away(path, target)
        except OSError as error:
            raise storage_error(error, "put aside", error.filename or place) from error
        return place

    def finished(self, folder: bytes, record: bytes) -> None:
        """Note that a stage ended well and is to be recorded; this survives a kill, not a loss of power."""
        body = folder + b" " + record.hex().encode("ascii")
        try:
            make_dirs(self._folder, 0o700)
            fd = os.open(self._journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                write_all(fd, body + b" " + _checksum(body) + b"\n")
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error(error, "write", self._journal) from error

    def read_finished(self) -> list[Finished]:
        """Stages that ended well and were not recorded; a torn line and all behind it are passed over."""
        try:
            with open(self._journal, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(error, "read", self._journal) from error
        found = []
        for line in data.splitlines():
            body, _, checksum = line.rpartition(b" ")
            folder, _, record = body.partition(b" ")
            if _checksum(body) != checksum:
                break
            found.append(Finished(folder, bytes.fromhex(record.decode("ascii"))))
        return found

    def forget_finished(self) -> None:
        """All of them are recorded, and what they had put aside was dropped."""
        try:
            os.unlink(self._journal)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise storage_error(error, "remove", self._journal) from error

    def recover(self) -> list[bytes]:
        """Give back what a killed command had put aside; the paths. A stage that ended well is left to be recorded."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise storage_error(error, "read", self._folder) from error
        ended = {each.folder for each in self.read_finished()}
        found: list[bytes] = []
        for name in sorted(names):
            if name == _JOURNAL or name in ended:
                continue
            try:
                stage = os.fsdecode(os.readlink(self._at(name, _STAGE)))
                self.clear(stage, [path for number, path in self._entries(name) if self._has_data(name, number, path)])
            except (FileNotFoundError, NotADirectoryError):
                pass  # killed before anything was moved
            except OSError as error:
                raise storage_error(error, "read", self._at(name)) from error
            found += self.give_back(name)
        return found

    def _put(self, name: bytes, path: bytes) -> None:
        parent, base = split(path)
        number = b"%d" % sum(1 for _ in self._entries(name))
        os.symlink(path, self._at(name, number + _PATH))
        fd = open_dir(self._root_fd, parent)
        try:
            try:
                os.rename(base, self._at(name, number + _DATA), src_dir_fd=fd)
            except OSError as error:
                if error.errno not in _ELSEWHERE:
                    raise
                near = RESCUED_PREFIX + os.urandom(8).hex().encode("ascii")
                os.symlink(near, self._at(name, number + _NEAR))
                os.rename(base, near, src_dir_fd=fd, dst_dir_fd=fd)
        finally:
            os.close(fd)

    def _give_back(self, name: bytes) -> list[bytes]:
        found = []
        for number, path in list(self._entries(name)):
            if not self._has_data(name, number, path):
                continue
            parent, base = split(path)
            fd = open_dir(self._root_fd, parent, create=True)
            try:
                near = self._near(name, number)
                if near is not None:
                    _rename(fd, near, fd, base)
                else:
                    _rename(None, self._at(name, number + _DATA), fd, base)
            finally:
                os.close(fd)
            found.append(path)
        self._remove_all(self._at(name))
        return found

    def _entries(self, name: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Number and path of what was put, or was about to be put, into a folder."""
        for each in sorted(os.listdir(self._at(name))):
            if each.endswith(_PATH):
                yield each.removesuffix(_PATH), os.readlink(self._at(name, each))

    def _near(self, name: bytes, number: bytes) -> bytes | None:
        try:
            return os.readlink(self._at(name, number + _NEAR))
        except FileNotFoundError:
            return None

    def _has_data(self, name: bytes, number: bytes, path: bytes) -> bool:
        near = self._near(name, number)
        if near is not None:
            return self._stands(join(split(path)[0], near))
        return os.path.lexists(self._at(name, number + _DATA))

    def _stands(self, path: bytes) -> bool:
        parent, base = split(path)
        try:
            fd = open_dir(self._root_fd, parent)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            os.lstat(base, dir_fd=fd)
        except FileNotFoundError:
            return False
        finally:
            os.close(fd)
        return True

    def _move_away(self, path: bytes, target: bytes) -> None:
        parent, base = split(path)
        fd = open_dir(self._root_fd, parent)
        try:
            try:
                os.rename(base, target, src_dir_fd=fd)
            except OSError as error:
                if error.errno not in _ELSEWHERE:
                    raise
                remove_tree(fd, base)
        finally:
            os.close(fd)

    def _remove(self, path: bytes) -> None:
        parent, base = split(path)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            fd = open_dir(self._root_fd, parent)
            try:
                remove_tree(fd, base)
            finally:
                os.close(fd)

    def _remove_all(self, place: bytes) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            fd = os.open(os.path.dirname(place), _DIRECTORY)
            try:
                remove_tree(fd, os.path.basename(place))
            finally:
                os.close(fd)

    def _at(self, *names: bytes) -> bytes:
        return os.path.join(self._folder, *names)


def _rename(source_fd: int | None, source: bytes, fd: int, name: bytes) -> None:
    try:
        rename_noreplace(source_fd, source, name, new_dir_fd=fd)
    except NotSupported:
        try:
            os.lstat(name, dir_fd=fd)
        except FileNotFoundError:
            os.rename(source, name, src_dir_fd=source_fd, dst_dir_fd=fd)
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), show(name)) from None


def waiting_in(state_dir: bytes) -> Iterator[tuple[bytes, str, bytes]]:
    """What a killed run has put aside: where it lies, whose it is, the path that it had. Raises ``OSError``."""
    folder = os.path.join(state_dir, ASIDE)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for name in sorted(os.listdir(folder)):
            if name == _JOURNAL:
                continue
            place = os.path.join(folder, name)
            stage = os.fsdecode(os.readlink(os.path.join(place, _STAGE)))
            for each in sorted(os.listdir(place)):
                data = os.path.join(place, each.removesuffix(_PATH) + _DATA)
                if each.endswith(_PATH) and os.path.lexists(data):
                    yield data, stage, os.readlink(os.path.join(place, each))


def plain_name(stage: str) -> bytes:
    """One file name for a stage, as readable as can be."""
    text = os.fsencode(stage)
    kept = bytes(byte if byte in _NAME_BYTES else 0x2D for byte in text)[-100:]
    return kept if kept == text else kept + b"-" + _checksum(text)[:8]


_NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@=,+")


def _checksum(text: bytes) -> bytes:
    return xxh3_64_hexdigest(text).encode("ascii")
