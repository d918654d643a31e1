"""Put a file in the place of another, or remove one, only if it is the one that was seen.

Between looking at a user's file and replacing it, the user may save it again. So nothing is unlinked before it was
taken out of its name and looked at: what is not the expected file goes back.

A kill in the middle can leave the user's bytes under a temporary name (`durable.TEMPORARY_PREFIX`): in a workspace
such a file may only be deleted when its bytes are known to be in the cache.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from dvtool.disk.durable import discard
from dvtool.disk.durable import temporary_name
from dvtool.disk.exchange import NotSupported
from dvtool.disk.exchange import exchange
from dvtool.disk.exchange import rename_noreplace
from dvtool.disk.signature import StatSignature
from dvtool.disk.signature import signature_of
from dvtool.disk.writers import has_writer
from dvtool.errors import DvtoolError

RESCUED_PREFIX = b".dvtool-rescued-"

_NO_LINK = frozenset(
    {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
)


class ChangedMeanwhile(DvtoolError):
    """The file that was to be replaced or removed is not, or no longer, the one that was seen. It was kept."""


def replace_file(
    dir_fd: int, tmp: bytes, name: bytes, expected: StatSignature | None, *, shown: bytes | None = None
) -> StatSignature | None:
    """Give the finished file *tmp* the name *name* in place of the file that *expected* describes.

    ``None`` as *expected*: *name* must not exist. Returns the signature of the file now at *name*, or ``None``
    when somebody replaced it again already. Raises `ChangedMeanwhile` (naming *shown* or *name*) with the other
    file put back, or ``OSError``; *tmp* is consumed in every case. Nothing is synced here.
    """
    ours = signature_of(os.lstat(tmp, dir_fd=dir_fd))
    try:
        if expected is None:
            _place_new(dir_fd, tmp, name, shown or name)
        else:
            _require_seen(dir_fd, name, expected, shown or name, "replaced")
            _place_over(dir_fd, tmp, name, expected, ours, shown or name)
    except BaseException:
        if _stands(dir_fd, tmp, ours):
            discard(dir_fd, tmp)
        raise
    now = _look(dir_fd, name)
    return now if now is not None and now.is_same_but_ctime(ours) else None


def remove_file(dir_fd: int, name: bytes, expected: StatSignature, *, shown: bytes | None = None) -> bool:
    """Unlink *name* if it is the file that *expected* describes; False when nothing is there any more.

    Raises `ChangedMeanwhile` with the other file put back under its name, or ``OSError``. Nothing is synced here.
    """
    if _look(dir_fd, name) is None:
        return False
    _require_seen(dir_fd, name, expected, shown or name, "removed")
    aside = temporary_name()
    try:
        os.rename(name, aside, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    try:
        _require_expected(dir_fd, aside, expected, shown or name, "removed")
        os.unlink(aside, dir_fd=dir_fd)
    except BaseException as error:
        _put_back(dir_fd, aside, name, shown or name, error)
        raise
    return True


def _place_new(dir_fd: int, tmp: bytes, name: bytes, shown: bytes) -> None:
    try:
        _move_noreplace(dir_fd, tmp, name)
    except FileExistsError as error:
        raise ChangedMeanwhile(
            f"{os.fsdecode(shown)} appeared while it was being written; it was left as it is",
            path=shown,
            hint="look at it, move it away or add it, then run the same command again",
        ) from error


def _move_noreplace(dir_fd: int, old: bytes, name: bytes) -> None:
    try:
        rename_noreplace(dir_fd, old, name)
    except NotSupported:
        if not _link(dir_fd, old, name):
            if _look(dir_fd, name) is not None:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name) from None
            os.rename(old, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            return
        os.unlink(old, dir_fd=dir_fd)


def _place_over(
    dir_fd: int, tmp: bytes, name: bytes, expected: StatSignature, ours: StatSignature, shown: bytes
) -> None:
    try:
        exchange(dir_fd, tmp, name)
    except NotSupported:
        _replace_without_exchange(dir_fd, tmp, name, expected, ours, shown)
        return
    except FileNotFoundError as error:
        raise _changed(shown, "replaced") from error
    try:
        _require_expected(dir_fd, tmp, expected, shown, "replaced")
        os.unlink(tmp, dir_fd=dir_fd)
    except BaseException as error:
        _exchange_back(dir_fd, tmp, name, ours, shown, error)
        raise


def _exchange_back(
    dir_fd: int, tmp: bytes, name: bytes, ours: StatSignature, shown: bytes, error: BaseException
) -> None:
    """After an exchange *tmp* is the user's file. A still newer one may stand at *name* by now: both are kept."""
    if _look(dir_fd, tmp) is None:
        return
    try:
        exchange(dir_fd, tmp, name)
    except FileNotFoundError:
        _put_back(dir_fd, tmp, name, shown, error)
        return
    if not _stands(dir_fd, tmp, ours):
        exchange(dir_fd, tmp, name)
        _rescue(dir_fd, tmp, shown, error)


def _replace_without_exchange(
    dir_fd: int, tmp: bytes, name: bytes, expected: StatSignature, ours: StatSignature, shown: bytes
) -> None:
    aside = temporary_name()
    try:
        linked = _link(dir_fd, name, aside)
        if not linked:
            os.rename(name, aside, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except FileNotFoundError as error:
        raise _changed(shown, "replaced") from error
    try:
        _require_expected(dir_fd, aside, expected, shown, "replaced")
        if not linked:
            _place_new(dir_fd, tmp, name, shown)
        elif not _stands(dir_fd, name, expected):
            raise _changed(shown, "replaced")
        else:
            os.rename(tmp, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            # Where both were names of one file, rename does nothing and leaves both.
            discard(dir_fd, tmp)
            _require_expected(dir_fd, aside, expected, shown, "replaced")
        os.unlink(aside, dir_fd=dir_fd)
    except BaseException as error:
        _restore_aside(dir_fd, aside, name, ours, shown, error)
        raise


def _restore_aside(
    dir_fd: int, aside: bytes, name: bytes, ours: StatSignature, shown: bytes, error: BaseException
) -> None:
    kept = _look(dir_fd, aside)
    if kept is None:
        return
    if _look(dir_fd, name) == kept:
        discard(dir_fd, aside)
    elif _stands(dir_fd, name, ours):
        os.rename(aside, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    else:
        _put_back(dir_fd, aside, name, shown, error)


def _put_back(dir_fd: int, aside: bytes, name: bytes, shown: bytes, error: BaseException) -> None:
    try:
        _move_noreplace(dir_fd, aside, name)
    except FileNotFoundError:
        return
    except FileExistsError:
        _rescue(dir_fd, aside, shown, error)


def _rescue(dir_fd: int, name: bytes, shown: bytes, error: BaseException) -> None:
    """Keep bytes whose name is taken by newer ones, under a name that no caller cleans up."""
    rescued = RESCUED_PREFIX + temporary_name().rpartition(b"-")[2]
    os.rename(name, rescued, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    if isinstance(error, DvtoolError):
        where = os.path.join(os.path.dirname(shown), rescued)
        error.hint = f"an earlier version of it is kept in {os.fsdecode(where)}"


def _link(dir_fd: int, old: bytes, new: bytes) -> bool:
    try:
        os.link(old, new, src_dir_fd=dir_fd, dst_dir_fd=dir_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        return False
    return True


def _look(dir_fd: int, name: bytes) -> StatSignature | None:
    with contextlib.suppress(FileNotFoundError):
        return signature_of(os.lstat(name, dir_fd=dir_fd))
    return None


def _stands(dir_fd: int, name: bytes, file: StatSignature) -> bool:
    """Whether *name* is that file. The inode alone does not say: the next file may get the number of a deleted one."""
    found = _look(dir_fd, name)
    return found is not None and found.is_same_but_ctime(file)


def _require_seen(dir_fd: int, name: bytes, expected: StatSignature, shown: bytes, doing: str) -> None:
    """The last look with the change time in it: taking a file out of its name moves that time."""
    try:
        found = signature_of(os.lstat(name, dir_fd=dir_fd))
    except FileNotFoundError as error:
        raise _changed(shown, doing) from error
    if found != expected:
        raise _changed(shown, doing)


def _require_expected(dir_fd: int, aside: bytes, expected: StatSignature, shown: bytes, doing: str) -> None:
    """*aside* is out of its name, so no new writer finds it: one that is still there would write into the void."""
    if stat.S_ISREG(expected.mode) and has_writer(dir_fd, aside):
        raise ChangedMeanwhile(
            f"{os.fsdecode(shown)} is open for writing in another program; it was left as it is",
            path=shown,
            hint="end that program or let it close the file, then run the same command again",
        )
    if not expected.is_same_but_ctime(signature_of(os.lstat(aside, dir_fd=dir_fd))):
        raise _changed(shown, doing)


def _changed(shown: bytes, doing: str) -> ChangedMeanwhile:
    return ChangedMeanwhile(
        f"{os.fsdecode(shown)} was changed by another program while it was being {doing}; it was left as it is",
        path=shown,
        hint="run the same command again when nothing writes to it",
    )
