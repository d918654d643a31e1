"""Files that appear whole or not at all, and stay after a power loss."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator

from dvtool.disk.exchange import NotSupported
from dvtool.disk.exchange import rename_noreplace

TEMPORARY_PREFIX = b".dvtool-tmp-"
PART_PREFIX = b".dvtool-part-"
"""An unfinished file. It never holds anybody's only bytes: whoever finds one after a kill may delete it."""

_NO_DIRECTORY_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
_NO_LINK = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES}
)
_CREATE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def temporary_name() -> bytes:
    """A fresh name for a temporary: short, and never made from a user's name (255 bytes is their limit too)."""
    return TEMPORARY_PREFIX + os.urandom(8).hex().encode("ascii")


def part_name(kind: bytes = b"") -> bytes:
    """A fresh name that begins with `PART_PREFIX` and *kind*."""
    return PART_PREFIX + kind + os.urandom(8).hex().encode("ascii")


def open_temporary(directory: bytes, *, mode: int = 0o600, scrap: bool = False) -> tuple[int, bytes]:
    """Create an empty temporary in *directory*: a descriptor for reading and writing, and its path.

    *scrap*: it is only made to try something, so its name begins with `PART_PREFIX`.
    """
    path = os.path.join(directory, part_name() if scrap else temporary_name())
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR | os.O_CLOEXEC, mode), path


def fsync_file(fd: int) -> None:
    """Bring the bytes of *fd* to the medium. After an error the file must be thrown away, not synced again."""
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        except OSError as error:
            if error.errno not in {errno.ENOTSUP, errno.EINVAL, errno.ENOTTY}:
                raise
        else:
            return
    os.fsync(fd)


def fsync_dir(directory: bytes | int) -> None:
    """Bring the names in *directory* (path or descriptor) to the medium; does nothing where that has no meaning."""
    if isinstance(directory, int):
        try:
            fsync_file(directory)
        except OSError as error:
            if error.errno not in _NO_DIRECTORY_SYNC:
                raise
        return
    fd = os.open(directory, _DIRECTORY)
    try:
        fsync_dir(fd)
    finally:
        os.close(fd)


def make_dirs(path: bytes, mode: int = 0o777) -> None:
    """Make the directory *path* and those above it; the names of the new ones stay after a power loss.

    A directory that is there is no error. Raises ``OSError``.
    """
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path) or b"."
    if parent != path:
        make_dirs(parent, mode)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, mode)
    fsync_dir(parent)


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte of *data*, however many calls it takes."""
    view = memoryview(data)
    done = 0
    while done < len(view):
        done += os.write(fd, view[done:])


def write_file(
    path: bytes, data: bytes, *, mode: int = 0o644, durable: bool = True, dir_fd: int | None = None, kind: bytes = b""
) -> None:
    """Make *path* hold exactly *data*: readers see the old file or the new one, never a mixture.

    With *dir_fd*, *path* is one name in that directory. *mode* is set whatever the umask. A link at *path* is
    replaced, not followed. *kind* is for `discard_parts`. On failure the old file is intact and no temporary is
    left; only an error of the last step, syncing the directory, leaves the new file in place. Raises ``OSError``.
    """
    with _directory_of(path, dir_fd) as (parent, name):
        tmp = _write_temporary(parent, data, mode, durable=durable, kind=kind)
        try:
            os.rename(tmp, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            discard(parent, tmp)
            raise
        if durable:
            fsync_dir(parent)


def create_only(path: bytes, data: bytes, *, mode: int = 0o644, durable: bool = True) -> bool:
    """Like `write_file`, but False and nothing changed when *path* exists already."""
    with _directory_of(path, None) as (parent, _):
        tmp = _write_temporary(parent, data, mode, durable=durable)
    return publish(os.path.join(os.path.dirname(path), tmp), path, durable=durable)


def publish(tmp: bytes, final: bytes, *, durable: bool = False) -> bool:
    """Give the finished file *tmp* its name *final*, once: True when done, False when *final* exists.

    Either way *tmp* is gone afterwards, on an ``OSError`` too. The caller has synced the bytes of *tmp* before;
    the directory is synced here only if *durable*, so a caller that publishes many syncs it once at the end.
    Without hard links and without a non-replacing rename (some network file systems) it is a look and a rename.
    """
    try:
        published = _link_or_rename(tmp, final)
    except BaseException:
        discard(None, tmp)
        raise
    if not published:
        discard(None, tmp)
    if durable:
        fsync_dir(os.path.dirname(final) or b".")
    return published


def discard(dir_fd: int | None, name: bytes) -> None:
    """Unlink a temporary of our own as far as possible: this is a clean-up, a first error matters more."""
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=dir_fd)


def discard_parts(directory: bytes | int, kind: bytes = b"") -> None:
    """Delete what a killed writer left in *directory*: unfinished, and never anybody's only bytes.

    For who holds the lock of those who write there, or of those who write this *kind* there. Raises ``OSError``
    where there is no such directory.
    """
    if not isinstance(directory, int):
        fd = os.open(directory, _DIRECTORY)
        try:
            discard_parts(fd, kind)
        finally:
            os.close(fd)
        return
    for name in map(os.fsencode, os.listdir(directory)):
        if name.startswith(PART_PREFIX + kind):
            discard(directory, name)


def _link_or_rename(tmp: bytes, final: bytes) -> bool:
    try:
        os.link(tmp, final, follow_symlinks=False)
    except FileExistsError:
        if not _is_same_file(tmp, final):
            return False
        # NFS: the server did it, the reply was lost, and the second try found our own link.
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return _rename_once(tmp, final)
    with contextlib.suppress(FileNotFoundError):  # NFS again: it was unlinked, and the reply was lost
        os.unlink(tmp)
    return True


def _rename_once(tmp: bytes, final: bytes) -> bool:
    try:
        rename_noreplace(None, tmp, final)
    except FileExistsError:
        return False
    except NotSupported:
        if os.path.lexists(final):
            return False
        os.rename(tmp, final)
    return True


def _is_same_file(a: bytes, b: bytes) -> bool:
    try:
        return os.path.samestat(os.lstat(a), os.lstat(b))
    except FileNotFoundError:
        return False


def _write_temporary(parent: int, data: bytes, mode: int, *, durable: bool, kind: bytes = b"") -> bytes:
    tmp = part_name(kind)
    fd = os.open(tmp, _CREATE, 0o600, dir_fd=parent)
    try:
        try:
            write_all(fd, data)
            found = os.fstat(fd).st_size
            if found != len(data):
                raise OSError(errno.EIO, f"{found} bytes in the file after writing {len(data)}", tmp)
            os.fchmod(fd, stat.S_IMODE(mode))
            if durable:
                fsync_file(fd)
        finally:
            os.close(fd)
    except BaseException:
        discard(parent, tmp)
        raise
    return tmp


@contextlib.contextmanager
def _directory_of(path: bytes, dir_fd: int | None) -> Iterator[tuple[int, bytes]]:
    if dir_fd is not None:
        yield dir_fd, path
        return
    parent = os.open(os.path.dirname(path) or b".", _DIRECTORY)
    try:
        yield parent, os.path.basename(path)
    finally:
        os.close(parent)
