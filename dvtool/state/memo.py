"""The memo, format 1: see ``docs/formats/memo.md``.

A SQLite file for each workspace that maps stat signatures to digests, a directory page at a
time. It may never fail a command: a memo that cannot be opened, is damaged or belongs to
somebody else is treated as empty.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from dvtool.disk.durable import make_dirs
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId

VERSION = 1
_BUSY_SECONDS = 5.0
_CIRCUMSTANCES = frozenset({3, 5, 6, 7, 8, 9, 10, 13, 14, 15})
"""Codes of SQLite: PERM, BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL."""
_UNWRITTEN_BYTES = 4 << 20
_UNWRITTEN_ROWS = 512
"""What is put waits in memory up to here and is written in one go: no file is read while SQLite's lock is held."""
_FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""The second: a message of SQLite about a damaged schema quotes it."""

_SCHEMA = """
CREATE TABLE page (directory BLOB, last_name BLOB, print BLOB, oid BLOB, size INTEGER, files INTEGER, sum INTEGER,
    signatures BLOB, leaf BLOB);
CREATE UNIQUE INDEX page_place ON page (directory, last_name);
CREATE INDEX page_oid ON page (oid);
CREATE TABLE file (path BLOB PRIMARY KEY, signature BLOB, oid BLOB, sum INTEGER) WITHOUT ROWID;
CREATE TABLE applied (path BLOB PRIMARY KEY, entry BLOB, sum INTEGER) WITHOUT ROWID;
"""


class MemoPage(NamedTuple):
    """One leaf page of a directory as last seen.

    ``print`` is a fingerprint of names and stat signatures; an equal one means an equal page.
    """

    last_name: bytes
    print: bytes
    oid: ObjectId
    size: int
    files: int


class PageBody(NamedTuple):
    """What a page was made of: the signatures, 40 bytes an entry, and the encoded leaf page."""

    page: MemoPage
    signatures: bytes
    leaf: bytes


class Memo:
    """What was last seen below one workspace. *path* None remembers nothing beyond the process."""

    def __init__(self, path: bytes | None, *, network: bool = False) -> None:
        self._path = path
        self._journal = "DELETE" if network else "WAL"
        self._db: sqlite3.Connection | None = None
        self._closed = False
        self._has_new_applied = False
        self._unwritten: list[tuple[str, tuple[object, ...]]] = []
        self._unwritten_bytes = 0
        self._unwritten_keys: set[bytes | None] = set()
        """Of `_unwritten`: directories, or paths of files; None for a range of them."""
        self._unwritten_leaves: dict[bytes, bytes] = {}
        self._unwritten_applied: list[tuple[str, tuple[object, ...]]] = []
        self._applied: dict[bytes, bytes] = {}
        """Read when the file is opened: an error later on does not take from the command what it decides by."""

    def _open(self) -> sqlite3.Connection | None:
        if self._db is None and not self._closed:
            try:
                self._db = self._connect()
            except (*_FAILURES, OSError) as error:
                if not isinstance(error, OSError) and is_damage(error):
                    self._remove()
                # One more try: without the memo nobody knows which files the user changed.
                with contextlib.suppress(*_FAILURES, OSError):
                    self._db = self._connect()
            if self._db is None:
                self._closed = True
        return self._db

    def _connect(self) -> sqlite3.Connection:
        target = ":memory:"
        if self._path is not None:
            self._discard_foreign(self._path)
            make_dirs(os.path.dirname(self._path))
            target = os.fsdecode(self._path)
        db = sqlite3.connect(target, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA journal_mode={self._journal}")
            db.execute("PRAGMA synchronous=NORMAL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                if version or db.execute("SELECT 1 FROM sqlite_master").fetchone():
                    raise sqlite3.DatabaseError("another version")
                db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
            rows = db.execute("SELECT path, entry, sum FROM applied").fetchall()
            self._applied = {path: entry for path, entry, stated in rows if file_sum(path, entry) == stated}
        except BaseException:
            db.close()
            raise
        return db

    @staticmethod
    def _discard_foreign(path: bytes) -> None:
        with contextlib.suppress(FileNotFoundError):
            if hasattr(os, "getuid") and os.lstat(path).st_uid != os.getuid():
                os.unlink(path)

    def _remove(self) -> None:
        if self._path is not None:
            for suffix in (b"", b"-wal", b"-shm", b"-journal"):
                with contextlib.suppress(OSError):
                    os.unlink(self._path + suffix)

    def _rows(self, query: str, *values: bytes) -> list[tuple[Any, ...]]:
        db = self._open()
        if db is None:
            return []
        try:
            return db.execute(query, values).fetchall()
        except _FAILURES as error:
            self._give_up(error)
            return []

    def _give_up(self, error: Exception | None = None) -> None:
        """Work without the file from now on. It goes too, unless what it says still holds."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
        self._db = None
        self._closed = True
        self._forget_unwritten()
        self._unwritten_applied.clear()
        if error is None or self._has_new_applied or is_damage(error):
            self._remove()

    def pages(self, directory: bytes) -> dict[bytes, MemoPage]:
        """The pages last seen in *directory*, by their last name (empty for an only page)."""
        self._write_out_if(directory)
        found: dict[bytes, MemoPage] = {}
        query = "SELECT last_name, print, oid, size, files, sum FROM page WHERE directory = ?"
        for *fields, stated in self._rows(query, directory):
            page = MemoPage(*fields)
            if page_sum(directory, page) == stated:
                found[page.last_name] = page
        return found

    def bodies(self, directory: bytes, last_names: Iterable[bytes]) -> list[PageBody]:
        """What those pages were made of, each proved by its digest."""
        self._write_out_if(directory)
        found: list[PageBody] = []
        columns = "last_name, print, oid, size, files, sum, signatures, leaf"
        query = f"SELECT {columns} FROM page WHERE directory = ? AND last_name = ?"  # noqa: S608
        for last_name in last_names:
            for *fields, stated, signatures, leaf in self._rows(query, directory, last_name):
                page = MemoPage(*fields)
                if page_sum(directory, page) == stated and is_named(leaf, page.oid):
                    found.append(PageBody(page, signatures, leaf))
        return found

    def leaf(self, oid: ObjectId) -> bytes | None:
        """The leaf page with that address, if it was seen."""
        if (unwritten := self._unwritten_leaves.get(oid)) is not None:
            return unwritten
        for (leaf,) in self._rows("SELECT leaf FROM page WHERE oid = ? LIMIT 1", oid):
            if is_named(leaf, oid):
                return bytes(leaf)
        return None

    def _write(self, query: str, row: tuple[object, ...], key: bytes | None, size: int = 0) -> None:
        if self._open() is None:
            return
        self._unwritten.append((query, row))
        self._unwritten_keys.add(key)
        self._unwritten_bytes += size
        if self._unwritten_bytes > _UNWRITTEN_BYTES or len(self._unwritten) >= _UNWRITTEN_ROWS:
            self._write_out()

    def _write_out_if(self, key: bytes | None) -> None:
        """Before rows of *key* are read (None: of any)."""
        if self._unwritten and (key is None or key in self._unwritten_keys or None in self._unwritten_keys):
            self._write_out()

    def _write_out(self, further: Iterable[tuple[str, tuple[object, ...]]] = ()) -> None:
        db = self._db
        if db is None:
            return
        try:
            db.execute("BEGIN IMMEDIATE")
            for query, row in self._unwritten:
                db.execute(query, row)
            for query, row in further:
                db.execute(query, row)
            db.execute("COMMIT")
        except _FAILURES as error:
            self._give_up(error)
        else:
            self._forget_unwritten()

    def _forget_unwritten(self) -> None:
        self._unwritten.clear()
        self._unwritten_bytes = 0
        self._unwritten_keys.clear()
        self._unwritten_leaves.clear()

    def put_page(self, directory: bytes, page: MemoPage, signatures: bytes, leaf: bytes) -> None:
        """Remember a page."""
        row = (directory, *page, page_sum(directory, page), signatures, leaf)
        self._unwritten_leaves[page.oid] = leaf
        size = len(signatures) + len(leaf)
        self._write("INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row, directory, size)

    def drop_pages(self, directory: bytes, last_names: Iterable[bytes]) -> None:
        """Forget pages that are no more."""
        for last_name in last_names:
            self._write("DELETE FROM page WHERE directory = ? AND last_name = ?", (directory, last_name), directory)

    def drop_below(self, directory: bytes) -> None:
        """Forget *directory* and everything below it."""
        self._write(
            "DELETE FROM page WHERE directory = ? OR (directory >= ? AND directory < ?)",
            (directory, directory + b"/", directory + b"0"),
            None,
        )

    def move(self, old: bytes, new: bytes) -> None:
        """What was remembered of *old* and below is now remembered of *new*."""
        if (seen := self.file(old)) is not None:
            self.put_file(new, *seen)
            self.drop_file(old)
        self._write_out_if(None)
        rows = self._rows(
            "SELECT directory FROM page WHERE directory = ? OR (directory >= ? AND directory < ?)",
            old,
            old + b"/",
            old + b"0",
        )
        for directory in sorted({row[0] for row in rows}):
            target = new + directory[len(old) :]
            for page in self.pages(directory).values():
                for body in self.bodies(directory, [page.last_name]):
                    self.put_page(target, page, body.signatures, body.leaf)
        self.drop_below(old)

    def file(self, path: bytes) -> tuple[bytes, ObjectId] | None:
        """Signature and address last seen at the path of a file tracked by itself."""
        self._write_out_if(path)
        for signature, oid, stated in self._rows("SELECT signature, oid, sum FROM file WHERE path = ?", path):
            if file_sum(signature, oid) == stated:
                return signature, ObjectId(oid)
        return None

    def put_file(self, path: bytes, signature: bytes, oid: ObjectId) -> None:
        """Remember a file tracked by itself."""
        row = (path, signature, oid, file_sum(signature, oid))
        self._write("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?)", row, path)

    def drop_file(self, path: bytes) -> None:
        """Forget a file tracked by itself."""
        self._write("DELETE FROM file WHERE path = ?", (path,), path)

    def applied(self, path: bytes) -> bytes | None:
        """What the last `add` or `checkout` recorded at a tracked path, as an encoded tree entry."""
        self._open()
        return self._applied.get(path)

    def applied_paths(self) -> list[bytes]:
        """All paths that `applied` knows, sorted."""
        self._open()
        return sorted(self._applied)

    def put_applied(self, path: bytes, entry: bytes) -> None:
        """Remember what stands at a tracked path by dvtool's own doing."""
        self._write_applied("INSERT OR REPLACE INTO applied VALUES (?, ?, ?)", (path, entry, file_sum(path, entry)))
        self._applied[path] = entry

    def drop_applied(self, path: bytes) -> None:
        """The path is not tracked any more."""
        self._write_applied("DELETE FROM applied WHERE path = ?", (path,))
        self._applied.pop(path, None)

    def _write_applied(self, query: str, row: tuple[object, ...]) -> None:
        # An old row would turn what dvtool placed into changes of the user's own.
        self._has_new_applied = True
        if self._open() is None:
            self._remove()
        else:
            self._unwritten_applied.append((query, row))

    def save(self) -> None:
        """Keep what was put so far."""
        if self._unwritten or self._unwritten_applied:
            self._write_out(self._unwritten_applied)
            if self._db is not None:
                self._unwritten_applied.clear()
                self._has_new_applied = False

    def clear(self) -> None:
        """Forget everything."""
        self._give_up()
        self._closed = False
        self._applied.clear()

    def close(self) -> None:
        """Keep what was put and let the file go."""
        self.save()
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None


class NoMemo(Memo):
    """Remembers nothing: for what lies outside of any workspace."""

    def __init__(self) -> None:
        super().__init__(None)

    def _open(self) -> sqlite3.Connection | None:
        return None

    def put_page(self, directory: bytes, page: MemoPage, signatures: bytes, leaf: bytes) -> None:
        """Not kept: ten million files would take a gigabyte."""


def is_damage(error: Exception) -> bool:
    """Whether the file itself is at fault: not a full disk, another process, missing rights."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # Python 3.10 tells only the class: a table that is not there is operational as well.
        return not isinstance(error, sqlite3.OperationalError) or str(error).startswith(("no such", "table"))
    return code & 0xFF not in _CIRCUMSTANCES


def is_named(leaf: object, oid: bytes) -> bool:
    """Whether *leaf* is the page with that address."""
    return isinstance(leaf, bytes) and object_id(leaf) == oid


def page_sum(directory: bytes, page: MemoPage) -> int:
    """What guards a row of ``page``; -1, which no row has, where damage made a value of another type."""
    try:
        numbers = b"%d %d" % (page.size, page.files)
        text = b"\0".join((directory, page.last_name, page.print, page.oid, numbers))
    except TypeError:
        return -1
    return xxh3_64_intdigest(text) >> 1


def file_sum(signature: object, oid: object) -> int:
    """What guards a row of ``file`` or ``applied``; -1 as above."""
    if isinstance(signature, bytes) and isinstance(oid, bytes):
        return xxh3_64_intdigest(signature + oid) >> 1
    return -1
