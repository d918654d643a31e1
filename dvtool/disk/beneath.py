"""Access below an opened directory that never leaves it and never follows a link.

A repository can put a symbolic link where a directory is expected, and another process can swap one in between
a check and its use. So nothing here goes by full path: a directory is opened once, and names are used inside it.
"""

from __future__ import annotations

import errno
import os
import stat

from dvtool.disk import _native
from dvtool.errors import UnsafeInput

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CREATE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY | os.O_CLOEXEC
_RESOLVE = _native.RESOLVE_BENEATH | _native.RESOLVE_NO_SYMLINKS | _native.RESOLVE_NO_MAGICLINKS
_HINT = "put a file in its place, or take it away"

# What openat2 says where it is missing, filtered (old container sandboxes answer EPERM), too new a flag,
# disturbed by a rename, or given a path over PATH_MAX: the walk by components settles each of them.
_WALK_INSTEAD = frozenset(
    {errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.E2BIG, errno.EAGAIN, errno.ENAMETOOLONG, errno.ELOOP, errno.EXDEV}
)

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFDIR: "a directory",
    stat.S_IFREG: "a regular file",
}


def open_root(path: bytes) -> int:
    """Open the directory that everything else is relative to; links in *path* itself are the user's own."""
    return os.open(path, _DIRECTORY)


def open_dir(root_fd: int, relpath: bytes, *, create: bool = False, mode: int = 0o777) -> int:
    """Open the directory *relpath* ('/'-separated, ``b""`` is the root itself) below *root_fd*.

    With *create*, missing directories are made with *mode* less the umask. Raises `UnsafeInput` for a link on the
    way or a path that is not plain, ``NotADirectoryError``, ``FileNotFoundError`` or another ``OSError``.
    """
    if not relpath:
        return os.open(b".", _DIRECTORY, dir_fd=root_fd)
    parts = relpath.split(b"/")
    if b".." in parts or b"" in parts or b"." in parts or b"\0" in relpath:
        raise UnsafeInput(f"{os.fsdecode(relpath)!r} is not a plain path inside the repository", path=relpath)
    try:
        return _native.openat2(root_fd, relpath, _DIRECTORY, _RESOLVE)
    except FileNotFoundError:
        if not create:
            raise
    except OSError as error:
        if error.errno not in _WALK_INSTEAD:
            raise
    return _walk(root_fd, parts, create=create, mode=mode)


def open_file(dir_fd: int, name: bytes, *, shown: bytes | None = None) -> int:
    """Open the regular file *name* of *dir_fd* for reading.

    Links, FIFOs, sockets, devices and directories raise `UnsafeInput` naming *shown* (the path as the user
    knows it; *name* unless given), and none of them can make the call wait. Otherwise ``OSError``.
    """
    _require_plain(name)
    try:
        fd = os.open(name, _READ, dir_fd=dir_fd)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV}:
            raise
        raise _refused(dir_fd, name, shown or name) from error
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise _not_regular(mode, shown or name)
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_beneath(root: bytes | int, path: bytes, limit: int) -> bytes:
    """The bytes of the file *path* below *root*, a directory's path or descriptor; of a longer one *limit* + 1.

    Never through a link: `UnsafeInput`. ``FileNotFoundError``, ``NotADirectoryError`` or another ``OSError``.
    """
    parent, _, name = path.rpartition(b"/")
    root_fd = open_root(root) if isinstance(root, bytes) else root
    try:
        directory = open_dir(root_fd, parent)
    finally:
        if isinstance(root, bytes):
            os.close(root_fd)
    try:
        file = open_file(directory, name, shown=path)
    finally:
        os.close(directory)
    with open(file, "rb") as stream:
        return stream.read(limit + 1)


def create_file(dir_fd: int, name: bytes, mode: int = 0o666) -> int:
    """Create *name* in *dir_fd* for writing (*mode* less the umask); ``FileExistsError`` for anything there already."""
    _require_plain(name)
    return os.open(name, _CREATE, mode, dir_fd=dir_fd)


def _require_plain(name: bytes) -> None:
    if not name or b"/" in name or b"\0" in name or name in {b".", b".."}:
        raise UnsafeInput(f"{os.fsdecode(name)!r} is not a plain file name", path=name)


def _walk(root_fd: int, parts: list[bytes], *, create: bool, mode: int) -> int:
    fd = root_fd
    try:
        for depth, part in enumerate(parts):
            try:
                deeper = _open_component(fd, part, create=create, mode=mode)
            except OSError as error:
                path = b"/".join(parts[: depth + 1])
                if error.errno in {errno.ELOOP, errno.EMLINK, errno.ENOTDIR} and _may_be_link(fd, part):
                    raise UnsafeInput(
                        f"{os.fsdecode(path)} is a symbolic link where a directory is expected",
                        path=path,
                        hint="remove the link, or track the place that it points to instead",
                    ) from error
                raise OSError(error.errno, error.strerror, path) from error
            if fd != root_fd:
                os.close(fd)
            fd = deeper
    except BaseException:
        if fd != root_fd:
            os.close(fd)
        raise
    return fd


def _open_component(fd: int, part: bytes, *, create: bool, mode: int) -> int:
    try:
        return os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
    except FileNotFoundError:
        if not create:
            raise
    try:
        os.mkdir(part, mode, dir_fd=fd)
    except FileExistsError:
        pass
    return os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)


def _may_be_link(dir_fd: int, name: bytes) -> bool:
    """Whether what was no directory a moment ago is a link, or was one: gone, or a directory, by now."""
    try:
        mode = os.lstat(name, dir_fd=dir_fd).st_mode
    except OSError:
        return True
    return stat.S_ISLNK(mode) or stat.S_ISDIR(mode)


def _refused(dir_fd: int, name: bytes, shown: bytes) -> UnsafeInput:
    try:
        return _not_regular(os.lstat(name, dir_fd=dir_fd).st_mode, shown)
    except OSError:
        return UnsafeInput(f"{os.fsdecode(shown)} is not a regular file", path=shown, hint=_HINT)


def _not_regular(mode: int, shown: bytes) -> UnsafeInput:
    kind = _KINDS.get(stat.S_IFMT(mode), "of an unknown kind")
    return UnsafeInput(f"{os.fsdecode(shown)} is {kind}, not a regular file", path=shown, hint=_HINT)
