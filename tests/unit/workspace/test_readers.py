"""Snapshots with helper processes: the same tree, memo and errors as without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dvtool.disk.signature import Moment
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.formats.pack import TREE
from dvtool.model.ports import SILENT
from dvtool.model.tree import FILE
from dvtool.model.tree import TreeRef
from dvtool.state.memo import Memo
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.trees import walk
from dvtool.workspace import snapshot as snapshots
from dvtool.workspace.ignore import IgnoreRules
from dvtool.workspace.readers import Readers
from dvtool.workspace.readers import start_readers
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.sinks import Sink
from dvtool.workspace.sinks import StoreSink
from dvtool.workspace.snapshot import Snapshot

LATER = Moment(1 << 62)


@pytest.fixture(autouse=True)
def _early_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "HELPERS_FROM", 20)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Directories beside files, many pages, links, executables, a loose blob, an empty directory."""
    data = tmp_path / "root/data"
    for number in range(1500):
        path = data / f"{number % 3}/{number % 5}/{number:05}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % (number // 2))
    for number in range(1200):
        (data / f"{number:04}").write_bytes(bytes([number % 256]) * number)
    (data / "1/run").write_bytes(b"#!")
    (data / "1/run").chmod(0o755)
    (data / "1/large").write_bytes(os.urandom(300_000))
    (data / "1/link").symlink_to("run")
    (data / "2/none").mkdir()
    (data / "2/od\nd \xff".encode("utf-8", "surrogateescape").decode()).write_bytes(b"")
    return tmp_path / "root"


class Look:
    """One snapshot of ``data`` with *jobs* helpers."""

    def __init__(self, root: Path, memo: Memo, *, jobs: int = 2, moment: Moment = LATER) -> None:
        self.root = root
        self.memo = memo
        self.jobs = jobs
        self.moment = moment
        self.crews: list[Readers] = []

    def tree(self, sink: Sink, cache: Cache | None = None) -> TreeRef:
        root_fd = os.open(self.root, os.O_RDONLY)

        def helpers() -> Readers | None:
            made = start_readers(cache, root_fd, self.moment, self.jobs)
            assert made is not None
            self.crews.append(made)
            return made

        ignore = IgnoreRules.load(os.fsencode(self.root))
        self.snapshot = Snapshot(
            root_fd, ignore, self.memo, sink, self.moment, SILENT, helpers=helpers if self.jobs else None
        )
        try:
            return self.snapshot.directory(b"data")
        finally:
            os.close(root_fd)


@pytest.fixture
def memo(tmp_path: Path) -> Iterator[Memo]:
    with closing(Memo(os.fsencode(tmp_path / "state/memo"))) as made:
        yield made


def test_helpers_find_what_one_process_finds(root: Path, memo: Memo, tmp_path: Path) -> None:
    alone = Look(root, Memo(None), jobs=0)
    expected = alone.tree(HashSink())
    look = Look(root, memo)
    assert look.tree(HashSink()) == expected
    assert len(look.crews) == 1
    assert look.snapshot.counts == alone.snapshot.counts
    again = Look(root, memo)
    assert again.tree(HashSink()) == expected
    assert (again.crews, again.snapshot.counts.files_hashed) == ([], 0)


def test_only_what_changed_is_given_to_helpers(root: Path, memo: Memo) -> None:
    Look(root, memo).tree(HashSink())
    for number in range(30):
        (root / f"data/{number:04}").write_bytes(b"changed")
    look = Look(root, memo)
    changed = look.tree(HashSink())
    assert len(look.crews) == 1
    assert look.snapshot.counts.files_hashed == 30
    assert changed == Look(root, Memo(None), jobs=0).tree(HashSink())


def test_what_helpers_store_is_complete_in_the_cache(root: Path, memo: Memo, tmp_path: Path) -> None:
    cache = Cache(os.fsencode(tmp_path / "cache"))
    look = Look(root, memo)
    with CacheWriter(cache, what="test") as writer:
        tree = look.tree(StoreSink(cache, writer), cache)
        writer.commit()
    assert len(look.crews) == 1
    fresh = Cache(cache.root)
    found = 0
    for path, entry in walk(lambda oid: fresh.read_meta(oid, TREE), tree):
        if entry.kind == FILE:
            data = fresh.read_blob(entry.oid)
            assert data == (root / "data" / os.fsdecode(path)).read_bytes()
            found += 1
    assert found == 2703
    assert os.listdir(cache.tmp) == []


def test_without_the_end_nothing_that_helpers_packed_remains(root: Path, memo: Memo, tmp_path: Path) -> None:
    cache = Cache(os.fsencode(tmp_path / "cache"))
    os.mkfifo(root / "data/zz")
    look = Look(root, memo)
    with CacheWriter(cache, what="test") as writer, pytest.raises(UnsafeInput, match="data/zz is neither a file"):
        look.tree(StoreSink(cache, writer), cache)
    assert len(look.crews) == 1
    assert Cache(cache.root).packs.keys() == {}
    assert os.listdir(cache.tmp) == []


def test_a_file_younger_than_the_look_is_read_again_next_time(root: Path, memo: Memo) -> None:
    moment = Moment(0)
    Look(root, memo, moment=moment).tree(HashSink())
    again = Look(root, memo, moment=moment)
    again.tree(HashSink())
    assert again.snapshot.counts.files_hashed == 2703


def test_what_vanishes_on_the_way_is_not_in_the_tree(root: Path, memo: Memo, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Readers.submit
    gone = [root / "data/1/1", root / "data/0007"]

    def submit(self: Readers, *job: object) -> int:
        if gone[0].exists():
            for file in gone[0].iterdir():
                file.unlink()
            gone[0].rmdir()
            gone[1].unlink()
        return original(self, *job)  # type: ignore[arg-type]

    monkeypatch.setattr(Readers, "submit", submit)
    seen = Look(root, memo).tree(HashSink())
    assert not gone[0].exists()
    assert seen == Look(root, Memo(None), jobs=0).tree(HashSink())


def test_a_dead_helper_ends_the_command(root: Path, memo: Memo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Readers, "result", lambda self, ticket: self._crew.result(self._crew.submit(0)))
    with pytest.raises(StorageError, match="helper process"):
        Look(root, memo).tree(HashSink())


def test_where_no_process_can_be_started_the_work_is_done_all_the_same(
    root: Path, memo: Memo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    root_fd = os.open(root, os.O_RDONLY)
    assert start_readers(None, root_fd, LATER, 2) is None
    os.close(root_fd)
    ignore = IgnoreRules.load(os.fsencode(root))
    root_fd = os.open(root, os.O_RDONLY)
    snapshot = Snapshot(root_fd, ignore, memo, HashSink(), LATER, SILENT, helpers=lambda: None)
    found = snapshot.directory(b"data")
    os.close(root_fd)
    assert found == Look(root, Memo(None), jobs=0).tree(HashSink())
