"""What stands in a directory now, as a tree: hashing only what the memo does not know.

One page of a directory is the unit of work: its names and stat signatures are folded into a
fingerprint; if the memo has the same one, the page is known and nothing in it is opened. Pages
with files to read wait in a queue, in the order of the walk, so that helper processes can read
them while the walk goes on.
"""

from __future__ import annotations

import os
import stat
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Protocol

from dvtool.disk.beneath import open_dir
from dvtool.disk.durable import PART_PREFIX
from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.disk.scan import list_names
from dvtool.disk.signature import Moment
from dvtool.disk.signature import signature_of
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.errors import storage_error
from dvtool.formats.tree import encode_leaf
from dvtool.model.digest import ObjectId
from dvtool.model.paths import join
from dvtool.model.paths import name_problem
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.model.tree import LINK
from dvtool.model.tree import MAX_DEPTH
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import cut_pages
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.state.memo import Memo
from dvtool.state.memo import MemoPage
from dvtool.store.trees import join_pages
from dvtool.store.trees import totals
from dvtool.workspace.filereading import INODE_MASK
from dvtool.workspace.filereading import LATEST
from dvtool.workspace.filereading import FileReader
from dvtool.workspace.filereading import cannot_track
from dvtool.workspace.filereading import pack_signature
from dvtool.workspace.filereading import packed_size
from dvtool.workspace.pages import DIRECTORY_MODE
from dvtool.workspace.pages import DirectoryInWork
from dvtool.workspace.pages import PageInWork
from dvtool.workspace.pages import fingerprint
from dvtool.workspace.pages import overlapping
from dvtool.workspace.remembered import Remembered
from dvtool.workspace.sinks import Sink

if TYPE_CHECKING:
    from dvtool.workspace.readers import Readers

HELPERS_FROM = 12_000
"""Helpers are started for so many unread files, a MiB counting as 16 more: 0.3 s of work, twice what a start costs."""
_WEIGHT_BYTES = 1 << 16
_PAGES_AHEAD = 256
"""So many pages wait at most while helpers read: 64,000 files, 20 MB."""
_TRIES = 3
_OWN_PREFIX = b".dvtool-"
OWN_TEMPORARIES = (TEMPORARY_PREFIX, PART_PREFIX)
_NO_TREE = TreeRef(ObjectId(bytes(32)), 0, 0)


class Ignore(Protocol):
    """Which paths are passed over. ``name``: of the files that say so."""

    @property
    def name(self) -> bytes: ...

    @property
    def is_empty(self) -> bool: ...

    def is_ignored(self, path: bytes, is_dir: bool) -> bool: ...  # noqa: FBT001


class Snapshot:
    """Takes snapshots below one root. *moment* is when it began, on the file system's own clock.

    *helpers* starts helper processes once there is much to read; it gives None where it cannot.
    """

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
        helpers: Callable[[], Readers | None] | None = None,
    ) -> None:
        self._root_fd = root_fd
        self._ignore = ignore
        self._memo = memo
        self._sink = sink
        self._reporter = reporter
        self._reader = FileReader(sink, moment.horizon_ns, reporter, linked)
        self._start_helpers = helpers
        self._helpers: Readers | None = None
        self._queue: deque[PageInWork | DirectoryInWork] = deque()
        """What waits for files to be read; a directory stands behind all its pages."""
        self._weight = 0
        self._repeated: dict[bytes, int] = {}
        self._remembered = Remembered(memo, sink)
        self.leftovers: list[bytes] = []
        """Temporaries of killed commands that were met, and passed over."""
        self.fresh: dict[bytes, tuple[bytes, Entry]] = {}
        """Signature and entry of paths that this process has just written itself."""
        self.counts = self._reader.counts

    def directory(self, path: bytes) -> TreeRef:
        """The tree of a directory. Raises `UnsafeInput` for what cannot be tracked, by name."""
        try:
            top = self._walk(path)
            self._settle(to_the_end=True)
            if self._helpers is not None:
                self._helpers.finish()
        except OSError as error:
            raise storage_error(error, "read", error.filename or path) from error
        finally:
            self._queue.clear()
            self._weight = 0
            if self._helpers is not None:
                self._helpers.close()
                self._helpers = None
        assert top.tree is not None
        return top.tree

    def file(self, path: bytes) -> Entry:
        """The entry of one file or link, named by the last component of *path*."""
        parent, _, name = path.rpartition(b"/")
        try:
            fd = open_dir(self._root_fd, parent)
            try:
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                return self._reader.entry(fd, path, name, status)[0]
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
                    return self._reader.entry(fd, path, name, status)[0]
                self.counts.files_seen += 1
                seen = self._memo.file(path)
                live = pack_signature(signature_of(status))
                if seen is not None and seen[0] == live and self._sink.holds(seen[1]):
                    return file_entry(name, seen[1], status.st_size, bool(status.st_mode & 0o100))
                entry, signature = self._reader.entry(fd, path, name, status)
                self._memo.put_file(path, signature, entry.oid)
                return entry
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error(error, "read", error.filename or path) from error

    def _walk(self, path: bytes, parent: DirectoryInWork | None = None) -> DirectoryInWork:
        fd = open_dir(self._root_fd, path)
        try:
            return self._directory(fd, path, parent)
        finally:
            os.close(fd)

    def _directory(self, fd: int, path: bytes, parent: DirectoryInWork | None) -> DirectoryInWork:
        if path.count(b"/") >= MAX_DEPTH:
            raise UnsafeInput(f"{show(path)} is nested deeper than {MAX_DEPTH} directories", path=path)
        for _ in range(_TRIES):
            directory = DirectoryInWork(path, parent, self._memo.pages(path))
            try:
                self._list(fd, directory)
            except FileNotFoundError:
                # Gone between the listing and the look at it, as editors' own temporaries are: list again.
                directory.tree = _NO_TREE
            else:
                return directory
        raise _vanishing(path)

    def _list(self, fd: int, directory: DirectoryInWork) -> None:
        path = directory.path
        names = list_names(fd)
        at = bisect_left(names, _OWN_PREFIX)
        if at < len(names) and names[at].startswith(_OWN_PREFIX):
            directory.leftovers = [join(path, name) for name in names if name.startswith(OWN_TEMPORARIES)]
            names = [name for name in names if not name.startswith(OWN_TEMPORARIES)]
        if not self._ignore.is_empty or self._ignore.name in names:
            names = [name for name in names if not self._is_ignored(fd, path, name)]
        ends = cut_pages(names)
        directory.refs = [None] * len(ends)
        old = sorted(directory.known)
        self._remembered.forget()
        start = 0
        for slot, end in enumerate(ends):
            last_name = names[end - 1] if len(ends) > 1 else b""
            self._page(fd, directory, slot, names[start:end], last_name, old)
            start = end
        if None in directory.refs:
            self._queue.append(directory)
        else:
            self._join(directory)

    def _is_ignored(self, fd: int, path: bytes, name: bytes) -> bool:
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        return self._ignore.is_ignored(join(path, name), stat.S_ISDIR(status.st_mode))

    def _join(self, directory: DirectoryInWork) -> None:
        refs = [ref for ref in directory.refs if ref is not None]
        self._memo.drop_pages(directory.path, directory.known.keys() - {ref.last_name for ref in refs})
        self.leftovers += directory.leftovers
        directory.tree = join_pages(refs, self._sink.page)

    def _page(
        self,
        fd: int,
        directory: DirectoryInWork,
        slot: int,
        names: Sequence[bytes],
        last_name: bytes,
        old: Sequence[bytes],
    ) -> None:
        signatures = array("q")
        extend = signatures.extend
        status_of = os.stat
        below: dict[int, DirectoryInWork] = {}
        for number, name in enumerate(names):
            status = status_of(name, dir_fd=fd, follow_symlinks=False)
            mode = status.st_mode
            if mode & 0o170000 == DIRECTORY_MODE:
                below[number] = self._subdirectory(fd, directory, name)
                extend((0, 0, 0, 0, DIRECTORY_MODE))
            else:
                mtime, ctime = status.st_mtime_ns, status.st_ctime_ns
                if mtime > LATEST or ctime > LATEST:
                    mtime, ctime = min(mtime, LATEST), min(ctime, LATEST)
                extend((status.st_ino & INODE_MASK, status.st_size, mtime, ctime, mode))
        self.counts.files_seen += len(names) - len(below)
        live = bytearray(signatures.tobytes())
        page = PageInWork(directory, slot, names, last_name, live, below, overlapping(old, names))
        if all(child.tree is not None for child in below.values()):
            if self._is_known(page):
                return
            self._decide(page)
            if not page.unread:
                self._compose(page)
                return
        elif last_name not in directory.known:
            self._decide(page)
        self._enqueue(page)

    def _subdirectory(self, fd: int, directory: DirectoryInWork, name: bytes) -> DirectoryInWork:
        path = join(directory.path, name)
        try:
            child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise storage_error(error, "read", path) from error
        try:
            return self._directory(child, path, directory)
        finally:
            os.close(child)

    def _is_known(self, page: PageInWork) -> bool:
        """True when the memo has this very page; all trees below are known."""
        page.set_trees()
        path = page.directory.path
        seen = page.directory.known.get(page.last_name)
        if seen is None or seen.print != fingerprint(page.names, page.live):
            return False
        if self._sink.asks_store and not self._remembered.is_stored(path, seen):
            return False
        self._reporter.advance(len(page.names))
        page.directory.refs[page.slot] = PageRef(page.last_name, seen.oid, seen.size, seen.files)
        return True

    def _decide(self, page: PageInWork) -> None:
        """Which entries are as they were, and which have to be read."""
        path = page.directory.path
        old = self._remembered.entries(path, page.stale)
        fresh = self.fresh
        holds = self._sink.holds
        below = page.below
        entries: list[Entry | None] = []
        page.entries = entries
        for number, name in enumerate(page.names):
            if (problem := name_problem(name)) is not None:
                raise cannot_track(join(path, name), problem)
            before = old.get(name)
            if fresh:
                before = fresh.get(join(path, name), before)
            if number in below:
                entries.append(None)
            elif (
                before is not None
                and before[0] == page.signature(number)
                and (before[1].kind == LINK or holds(before[1].raw))
            ):
                entries.append(before[1])
            else:
                entries.append(None)
                page.unread.append(number)

    def _enqueue(self, page: PageInWork) -> None:
        self._queue.append(page)
        if self._helpers is not None:
            self._submit(page)
        elif self._start_helpers is not None:
            sizes = (packed_size(page.signature(number)) for number in page.unread)
            self._weight += sum(1 + max(0, size) // _WEIGHT_BYTES for size in sizes)
            if self._weight >= HELPERS_FROM:
                self._helpers, self._start_helpers = self._start_helpers(), None
                if self._helpers is not None:
                    for item in self._queue:
                        if isinstance(item, PageInWork):
                            self._submit(item)
        self._settle()

    def _submit(self, page: PageInWork) -> None:
        if self._helpers is not None and page.unread:
            names = [page.names[number] for number in page.unread]
            signatures = b"".join(page.signature(number) for number in page.unread)
            page.ticket = self._helpers.submit(page.directory.path, names, signatures)

    def _settle(self, *, to_the_end: bool = False) -> None:
        """Finish what stands in front of the queue, as far as its files were read."""
        queue = self._queue
        while queue and (to_the_end or len(queue) > _PAGES_AHEAD or self._is_read(queue[0])):
            item = queue.popleft()
            directory = item if isinstance(item, DirectoryInWork) else item.directory
            if directory.is_settled:
                continue
            try:
                if isinstance(item, DirectoryInWork):
                    self._join(item)
                else:
                    self._finish(item)
            except FileNotFoundError:
                self._repeat(directory)

    def _is_read(self, item: PageInWork | DirectoryInWork) -> bool:
        if self._helpers is None:
            return False
        return isinstance(item, DirectoryInWork) or item.ticket is None or self._helpers.is_ready(item.ticket)

    def _repeat(self, directory: DirectoryInWork) -> None:
        """What was listed is gone: look at its directory again, and at the one above if that is gone too."""
        path = directory.path
        self._repeated[path] = self._repeated.get(path, 1) + 1
        if self._repeated[path] > _TRIES:
            raise _vanishing(path)
        waiting, helpers, start = self._queue, self._helpers, self._start_helpers
        self._queue, self._helpers, self._start_helpers = deque(), None, None
        try:
            again = self._walk(path, directory.parent)
            self._settle(to_the_end=True)
        except FileNotFoundError:
            if directory.parent is None:
                raise
            self._repeat(directory.parent)
        else:
            directory.tree = again.tree
        finally:
            self._queue, self._helpers, self._start_helpers = waiting, helpers, start

    def _finish(self, page: PageInWork) -> None:
        if page.entries is None:
            if self._is_known(page):
                return
            self._decide(page)
        self._compose(page)

    def _compose(self, page: PageInWork) -> None:
        """Make the page; what no helper could read is read here, and what is wrong with it told."""
        directory, names = page.directory, page.names
        entries = page.entries or []
        page.set_trees()
        for number, child in page.below.items():
            entries[number] = directory_entry(names[number], child.tree or _NO_TREE)
        left = page.unread
        if page.ticket is not None and self._helpers is not None:
            left = []
            for number, found in zip(page.unread, self._helpers.result(page.ticket), strict=True):
                if found is None:
                    left.append(number)
                    continue
                raw, size, executable, signature = found
                entries[number] = file_entry(names[number], raw, size, executable)
                page.set_signature(number, signature)
                self._reader.count(1, size)
        if left:
            self._read(page, left, entries)
        whole = [entry for entry in entries if entry is not None]
        leaf = encode_leaf(whole)
        oid = self._sink.page(leaf)
        size, files = totals(whole)
        recorded = bytes(page.live)
        made = MemoPage(page.last_name, fingerprint(names, recorded), oid, size, files)
        self._memo.put_page(directory.path, made, recorded, leaf)
        directory.refs[page.slot] = PageRef(page.last_name, oid, size, files)

    def _read(self, page: PageInWork, numbers: Sequence[int], entries: list[Entry | None]) -> None:
        path = page.directory.path
        changed = self._reader.changed
        fd = open_dir(self._root_fd, path)
        try:
            for number in numbers:
                name = page.names[number]
                try:
                    entries[number], signature = changed(fd, path, name, page.signature(number))
                except FileNotFoundError:
                    raise
                except OSError as error:
                    raise storage_error(error, "read", join(path, name)) from error
                page.set_signature(number, signature)
        finally:
            os.close(fd)


def _vanishing(path: bytes) -> StorageError:
    return StorageError(
        f"{show(path)}: files keep vanishing while it is read",
        path=path,
        hint="run the same command again when nothing writes to it",
    )
