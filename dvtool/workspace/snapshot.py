"""What stands in a directory now, as a tree: hashing only what the memo does not know.

One page of a directory is the unit of work: its names and stat signatures are folded into a
fingerprint; if the memo has the same one, the page is known and nothing in it is opened.
"""

from __future__ import annotations

import os
import stat
import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from xxhash import xxh3_128_digest

from dvtool.disk.beneath import open_dir
from dvtool.disk.durable import PART_PREFIX
from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.disk.scan import list_names
from dvtool.disk.signature import Moment
from dvtool.disk.signature import StatSignature
from dvtool.disk.signature import signature_of
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.errors import storage_error
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.formats.tree import encode_leaf
from dvtool.model.digest import ObjectId
from dvtool.model.paths import join
from dvtool.model.paths import name_problem
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import cut_pages
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry
from dvtool.state.memo import Memo
from dvtool.state.memo import MemoPage
from dvtool.store.trees import join_pages
from dvtool.store.trees import totals
from dvtool.workspace.ignore import IGNORE_FILE
from dvtool.workspace.sinks import Sink
from dvtool.workspace.sinks import is_small

MAX_DEPTH = 200
"""Python allows 1,000 calls inside each other and a level takes three: what is deeper could not be read again."""
SIGNATURE_BYTES = 40
_UNSETTLED = bytes(SIGNATURE_BYTES)
_INODE_MASK = (1 << 63) - 1
_LATEST = _INODE_MASK
"""The year 2262 in nanoseconds: a file may claim to be younger, and is read each time like all from the future."""
_FOUR = struct.Struct("<4q")
_FIVE = struct.Struct("<5q")
_TRIES = 3
_OWN_PREFIX = b".dvtool-"
OWN_TEMPORARIES = (TEMPORARY_PREFIX, PART_PREFIX)
_REPORT_EVERY = 64
_LARGE = 1 << 20
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Ignore(Protocol):
    """Which paths are passed over."""

    @property
    def is_empty(self) -> bool: ...

    def is_ignored(self, path: bytes, is_dir: bool) -> bool: ...  # noqa: FBT001


@dataclass(slots=True)
class Counts:
    """What a snapshot cost."""

    files_seen: int = 0
    files_hashed: int = 0
    bytes_hashed: int = 0


def pack_signature(signature: StatSignature) -> bytes:
    """The 40 bytes that stand for a signature in the memo."""
    inode, size, mtime, ctime, mode = signature
    return _FIVE.pack(inode & _INODE_MASK, size, min(mtime, _LATEST), min(ctime, _LATEST), mode)


class Snapshot:
    """Takes snapshots below one root. *moment* is when it began, on the file system's own clock."""

    def __init__(
        self,
        root_fd: int,
        ignore: Ignore,
        memo: Memo,
        sink: Sink,
        moment: Moment,
        reporter: Reporter,
        *,
        linked: Callable[[bytes], tuple[ObjectId, int] | None] | None = None,
    ) -> None:
        self._root_fd = root_fd
        self._ignore = ignore
        self._memo = memo
        self._sink = sink
        self._horizon = moment.horizon_ns
        self._reporter = reporter
        self._linked = linked
        self._unreported = 0
        self._old_pages: tuple[bytes, ...] = ()
        self._old: dict[bytes, tuple[bytes, Entry]] = {}
        self.leftovers: list[bytes] = []
        """Temporaries of killed commands that were met, and passed over."""
        self.fresh: dict[bytes, tuple[bytes, Entry]] = {}
        """Signature and entry of paths that this process has just written itself."""
        self.counts = Counts()

    def directory(self, path: bytes) -> TreeRef:
        """The tree of a directory. Raises `UnsafeInput` for what cannot be tracked, by name."""
        try:
            fd = open_dir(self._root_fd, path)
            try:
                return self._directory(fd, path, 0)
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error(error, "read", error.filename or path) from error

    def file(self, path: bytes) -> Entry:
        """The entry of one file or link, named by the last component of *path*."""
        parent, _, name = path.rpartition(b"/")
        try:
            fd = open_dir(self._root_fd, parent)
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                return self._entry(fd, path, name, status)[0]
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error(error, "read", error.filename or path) from error

    def tracked_file(self, path: bytes) -> Entry:
        """Like `file`, for one that has its own pointer: the memo knows it by its path."""
        parent, _, name = path.rpartition(b"/")
        try:
            fd = open_dir(self._root_fd, parent)
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if not stat.S_ISREG(status.st_mode):
                    return self._entry(fd, path, name, status)[0]
                self.counts.files_seen += 1
                seen = self._memo.file(path)
                live = _signature(status)
                if seen is not None and seen[0] == live and self._sink.holds(seen[1]):
                    return file_entry(name, seen[1], status.st_size, bool(status.st_mode & 0o100))
                entry, signature = self._entry(fd, path, name, status)
                self._memo.put_file(path, signature, entry.oid)
                return entry
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error(error, "read", error.filename or path) from error

    def _directory(self, fd: int, path: bytes, depth: int) -> TreeRef:
        if depth > MAX_DEPTH:
            raise UnsafeInput(f"{show(path)} is nested deeper than {MAX_DEPTH} directories", path=path)
        for _ in range(_TRIES):
            try:
                names = list_names(fd)
                leftovers: list[bytes] = []
                at = bisect_left(names, _OWN_PREFIX)
                if at < len(names) and names[at].startswith(_OWN_PREFIX):
                    own = [name for name in names if name.startswith(OWN_TEMPORARIES)]
                    leftovers = [join(path, name) for name in own]
                    names = [name for name in names if not name.startswith(OWN_TEMPORARIES)]
                if not self._ignore.is_empty or IGNORE_FILE in names:
                    names = [name for name in names if not self._is_ignored(fd, path, name)]
                ends = cut_pages(names)
                known = self._memo.pages(path)
                old = sorted(known)
                self._old_pages = ()
                refs: list[PageRef] = []
                start = 0
                for end in ends:
                    last_name = names[end - 1] if len(ends) > 1 else b""
                    refs.append(self._page(fd, path, depth, names[start:end], last_name, known, old))
                    start = end
                self._memo.drop_pages(path, known.keys() - {ref.last_name for ref in refs})
                self.leftovers += leftovers
                return join_pages(refs, self._sink.page)
            except FileNotFoundError:
                # Gone between the listing and the look at it, as editors' own temporaries are: list again.
                continue
        raise StorageError(
            f"{show(path)}: files keep vanishing while it is read",
            path=path,
            hint="run the same command again when nothing writes to it",
        )

    def _is_ignored(self, fd: int, path: bytes, name: bytes) -> bool:
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        return self._ignore.is_ignored(join(path, name), stat.S_ISDIR(status.st_mode))

    def _page(
        self,
        fd: int,
        path: bytes,
        depth: int,
        names: Sequence[bytes],
        last_name: bytes,
        known: dict[bytes, MemoPage],
        old: Sequence[bytes],
    ) -> PageRef:
        signatures = array("q")
        extend = signatures.extend
        status_of = os.stat
        below: dict[bytes, TreeRef] = {}
        for name in names:
            status = status_of(name, dir_fd=fd, follow_symlinks=False)
            mode = status.st_mode
            if mode & 0o170000 == 0o040000:
                tree = self._subdirectory(fd, join(path, name), name, depth)
                below[name] = tree
                extend((*_FOUR.unpack(tree.oid), 0o040000))
            else:
                mtime, ctime = status.st_mtime_ns, status.st_ctime_ns
                if mtime > _LATEST or ctime > _LATEST:
                    mtime, ctime = min(mtime, _LATEST), min(ctime, _LATEST)
                extend((status.st_ino & _INODE_MASK, status.st_size, mtime, ctime, mode))
        self.counts.files_seen += len(names) - len(below)
        live = signatures.tobytes()
        seen = known.get(last_name)
        is_known = seen is not None and seen.print == fingerprint(names, live)
        if seen is not None and is_known and (not self._sink.asks_store or self._store_has(path, seen)):
            self._reporter.advance(len(names))
            return PageRef(last_name, seen.oid, seen.size, seen.files)
        return self._make_page(fd, path, names, last_name, live, below, _overlapping(old, names))

    def _subdirectory(self, fd: int, path: bytes, name: bytes, depth: int) -> TreeRef:
        try:
            child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise storage_error(error, "read", path) from error
        try:
            return self._directory(child, path, depth + 1)
        finally:
            os.close(child)

    def _store_has(self, path: bytes, seen: MemoPage) -> bool:
        bodies = self._memo.bodies(path, [seen.last_name])
        if not bodies:
            return False
        page = decode_page(bodies[0].leaf)
        holds = self._sink.holds
        if not isinstance(page, Leaf) or not all(entry.kind != FILE or holds(entry.raw) for entry in page.entries):
            return False
        if not self._sink.holds_page(seen.oid):
            self._sink.page(bodies[0].leaf)
        return True

    def _make_page(
        self,
        fd: int,
        path: bytes,
        names: Sequence[bytes],
        last_name: bytes,
        live: bytes,
        below: dict[bytes, TreeRef],
        stale: Sequence[bytes],
    ) -> PageRef:
        old = self._old_entries(path, stale)
        fresh = self.fresh
        holds = self._sink.holds
        entries: list[Entry] = []
        kept: list[bytes] = []
        for number, name in enumerate(names):
            if (problem := name_problem(name)) is not None:
                raise _cannot_track(join(path, name), problem)
            signature = live[number * SIGNATURE_BYTES : (number + 1) * SIGNATURE_BYTES]
            before = old.get(name)
            if fresh:
                before = fresh.get(join(path, name), before)
            tree = below.get(name)
            if tree is not None:
                entries.append(directory_entry(name, tree))
            elif before is not None and before[0] == signature and (before[1].kind == LINK or holds(before[1].raw)):
                entries.append(before[1])
            else:
                try:
                    entry, signature = self._changed(fd, path, name, signature)
                except FileNotFoundError:
                    raise
                except OSError as error:
                    raise storage_error(error, "read", join(path, name)) from error
                entries.append(entry)
            kept.append(signature)
        leaf = encode_leaf(entries)
        oid = self._sink.page(leaf)
        size, files = totals(entries)
        recorded = b"".join(kept)
        page = MemoPage(last_name, fingerprint(names, recorded), oid, size, files)
        self._memo.put_page(path, page, recorded, leaf)
        return PageRef(last_name, oid, size, files)

    def _old_entries(self, path: bytes, stale: Sequence[bytes]) -> dict[bytes, tuple[bytes, Entry]]:
        if self._old_pages == (path, *stale):
            return self._old
        old: dict[bytes, tuple[bytes, Entry]] = {}
        for body in self._memo.bodies(path, stale):
            page = decode_page(body.leaf)
            if isinstance(page, Leaf) and len(body.signatures) == SIGNATURE_BYTES * len(page.entries):
                for number, entry in enumerate(page.entries):
                    at = number * SIGNATURE_BYTES
                    old[entry.name] = (body.signatures[at : at + SIGNATURE_BYTES], entry)
        self._old_pages, self._old = (path, *stale), old
        return old

    def _changed(self, fd: int, path: bytes, name: bytes, signature: bytes) -> tuple[Entry, bytes]:
        """The entry of a file that has to be read, and its signature; the fast way for small ones."""
        inode, size, mtime, ctime, mode = _FIVE.unpack(signature)
        if mode & 0o170000 == 0o100000 and is_small(size):
            file = os.open(name, _OPEN, dir_fd=fd)
            try:
                data = os.read(file, size + 1)
                after = os.fstat(file)
            finally:
                os.close(file)
            if (
                len(data) == size
                and after.st_mtime_ns == mtime
                and after.st_ctime_ns == ctime
                and after.st_size == size
                and after.st_ino & _INODE_MASK == inode
                and after.st_mode == mode
            ):
                self._count(size)
                entry = file_entry(name, self._sink.small(data), size, mode & 0o100 != 0)
                return entry, signature if mtime < self._horizon and ctime < self._horizon else _UNSETTLED
        return self._entry(fd, join(path, name), name, os.stat(name, dir_fd=fd, follow_symlinks=False))

    def _entry(self, fd: int, path: bytes, name: bytes, status: os.stat_result) -> tuple[Entry, bytes]:
        if (problem := name_problem(name)) is not None:
            raise _cannot_track(path, problem)
        if stat.S_ISLNK(status.st_mode):
            self._reporter.advance(1)
            return self._link(name, os.readlink(name, dir_fd=fd)), self._settled(status)
        if not stat.S_ISREG(status.st_mode):
            raise UnsafeInput(
                f"{show(path)} is neither a file, a directory nor a link, so it cannot be tracked",
                path=path,
                hint=f"move it away or name it in .dvtoolignore: {show(name)}",
            )
        oid, after = self._read(fd, path, name, status)
        self._count(after.st_size)
        return file_entry(name, oid, after.st_size, bool(after.st_mode & 0o100)), self._settled(after)

    def _link(self, name: bytes, target: bytes) -> Entry:
        stored = self._linked(target) if self._linked is not None else None
        return link_entry(name, target) if stored is None else file_entry(name, *stored, executable=False)

    def _read(self, fd: int, path: bytes, name: bytes, status: os.stat_result) -> tuple[ObjectId, os.stat_result]:
        for _ in range(_TRIES):
            if not is_small(status.st_size):
                return self._sink.large(fd, name, path)
            file = os.open(name, _OPEN, dir_fd=fd)
            try:
                before = os.fstat(file)
                data = os.read(file, before.st_size + 1) if stat.S_ISREG(before.st_mode) else b""
                status = os.fstat(file)
            finally:
                os.close(file)
            if _signature(before) == _signature(status) and len(data) == status.st_size:
                return self._sink.small(data), status
        raise StorageError(
            f"{show(path)} changed while being read", path=path, hint="run the command again when nothing writes to it"
        )

    def _settled(self, status: os.stat_result) -> bytes:
        if status.st_mtime_ns < self._horizon and status.st_ctime_ns < self._horizon:
            return _signature(status)
        return _UNSETTLED

    def _count(self, size: int) -> None:
        counts = self.counts
        counts.files_hashed += 1
        counts.bytes_hashed += size
        self._unreported += 1
        if self._unreported == _REPORT_EVERY or size > _LARGE:
            self._reporter.advance(self._unreported)
            self._unreported = 0


def _overlapping(old: Sequence[bytes], names: Sequence[bytes]) -> Sequence[bytes]:
    """The pages seen last time, by their last names in order, that some of *names* may have been on."""
    if not names or old[:1] == [b""]:
        return old
    return old[bisect_left(old, names[0]) : bisect_left(old, names[-1]) + 1]


def directory_signature(oid: bytes) -> bytes:
    """What stands for a directory among the packed signatures of a page: its tree's address."""
    return _FIVE.pack(*_FOUR.unpack(oid), 0o040000)


def _signature(status: os.stat_result) -> bytes:
    return pack_signature(signature_of(status))


def fingerprint(names: Sequence[bytes], signatures: bytes) -> bytes:
    """What the memo compares: 128 bits over the names and the packed signatures of a page."""
    return xxh3_128_digest(b"\0".join((*names, b"", signatures)))


def _cannot_track(path: bytes, problem: str) -> UnsafeInput:
    _, _, name = path.rpartition(b"/")
    return UnsafeInput(
        f"{show(path)} cannot be tracked: its name {problem}",
        path=path,
        hint=f"move it away or name it in .dvtoolignore: {show(name)}",
    )
