"""The memo remembers, forgets what is damaged, and never fails a command."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dvtool.hashing.digests import object_id
from dvtool.state import memo as module
from dvtool.state.memo import VERSION
from dvtool.state.memo import Memo
from dvtool.state.memo import MemoPage
from dvtool.state.memo import PageBody

LEAF = b"a leaf page"
OID = object_id(LEAF)
SIGNATURE = bytes(range(40))
PAGE = MemoPage(b"last", b"p" * 16, OID, 12, 3)
ENTRY = b"an entry"


@pytest.fixture
def path(tmp_path: Path) -> bytes:
    return os.fsencode(tmp_path / "state/memo.sqlite")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.05)


def fill(path: bytes, *, network: bool = False) -> None:
    memo = Memo(path, network=network)
    memo.put_page(b"d", PAGE, SIGNATURE, LEAF)
    memo.put_file(b"f", SIGNATURE, OID)
    memo.put_applied(b"d", ENTRY)
    memo.close()


def knows(path: bytes) -> tuple[bool, bool, bool, bool, bool]:
    memo = Memo(path)
    found = (
        memo.pages(b"d") == {b"last": PAGE},
        memo.bodies(b"d", [b"last"]) == [PageBody(PAGE, SIGNATURE, LEAF)],
        memo.leaf(OID) == LEAF,
        memo.file(b"f") == (SIGNATURE, OID),
        memo.applied(b"d") == ENTRY,
    )
    memo.close()
    return found


ALL = (True,) * 5
NOTHING = (False,) * 5


@pytest.mark.parametrize("network", [False, True])
def test_what_was_put_comes_back(path: bytes, *, network: bool) -> None:
    fill(path, network=network)
    assert knows(path) == ALL
    assert Memo(path).applied_paths() == [b"d"]


def test_without_a_path_it_lasts_as_long_as_the_process() -> None:
    memo = Memo(None)
    memo.put_page(b"d", PAGE, SIGNATURE, LEAF)
    assert memo.pages(b"d") == {b"last": PAGE}
    memo.close()


def test_what_was_not_saved_is_not_there(path: bytes) -> None:
    memo = Memo(path)
    memo.put_file(b"f", SIGNATURE, OID)
    assert not any(knows(path))
    memo.save()
    assert knows(path)[3]
    memo.close()


def test_a_new_row_takes_the_place_of_the_old_one(path: bytes) -> None:
    fill(path)
    memo = Memo(path)
    other = PAGE._replace(size=99)
    memo.put_page(b"d", other, SIGNATURE, LEAF)
    memo.put_applied(b"d", b"other")
    assert memo.pages(b"d") == {b"last": other}
    assert memo.applied(b"d") == b"other"
    memo.close()


COLUMNS = {
    "page": ("directory", "last_name", "print", "oid", "size", "files", "sum", "signatures", "leaf"),
    "file": ("signature", "oid", "sum"),
    "applied": ("entry", "sum"),
}
VALUES: tuple[object, ...] = (None, 7, "text", b"other", 1.5)


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize(("table", "column"), [(table, name) for table, names in COLUMNS.items() for name in names])
def test_a_damaged_row_is_not_there(path: bytes, table: str, column: str, value: object) -> None:
    fill(path)
    with closing(sqlite3.connect(os.fsdecode(path))) as db:
        db.execute(f"UPDATE {table} SET {column} = ?", (value,))
        db.commit()
    pages, bodies, leaf, file, applied = knows(path)
    spared = {"signatures", "leaf"}
    assert pages == (table != "page" or column in spared)
    assert bodies == (table != "page")
    assert leaf == (table != "page" or column not in {"oid", "leaf"})
    assert file == (table != "file")
    assert applied == (table != "applied")


def test_any_damage_to_the_file_costs_only_what_it_held(path: bytes) -> None:
    fill(path)
    whole = Path(os.fsdecode(path)).read_bytes()
    for at in range(0, len(whole), 101):
        Path(os.fsdecode(path)).write_bytes(whole[:at] + bytes((whole[at] ^ 0xFF,)) + whole[at + 1 :])
        assert all(known in (True, False) for known in knows(path))
        # The first may meet the damage in its last step, and then throws all away.
        fill(path)
        fill(path)
        assert knows(path) == ALL, at
        remove(path)


def remove(path: bytes) -> None:
    for suffix in (b"", b"-wal", b"-shm", b"-journal"):
        if os.path.exists(path + suffix):
            os.unlink(path + suffix)


@pytest.mark.parametrize("text", [b"", b"no database at all" * 100, b"SQLite format 3\0" + bytes(5_000)])
def test_a_file_that_is_no_database_is_begun_anew(path: bytes, text: bytes) -> None:
    os.makedirs(os.path.dirname(path))
    Path(os.fsdecode(path)).write_bytes(text)
    assert knows(path) == NOTHING
    fill(path)
    assert knows(path) == ALL


@pytest.mark.parametrize("version", [VERSION + 1, 77])
def test_another_version_is_begun_anew(path: bytes, version: int) -> None:
    fill(path)
    with closing(sqlite3.connect(os.fsdecode(path))) as db:
        db.execute(f"PRAGMA user_version = {version}")
    assert knows(path) == NOTHING
    fill(path)
    assert knows(path) == ALL


def test_a_database_of_something_else_is_begun_anew(path: bytes) -> None:
    os.makedirs(os.path.dirname(path))
    with closing(sqlite3.connect(os.fsdecode(path))) as db:
        db.execute("CREATE TABLE other (x)")
    fill(path)
    assert knows(path) == ALL


def test_a_table_that_is_gone_is_begun_anew(path: bytes) -> None:
    fill(path)
    with closing(sqlite3.connect(os.fsdecode(path))) as db:
        db.execute("DROP TABLE page")
    assert not knows(path)[0]
    fill(path)
    assert knows(path) == ALL


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_owner_is_thrown_away(path: bytes) -> None:
    fill(path)
    os.chown(path, 12345, -1)
    assert knows(path) == NOTHING
    assert not os.path.exists(path) or os.stat(path).st_uid == os.geteuid()


def test_a_directory_in_its_place(path: bytes) -> None:
    os.makedirs(path)
    fill(path)
    assert knows(path) == NOTHING


def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = os.fsencode(tmp_path / "file/memo.sqlite")
    fill(path)
    assert knows(path) == NOTHING


def test_a_directory_that_may_not_be_written(path: bytes) -> None:
    fill(path)
    script = f"""
import os
os.chdir({os.path.dirname(path)!r})
if os.geteuid() == 0:
    os.seteuid(65534)
from dvtool.state.memo import Memo
memo = Memo(b"./new.sqlite")
memo.put_file(b"f", bytes(40), bytes(32))
memo.put_applied(b"f", b"e")
memo.close()
assert Memo(b"./new.sqlite").file(b"f") is None
"""
    os.chmod(os.path.dirname(path), 0o555)
    try:
        subprocess.run([sys.executable, "-c", "import dvtool.state.memo\n" + script], check=True)
    finally:
        os.chmod(os.path.dirname(path), 0o755)
    assert knows(path) == ALL


def test_another_process_that_writes_neither_blocks_nor_loses_its_rows(path: bytes) -> None:
    fill(path)
    other = Memo(path)
    other.put_file(b"theirs", SIGNATURE, OID)
    memo = Memo(path)
    assert memo.file(b"f") == (SIGNATURE, OID)
    memo.put_file(b"mine", SIGNATURE, OID)
    memo.close()
    other.close()
    after = Memo(path)
    assert after.file(b"theirs") == (SIGNATURE, OID)
    assert after.file(b"f") == (SIGNATURE, OID)
    after.close()


def is_free_to_write(path: bytes) -> bool:
    with closing(sqlite3.connect(os.fsdecode(path), isolation_level=None, timeout=0)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        db.execute("ROLLBACK")
        return True


@pytest.mark.parametrize("network", [False, True])
def test_others_may_write_at_any_time(path: bytes, *, network: bool) -> None:
    memo = Memo(path, network=network)
    put = 3 * module._UNWRITTEN_ROWS + 7
    for number in range(put):
        memo.put_file(b"%d" % number, SIGNATURE, OID)
        memo.put_applied(b"%d" % number, ENTRY)
        if number % 100 == 0:
            assert is_free_to_write(path)
    other = Memo(path, network=network)
    assert other.file(b"0") == (SIGNATURE, OID)
    assert other.file(b"%d" % (put - 1)) is None
    # What was placed counts only once all of it is.
    assert other.applied_paths() == []
    other.close()
    memo.close()
    other = Memo(path, network=network)
    assert other.file(b"%d" % (put - 1)) == (SIGNATURE, OID)
    assert len(other.applied_paths()) == put
    other.close()


def test_large_pages_do_not_wait_in_memory(path: bytes) -> None:
    memo = Memo(path)
    leaf = bytes(1 << 20)
    for number in range(9):
        memo.put_page(b"%d" % number, PAGE._replace(oid=object_id(leaf)), SIGNATURE, leaf)
    other = Memo(path)
    assert [bool(other.pages(b"%d" % number)) for number in (0, 8)] == [True, False]
    other.close()
    memo.close()


def test_what_was_put_is_known_before_it_is_saved(path: bytes) -> None:
    memo = Memo(path)
    memo.put_page(b"d", PAGE, SIGNATURE, LEAF)
    memo.put_file(b"f", SIGNATURE, OID)
    assert memo.leaf(OID) == LEAF
    assert memo.pages(b"d") == {b"last": PAGE}
    assert memo.bodies(b"d", [b"last"]) == [PageBody(PAGE, SIGNATURE, LEAF)]
    assert memo.file(b"f") == (SIGNATURE, OID)
    memo.put_page(b"d/e", PAGE, SIGNATURE, LEAF)
    memo.drop_below(b"d")
    assert memo.pages(b"d/e") == {}
    assert memo.pages(b"d") == {}
    memo.put_file(b"f", SIGNATURE, OID)
    memo.drop_file(b"f")
    assert memo.file(b"f") is None
    memo.close()


def test_a_locked_database_fails_nothing_and_stays(path: bytes) -> None:
    fill(path, network=True)
    with closing(sqlite3.connect(os.fsdecode(path), isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert knows(path) == NOTHING
        db.execute("ROLLBACK")
    assert knows(path) == ALL


def test_rows_about_what_was_placed_never_survive_a_newer_one_that_could_not_be_written(path: bytes) -> None:
    fill(path)
    with closing(sqlite3.connect(os.fsdecode(path), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        memo = Memo(path)
        memo.put_applied(b"d", b"newer")
        memo.close()
    assert Memo(path).applied(b"d") in (None, b"newer")


ERRORS: list[tuple[Callable[[], sqlite3.Error], bool]] = [
    (lambda: sqlite3.OperationalError("database is locked"), False),
    (lambda: sqlite3.OperationalError("attempt to write a readonly database"), False),
    (lambda: sqlite3.OperationalError("no such table: page"), True),
    (lambda: sqlite3.OperationalError("table page has 3 columns but 9 values were supplied"), True),
    (lambda: sqlite3.DatabaseError("file is not a database"), True),
]


@pytest.mark.parametrize(("make", "is_damage"), ERRORS)
def test_without_error_codes_as_in_python_3_10(make: Callable[[], sqlite3.Error], *, is_damage: bool) -> None:
    assert module.is_damage(make()) == is_damage


def test_forgetting(path: bytes) -> None:
    memo = Memo(path)
    for directory in (b"a", b"a/b", b"a/b/c", b"a0", b"a-", b"ab"):
        memo.put_page(directory, PAGE, SIGNATURE, LEAF)
    memo.drop_below(b"a")
    assert {name for name in (b"a", b"a/b", b"a/b/c", b"a0", b"a-", b"ab") if memo.pages(name)} == {b"a0", b"a-", b"ab"}
    memo.drop_pages(b"ab", [b"other"])
    assert memo.pages(b"ab")
    memo.drop_pages(b"ab", [b"last"])
    assert not memo.pages(b"ab")
    memo.put_file(b"f", SIGNATURE, OID)
    memo.drop_file(b"f")
    assert memo.file(b"f") is None
    memo.put_applied(b"f", ENTRY)
    memo.drop_applied(b"f")
    assert memo.applied(b"f") is None
    memo.close()


def test_moving(path: bytes) -> None:
    memo = Memo(path)
    for directory in (b"a", b"a/b", b"ab"):
        memo.put_page(directory, PAGE, SIGNATURE, LEAF)
        memo.put_page(directory, PAGE._replace(last_name=b"next"), SIGNATURE, LEAF)
    memo.put_file(b"a", SIGNATURE, OID)
    memo.move(b"a", b"x/y")
    assert [bool(memo.pages(name)) for name in (b"a", b"a/b", b"ab")] == [False, False, True]
    for directory in (b"x/y", b"x/y/b"):
        assert memo.pages(directory) == {b"last": PAGE, b"next": PAGE._replace(last_name=b"next")}
        assert memo.bodies(directory, [b"last"]) == [PageBody(PAGE, SIGNATURE, LEAF)]
    assert memo.file(b"a") is None and memo.file(b"x/y") == (SIGNATURE, OID)
    memo.close()


def test_clearing(path: bytes) -> None:
    fill(path)
    memo = Memo(path)
    memo.clear()
    memo.put_file(b"new", SIGNATURE, OID)
    memo.close()
    assert knows(path) == NOTHING
    assert Memo(path).file(b"new") == (SIGNATURE, OID)
