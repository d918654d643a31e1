"""One worktree with its memo, cache and rules: what every verb on files works with."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_root
from dvtool.disk.durable import PART_PREFIX
from dvtool.disk.durable import discard
from dvtool.disk.durable import make_dirs
from dvtool.disk.lock import FileLock
from dvtool.disk.lock import LockHandle
from dvtool.disk.replace import ChangedMeanwhile
from dvtool.disk.scan import list_names
from dvtool.disk.signature import FileSystemClock
from dvtool.disk.signature import Moment
from dvtool.disk.signature import StatSignature
from dvtool.disk.signature import signature_of
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import storage_error
from dvtool.formats.pack import TREE
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.formats.tree import encode_leaf
from dvtool.model.digest import ObjectId
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import Reporter
from dvtool.model.tree import FILE
from dvtool.model.tree import LINK
from dvtool.model.tree import Entry
from dvtool.model.tree import directory_entry
from dvtool.state.memo import Memo
from dvtool.store.cache import Cache
from dvtool.store.trees import GetPage
from dvtool.workspace.copying import remove_tree
from dvtool.workspace.filereading import pack_signature
from dvtool.workspace.seen import SeenFiles
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.sinks import Sink
from dvtool.workspace.sinks import hash_large
from dvtool.workspace.snapshot import OWN_TEMPORARIES
from dvtool.workspace.snapshot import Ignore
from dvtool.workspace.snapshot import Snapshot

if TYPE_CHECKING:
    from dvtool.workspace.readers import Readers


ASIDE = b"aside"
"""The folder of what a run of stages has put aside, in the state directory."""


class Worktree:
    """A context manager: the root directory stays open, the memo is saved at the end.

    With *lock* no other command changes this worktree at the same time; a waiting one says for
    whom. *jobs*: processes that share the work on many files.
    """

    def __init__(
        self, root: bytes, state_dir: bytes, cache: Cache, memo: Memo, ignore: Ignore, *, jobs: int = 1
    ) -> None:
        self.root = root
        self.jobs = jobs
        self.cache = cache
        self.memo = memo
        self.ignore = ignore
        self.state_dir = state_dir
        self.linked: Callable[[bytes], tuple[ObjectId, int] | None] = cache.linked_object
        """What a symbolic link to that target stands for, where it is a file of a cache."""
        self.root_fd = -1
        self._lock: LockHandle | None = None
        self._seen = SeenFiles(memo)
        self._looked_beside: set[bytes] = set()

    def __enter__(self) -> Worktree:
        try:
            self.root_fd = open_root(self.root)
        except OSError as error:
            raise storage_error(error, "open", self.root) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.memo.close()
        if self._lock is not None:
            self._lock.release()
        os.close(self.root_fd)

    def lock(self, what: str, *, timeout: float | None = None, on_wait: Callable[[str], None] | None = None) -> None:
        """Keep other changing commands out of this worktree until the end. Raises `Locked`, `StorageError`.

        *timeout* and *on_wait*: as in `FileLock.acquire`.
        """
        try:
            make_dirs(self.state_dir)
            path = os.path.join(self.state_dir, b"lock")
            lock = FileLock(path, waiting=self.cache.waiting)
            self._lock = lock.acquire(shared=False, timeout=timeout, on_wait=on_wait, what=what)
        except OSError as error:
            raise storage_error(error, "lock the workspace with", error.filename or self.state_dir) from error
        if os.path.isdir(os.path.join(self.state_dir, ASIDE)):
            self._give_back(on_wait or self.cache.waiting.on_wait)

    def _give_back(self, note: Callable[[str], None] | None) -> None:
        """A `repro` that was killed had put outputs aside: they return before anything else is done."""
        from dvtool.workspace.aside import Aside

        back = Aside(self.root_fd, self.state_dir).recover()
        if back and note is not None:
            names = ", ".join(show(path) for path in back[:3]) + (f" and {len(back) - 3:,} more" if back[3:] else "")
            note(f"given back after a `dvtool repro` that was killed: {names}")

    @property
    def lock_descriptor(self) -> int | None:
        """For a process that is to hold the lock as long as it lives; None where there is none to pass on."""
        return None if self._lock is None else self._lock.descriptor

    @property
    def is_locked(self) -> bool:
        """True after `lock`."""
        return self._lock is not None

    def snapshot(self, sink: Sink, reporter: Reporter) -> Snapshot:
        """A look at the worktree that begins now. A file changed from here on is read again next time."""
        moment = self.began()

        def helpers() -> Readers | None:
            from dvtool.workspace.readers import start_readers

            return start_readers(self.cache if sink.asks_store else None, self.root_fd, moment, self.jobs)

        return Snapshot(
            self.root_fd,
            self.ignore,
            self.memo,
            sink,
            moment,
            reporter,
            linked=self.linked,
            helpers=helpers if self.jobs > 1 else None,
        )

    def began(self) -> Moment:
        """Now, on the clock that stamps this worktree's files."""
        with contextlib.suppress(OSError):
            make_dirs(self.state_dir)
        return FileSystemClock.start(self.state_dir)

    def stat(self, path: bytes) -> os.stat_result | None:
        """What stands at a path, links not followed; None for nothing."""
        parent, name = split(path)
        try:
            fd = open_dir(self.root_fd, parent)
            try:
                return os.stat(name, dir_fd=fd, follow_symlinks=False)
            finally:
                os.close(fd)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise storage_error(error, "read", path) from error

    def current(self, snapshot: Snapshot, path: bytes, *, is_top: bool) -> Entry | None:
        """What stands at a path as an entry; None for nothing. *is_top*: the path has its own pointer."""
        status = self.stat(path)
        if status is None:
            return None
        if stat.S_ISDIR(status.st_mode):
            return directory_entry(split(path)[1], snapshot.directory(path))
        return snapshot.tracked_file(path) if is_top else snapshot.file(path)

    def current_pages(self, sink: HashSink) -> GetPage:
        """Reads pages of what stands in the worktree: just made, remembered, or stored."""

        def get(oid: ObjectId) -> bytes:
            page = sink.pages.get(oid) or self.memo.leaf(oid)
            return page if page is not None else self.stored_page(oid)

        return get

    def stored_page(self, oid: ObjectId) -> bytes:
        """A page from the cache. Raises `MissingData`, `IntegrityError`."""
        return self.cache.read_meta(oid, TREE)

    def base(self, path: bytes) -> Entry | None:
        """What dvtool itself last recorded at a tracked path; None when it does not know."""
        stored = self.memo.applied(path)
        if stored is None:
            return None
        try:
            page = decode_page(stored)
        except FormatError:
            return None
        return page.entries[0] if isinstance(page, Leaf) and page.entries else None

    def set_base(self, path: bytes, entry: Entry) -> None:
        """Record what stands at a tracked path by dvtool's own doing."""
        self.memo.put_applied(path, encode_leaf([entry]))

    def leftovers_beside(self, paths: Iterable[bytes]) -> list[bytes]:
        """Temporaries in the directories that hold *paths*; each directory is looked into once."""
        found: list[bytes] = []
        for directory in sorted({split(path)[0] for path in paths} - self._looked_beside):
            self._looked_beside.add(directory)
            try:
                fd = open_dir(self.root_fd, directory)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise storage_error(error, "read", directory) from error
            try:
                found += [join(directory, name) for name in list_names(fd) if name.startswith(OWN_TEMPORARIES)]
            finally:
                os.close(fd)
        return found

    def sweep(self, leftovers: Iterable[bytes], reporter: Reporter) -> None:
        """Delete what killed commands left in the worktree, unless it could be somebody's only bytes.

        Needs the lock: then no command that is still at work owns them. A temporary that stood
        in for the user's file goes only if the cache has its bytes; else it is named and stays.
        """
        for path in dict.fromkeys(leftovers):
            parent, name = split(path)
            fd = open_dir(self.root_fd, parent)
            try:
                if name.startswith(PART_PREFIX):
                    with contextlib.suppress(OSError):
                        remove_tree(fd, name)
                elif self._is_stored(fd, name, path):
                    discard(fd, name)
                else:
                    reporter.note(f"{show(path)} was left by a killed command and is not in the cache: look at it")
            finally:
                os.close(fd)

    def _is_stored(self, fd: int, name: bytes, path: bytes) -> bool:
        try:
            if stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                return True
            oid, _ = hash_large(fd, name, path)
        except (DvtoolError, OSError):
            return False
        return self.cache.has_sound_blob(oid)

    def forget_seen(self) -> None:
        """The memo was changed behind `expect`."""
        self._seen.forget()

    def expect(self, path: bytes, entry: Entry) -> StatSignature:
        """The signature of the file at *path*, which is proved to hold what *entry* says.

        The memo's signature is believed where there is one, else the file is read. Raises
        `ChangedMeanwhile`, ``OSError``.
        """
        parent, name = split(path)
        fd = open_dir(self.root_fd, parent)
        try:
            signature = signature_of(os.stat(name, dir_fd=fd, follow_symlinks=False))
            seen = self._seen.find(path)
            if seen is not None and seen[0] == pack_signature(signature) and seen[1] == entry.raw:
                return signature
            if stat.S_ISLNK(signature.mode):
                stored = self.linked(target := os.readlink(name, dir_fd=fd))
                if entry.kind == LINK and target == entry.target:
                    return signature
                if entry.kind == FILE and stored is not None and stored[0] == entry.raw:
                    return signature
            if entry.kind == FILE and stat.S_ISREG(signature.mode):
                oid, after = hash_large(fd, name, path)
                if oid == entry.raw:
                    return signature_of(after)
        finally:
            os.close(fd)
        raise ChangedMeanwhile(f"{show(path)} was changed meanwhile and was left as it is", path=path)
