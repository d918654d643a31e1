"""Whether a memo is sound. Damage in it is passed over row by row, and costs only time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

from dvtool.state.memo import VERSION
from dvtool.state.memo import MemoPage
from dvtool.state.memo import file_sum
from dvtool.state.memo import is_named
from dvtool.state.memo import page_sum


def memo_damage(path: bytes) -> str:
    """What is wrong with the memo at *path*; empty when nothing is, and where it cannot be read just now."""
    if not os.path.exists(path):
        return ""
    try:
        with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=1.0)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                return ""  # another version: it is begun anew
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                return str(verdict).splitlines()[0]
            wrong = sum(1 for is_right in _rows(db) if not is_right)
            return f"{wrong:,} rows do not match their checksum" if wrong else ""
    except sqlite3.OperationalError:
        return ""
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        return str(error)


def _rows(db: sqlite3.Connection) -> Iterator[bool]:
    for directory, *fields, stated, leaf in db.execute(
        "SELECT directory, last_name, print, oid, size, files, sum, leaf FROM page"
    ):
        page = MemoPage(*fields)
        yield page_sum(directory, page) == stated and is_named(leaf, page.oid)
    for signature, oid, stated in db.execute("SELECT signature, oid, sum FROM file"):
        yield file_sum(signature, oid) == stated
    for path, entry, stated in db.execute("SELECT path, entry, sum FROM applied"):
        yield file_sum(path, entry) == stated
