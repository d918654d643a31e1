"""Writing an object of the cache to any place on the disk, complete or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import NoReturn

from dvtool.disk.beneath import open_root
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import part_name
from dvtool.disk.exchange import NotSupported
from dvtool.disk.exchange import rename_noreplace
from dvtool.disk.signature import StatSignature
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.model.tree import Entry
from dvtool.store.cache import Cache
from dvtool.store.treediff import EntryChange
from dvtool.workspace.checkout import Checkout
from dvtool.workspace.checkout import Placed
from dvtool.workspace.checkoutplan import CheckoutPlan
from dvtool.workspace.copying import remove_tree

_NAME = b"restored"


def restore_entry(cache: Cache, entry: Entry, target: bytes, reporter: Reporter) -> Placed:
    """Make the new file or directory *target*, an absolute path, from what *entry* names; verified.

    Of a directory all that the cache has is restored; `Placed` says what is missing. Raises
    `UsageError` when *target* is there, `StorageError`.
    """
    parent = os.path.dirname(target)
    work = os.path.join(parent, part_name())
    try:
        if os.path.lexists(target):
            raise UsageError(f"{show(target)} is there already, and nothing is replaced", path=target)
        make_dirs(parent)
        os.mkdir(work, 0o700)
        root_fd = open_root(work)
        try:
            placed = _place(cache, entry, root_fd, reporter)
            if os.path.lexists(os.path.join(work, _NAME)):
                rename_new(os.path.join(work, _NAME), target)
        finally:
            os.close(root_fd)
            parent_fd = open_root(parent)
            try:
                with contextlib.suppress(OSError):
                    remove_tree(parent_fd, os.path.basename(work))
            finally:
                os.close(parent_fd)
    except FileExistsError as error:
        raise UsageError(f"{show(target)} is there already, and nothing is replaced", path=target) from error
    except OSError as error:
        raise storage_error(error, "write", error.filename or target) from error
    return placed


def _place(cache: Cache, entry: Entry, root_fd: int, reporter: Reporter) -> Placed:
    def page(oid: ObjectId) -> bytes:
        return cache.read_meta(oid, TREE)

    wanted = entry._replace(name=_NAME)
    run = Checkout(
        root_fd,
        cache,
        page,
        links=("reflink", "copy"),
        began_ns=os.fstat(root_fd).st_mtime_ns,
        expect=_nothing_stands_there,
        placed=lambda _path, _entry, _signature: None,
        page_done=lambda _page: None,
        reporter=reporter,
    )
    return run.execute(CheckoutPlan(_NAME, wanted, create=(EntryChange(_NAME, None, wanted),)))


def _nothing_stands_there(path: bytes, _entry: Entry) -> StatSignature:
    _fail(path)


def _fail(path: bytes) -> NoReturn:
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)


def rename_new(old: bytes, new: bytes) -> None:
    """Give *old* the name *new*, which is free. Raises ``OSError``."""
    try:
        rename_noreplace(None, old, new)
    except NotSupported:
        if os.path.lexists(new):
            _fail(new)
        os.rename(old, new)
