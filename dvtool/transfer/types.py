"""What callers of push and fetch pass in and get back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.formats.index import IndexedPack
from dvtool.model.digest import ObjectId


class Wanted(NamedTuple):
    """One tracked path whose bytes are to be moved.

    ``oid``: of the file, or of the directory's top page; ``size`` and ``files`` as the pointer
    states them. ``path`` is for messages. ``below``: relative paths inside a directory that alone
    are wanted; empty means all of it. ``remote``: the one that it belongs to, empty for the default
    one; for the caller, who chooses the remotes. ``stated``: of adopted data its digest as the pointer has it, empty
    for data of ours.
    """

    directory: bool
    oid: ObjectId
    size: int
    files: int
    path: bytes
    below: tuple[bytes, ...] = ()
    remote: str = ""
    stated: ObjectId = ObjectId(b"")


def none_unchunked(_path: bytes) -> bool:
    """Every file is cut at its content."""
    return False


class PushContext(NamedTuple):
    """Who pushes what, and where this clone keeps its notes about remotes.

    ``commits``: full hex names, empty for a push without a commit. ``journal_dir`` is private to
    this clone; it is made when absent, and losing it costs only time. ``now``: Unix seconds by the
    caller's clock, used together with the server's times to tell how old a root record is.
    ``chunk``: cut large files at their content; False means pieces of equal length, which also
    those get whose path is ``unchunked``. ``jobs``: requests at once, 0 for what the remote bears well.
    """

    repository_id: str
    commits: tuple[str, ...]
    author: str
    journal_dir: bytes
    now: float
    jobs: int = 0
    chunk: bool = True
    unchunked: Callable[[bytes], bool] = none_unchunked

    def cuts_at_content(self, path: bytes) -> bool:
        """How a large file at *path* is to be cut."""
        return self.chunk and not self.unchunked(path)


class MissingItem(NamedTuple):
    """An object that is nowhere to be had, and the path that needs it; ``size`` 0 where it is not known."""

    path: bytes
    oid: ObjectId
    size: int = 0


class DamagedItem(NamedTuple):
    """An object whose bytes were wrong wherever they could be read.

    ``remote`` is the remote's name, empty for the cache; ``key`` the pack or file concerned.
    """

    path: bytes
    oid: ObjectId
    remote: str
    key: str


class PushResult(NamedTuple):
    """What a push did. ``objects`` and ``packs`` were sent; ``bytes_sent`` counts packs only.

    ``sent``: the new packs; ``relied``: all packs that hold what was to be pushed.
    """

    objects: int
    bytes_sent: int
    packs: int
    up_to_date: bool
    store_id: str = ""
    sent: tuple[IndexedPack, ...] = ()
    relied: tuple[IndexedPack, ...] = ()


class Only(NamedTuple):
    """Which files a fetch is about: those of at most *max_size* bytes, whose names end in one of *suffixes*
    (small letters, with the dot). None and empty: all."""

    max_size: int | None = None
    suffixes: tuple[bytes, ...] = ()

    def takes(self, path: bytes, size: int) -> bool:
        """Whether it is about this file."""
        if self.max_size is not None and size > self.max_size:
            return False
        return not self.suffixes or path.lower().endswith(self.suffixes)


class FetchResult(NamedTuple):
    """What a fetch did, or with *dry_run* would do. Everything that is not listed is in the cache now.

    ``broken``: one error for each listing whose bytes are what its digest says, and that is none.
    ``plain_bytes``: after a dry run the size of all that would come: an upper bound, as it may travel
    compressed and parts of it may be here. ``left_out``: files, and their bytes, that the request was not about.
    """

    objects: int
    bytes_received: int
    missing: tuple[MissingItem, ...]
    damaged: tuple[DamagedItem, ...]
    broken: tuple[DvtoolError, ...] = ()
    plain_bytes: int = 0
    left_out: int = 0
    left_out_bytes: int = 0

    def plus(self, other: FetchResult) -> FetchResult:
        """Both as one."""
        return FetchResult(
            self.objects + other.objects,
            self.bytes_received + other.bytes_received,
            self.missing + other.missing,
            self.damaged + other.damaged,
            self.broken + other.broken,
            self.plain_bytes + other.plain_bytes,
            self.left_out + other.left_out,
            self.left_out_bytes + other.left_out_bytes,
        )
