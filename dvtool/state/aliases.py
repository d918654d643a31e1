"""What names that other tools and servers give stand for, format 1: see ``docs/formats/aliases.md``.

A SQLite file for each clone, filled with what this user has read and hashed. It may never fail a command: one that
cannot be opened, is damaged or belongs to somebody else is treated as empty, and all in it can be learned again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from dvtool.disk.durable import make_dirs
from dvtool.model.digest import ObjectId
from dvtool.model.tree import TreeRef
from dvtool.state.memo import is_damage

VERSION = 1
_BUSY_SECONDS = 5.0
_FAILURES = (sqlite3.Error, UnicodeDecodeError, OverflowError)
_AT_ONCE = 500
"""Values in one question: every SQLite takes 999."""
_UNWRITTEN_ROWS = 4_096

_SCHEMA = """
CREATE TABLE alias (stated BLOB PRIMARY KEY, oid BLOB, size INTEGER, executable INTEGER, sum INTEGER);
CREATE INDEX alias_oid ON alias (oid);
CREATE TABLE tree (stated BLOB PRIMARY KEY, oid BLOB, size INTEGER, files INTEGER, lacking INTEGER, after INTEGER,
    sum INTEGER) WITHOUT ROWID;
CREATE TABLE manifest (stated BLOB PRIMARY KEY, data BLOB, sum INTEGER);
"""


class KnownFile(NamedTuple):
    """The file that an adopted digest stands for.

    ``executable``: it stood so where it was seen first. DVC does not say it of files in directories.
    """

    oid: ObjectId
    size: int
    executable: bool = False


class KnownTree(NamedTuple):
    """The directory that an adopted digest stands for. ``lacking``: files in it that are not known yet.

    ``after``: how much was known when it was put together.
    """

    tree: TreeRef
    lacking: int
    after: int


class Aliases:
    """A context manager. *path* None remembers nothing beyond the process."""

    def __init__(self, path: bytes | None, *, network: bool = False) -> None:
        self._path = path
        self._network = network
        self._db: sqlite3.Connection | None = None
        self._files: dict[ObjectId, KnownFile] = {}
        """What was put and not written yet."""

    def __enter__(self) -> Aliases:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def files(self, stated: Iterable[ObjectId]) -> dict[ObjectId, KnownFile]:
        """Those of the adopted digests that are known."""
        self.save()
        found: dict[ObjectId, KnownFile] = {}
        for some in _chunks(list(dict.fromkeys(stated))):
            marks = ",".join("?" * len(some))
            query = f"SELECT stated, oid, size, executable, sum FROM alias WHERE stated IN ({marks})"  # noqa: S608
            for name, oid, size, executable, guard in self._rows(query, *some):
                if _sum(name, oid, size, executable) == guard:
                    found[ObjectId(name)] = KnownFile(ObjectId(oid), size, bool(executable))
        return found

    def hashed(self, oids: Iterable[ObjectId], code: int) -> set[ObjectId]:
        """Those addresses of which the digest of the algorithm with that number is known."""
        self.save()
        found: set[ObjectId] = set()
        for some in _chunks(list(dict.fromkeys(oids))):
            marks = ",".join("?" * len(some))
            query = f"SELECT stated, oid FROM alias WHERE oid IN ({marks})"  # noqa: S608
            found.update(ObjectId(oid) for name, oid in self._rows(query, *some) if name[0] == code)
        return found

    def stated(self, oid: ObjectId) -> list[ObjectId]:
        """The adopted digests of the same bytes."""
        self.save()
        return [ObjectId(name) for (name,) in self._rows("SELECT stated FROM alias WHERE oid = ?", oid)]

    def put(self, stated: ObjectId, oid: ObjectId, size: int, *, executable: bool = False) -> None:
        """Both are digests of the same *size* bytes, which were read. What is known already stays."""
        self._files.setdefault(stated, KnownFile(oid, size, executable))
        if len(self._files) >= _UNWRITTEN_ROWS:
            self.save()

    @property
    def count(self) -> int:
        """Grows whenever a digest becomes known that was not."""
        self.save()
        rows = self._rows("SELECT max(rowid) FROM alias")
        return int(rows[0][0] or 0) if rows else 0

    def tree(self, stated: ObjectId) -> KnownTree | None:
        """What is known of a directory."""
        columns = "oid, size, files, lacking, after, sum"
        for *fields, guard in self._rows(f"SELECT {columns} FROM tree WHERE stated = ?", stated):  # noqa: S608
            if _sum(stated, *fields) == guard:
                oid, size, files, lacking, after = fields
                return KnownTree(TreeRef(ObjectId(oid), size, files), lacking, after)
        return None

    def put_tree(self, stated: ObjectId, known: KnownTree) -> None:
        """Remember a directory; the manifest of one that is known whole is needed no more."""
        tree, lacking, after = known
        fields = (tree.oid, tree.size, tree.files, lacking, after)
        rows = [("INSERT OR REPLACE INTO tree VALUES (?, ?, ?, ?, ?, ?, ?)", (stated, *fields, _sum(stated, *fields)))]
        self._write([*rows, *([] if lacking else [("DELETE FROM manifest WHERE stated = ?", (stated,))])])

    def manifest(self, stated: ObjectId) -> bytes | None:
        """The manifest of a directory."""
        for data, guard in self._rows("SELECT data, sum FROM manifest WHERE stated = ?", stated):
            if _sum(stated, data) == guard:
                return bytes(data)
        return None

    def put_manifest(self, stated: ObjectId, data: bytes) -> None:
        """Remember a manifest, which was verified."""
        self._write([("INSERT OR REPLACE INTO manifest VALUES (?, ?, ?)", (stated, data, _sum(stated, data)))])

    def save(self) -> None:
        """Keep what was put so far."""
        if self._files:
            files, self._files = self._files, {}
            # Of a row that says otherwise, the one that was read now is right.
            query = "INSERT INTO alias VALUES (?, ?, ?, ?, ?) ON CONFLICT (stated) DO UPDATE SET oid = excluded.oid, "
            query += "size = excluded.size, executable = excluded.executable, sum = excluded.sum "
            query += "WHERE oid <> excluded.oid OR size <> excluded.size"
            rows = [(name, known.oid, known.size, int(known.executable)) for name, known in files.items()]
            self._write([(query, (*row, _sum(*row))) for row in rows])

    def close(self) -> None:
        """Keep what was put and let the file go."""
        self.save()
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _open(self, *, writing: bool) -> sqlite3.Connection | None:
        if self._db is None:
            if not writing and (self._path is None or not os.path.exists(self._path)):
                return None
            try:
                self._db = self._connect(self._path)
            except (*_FAILURES, OSError):
                if self._is_ours():
                    self._set_aside()
                    with contextlib.suppress(*_FAILURES, OSError):
                        self._db = self._connect(self._path)
                if self._db is None:
                    self._db = self._connect(None)
        return self._db

    def _is_ours(self) -> bool:
        assert self._path is not None
        try:
            return not hasattr(os, "getuid") or os.lstat(self._path).st_uid == os.getuid()
        except OSError:
            return False

    def _connect(self, path: bytes | None) -> sqlite3.Connection:
        target = ":memory:"
        if path is not None:
            make_dirs(os.path.dirname(path))
            if os.path.lexists(path) and not self._is_ours():
                raise sqlite3.DatabaseError("another user's")
            target = os.fsdecode(path)
        db = sqlite3.connect(target, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            db.execute(f"PRAGMA journal_mode={'DELETE' if self._network else 'WAL'}")
            db.execute("PRAGMA synchronous=NORMAL")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                if version or db.execute("SELECT 1 FROM sqlite_master").fetchone():
                    raise sqlite3.DatabaseError("another version")
                db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version={VERSION}; COMMIT;")
        except BaseException:
            db.close()
            raise
        return db

    def _set_aside(self) -> None:
        """One that cannot be read makes room for a new one: a single older one is kept."""
        if self._path is not None:
            for suffix in (b"-wal", b"-shm", b"-journal"):
                with contextlib.suppress(OSError):
                    os.unlink(self._path + suffix)
            with contextlib.suppress(OSError):
                os.replace(self._path, self._path + b".damaged")

    def _rows(self, query: str, *values: bytes) -> list[tuple[Any, ...]]:
        db = self._open(writing=False)
        if db is None:
            return []
        try:
            return db.execute(query, values).fetchall()
        except _FAILURES as error:
            self._begin_anew(error)
            return []

    def _write(self, rows: Sequence[tuple[str, tuple[object, ...]]]) -> None:
        for _ in range(2):
            db = self._open(writing=True)
            if db is None:
                return
            try:
                db.execute("BEGIN IMMEDIATE")
                for query, row in rows:
                    db.execute(query, row)
                db.execute("COMMIT")
            except _FAILURES as error:
                with contextlib.suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
                if self._begin_anew(error):
                    continue
            return

    def _begin_anew(self, error: Exception) -> bool:
        """After a failure by which the file itself is at fault: an empty one takes its place."""
        if self._db is None or self._path is None or not is_damage(error) or not self._is_ours():
            return False
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        self._db = None
        self._set_aside()
        return True


def _chunks(values: Sequence[ObjectId]) -> Iterable[Sequence[ObjectId]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))


def _sum(*fields: object) -> int:
    """What guards a row; -1, which no row has, where damage made a value of another type."""
    parts: list[bytes] = []
    for field in fields:
        if isinstance(field, bytes):
            parts.append(b"%d:" % len(field) + field)
        elif isinstance(field, int):
            parts.append(b"%d;" % field)
        else:
            return -1
    return xxh3_64_intdigest(b"".join(parts)) >> 1
