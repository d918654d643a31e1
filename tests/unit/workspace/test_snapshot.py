"""Snapshots: what is read again, what is known, what cannot be tracked."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dvtool.disk.signature import FileSystemClock
from dvtool.disk.signature import Moment
from dvtool.disk.signature import StatSignature
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.tree import MAX_DEPTH
from dvtool.model.tree import WIDE
from dvtool.model.tree import Entry
from dvtool.model.tree import PageRef
from dvtool.model.tree import TreeRef
from dvtool.model.tree import cut_pages
from dvtool.model.tree import ends_page
from dvtool.model.tree import file_entry
from dvtool.state.memo import Memo
from dvtool.store.trees import entries
from dvtool.store.trees import join_pages
from dvtool.store.trees import totals
from dvtool.store.trees import walk
from dvtool.workspace.filereading import pack_signature
from dvtool.workspace.ignore import IgnoreRules
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.snapshot import Snapshot
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import create_tree

LATER = Moment(1 << 62)
"""As if every file had been written long ago."""


class Bench:
    """A directory `root/data`, a memo that survives, and one sink for all looks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data"
        self.data.mkdir()
        self.memo = Memo(os.fsencode(root / "state/memo"))
        self.sink = HashSink()

    def create(self, tree: Tree) -> None:
        create_tree(self.data, tree)

    def snapshot(self, moment: Moment = LATER) -> Snapshot:
        root_fd = os.open(self.root, os.O_RDONLY)
        ignore = IgnoreRules.load(os.fsencode(self.root))
        return Snapshot(root_fd, ignore, self.memo, self.sink, moment, SILENT)

    def look(self, moment: Moment = LATER) -> tuple[TreeRef, int]:
        """The tree and the number of files that were hashed for it."""
        snapshot = self.snapshot(moment)
        try:
            return snapshot.directory(b"data"), snapshot.counts.files_hashed
        finally:
            os.close(snapshot._root_fd)

    def hashed(self) -> int:
        return self.look()[1]

    def names(self) -> list[bytes]:
        return [path for path, _ in walk(self.sink.pages.__getitem__, self.look()[0])]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.memo.close()


def built(files: dict[str, str]) -> TreeRef:
    """The tree of a directory of files, made without a snapshot."""
    rows = [
        file_entry(name.encode(), object_id(text.encode()), len(text), executable=False)
        for name, text in sorted(files.items())
    ]
    refs: list[PageRef] = []
    start = 0
    for end in cut_pages([row.name for row in rows]):
        stretch = rows[start:end]
        last = stretch[-1].name if stretch else b""
        refs.append(PageRef(last, object_id(encode_leaf(stretch)), *totals(stretch)))
        start = end
    return join_pages(refs, object_id)


def now(bench: Bench) -> Moment:
    return FileSystemClock.start(os.fsencode(bench.root))


# Counting


def test_what_was_seen_is_not_hashed_again(bench: Bench) -> None:
    bench.create({"a": "1", "b": {"c": "2", "d": {}, "l": Link("c")}})
    tree, hashed = bench.look()
    assert hashed == 2
    assert bench.look() == (tree, 0)


def test_without_memo_everything_is_hashed_again(bench: Bench) -> None:
    bench.create({"a": "1", "b": {"c": "2"}})
    tree, _ = bench.look()
    bench.memo.clear()
    assert bench.look() == (tree, 2)


@pytest.mark.parametrize("folders", [1, 30])
def test_one_change_among_3000_files_is_one_file_hashed(bench: Bench, folders: int) -> None:
    bench.create({f"d{n}": {f"f{m:05}": f"{n} {m}" for m in range(3_000 // folders)} for n in range(folders)})
    assert bench.hashed() == 3_000
    (bench.data / "d0/f00042").write_text("changed")
    assert bench.hashed() == 1
    assert bench.hashed() == 0
    (bench.data / "d0/f00042").chmod(0o755)
    assert bench.hashed() == 1
    (bench.data / "d0/f00042").unlink()
    assert bench.hashed() == 0


def test_a_directory_that_moved_is_hashed_at_its_new_place(bench: Bench) -> None:
    bench.create({"old": {"a": "1", "b": "2"}})
    bench.look()
    (bench.data / "old").rename(bench.data / "new")
    tree, hashed = bench.look()
    assert hashed == 2
    assert bench.look() == (tree, 0)


# Wide directories

WIDE_FILES = {f"f{number:05}": str(number) for number in range(1_400)}


def page_end(after: str) -> str:
    """A name that ends a page and comes right after *after*."""
    return next(name for number in range(99_999) if ends_page((name := f"{after}{number:05}").encode(), 0))


def edits() -> Iterator[tuple[str, Callable[[dict[str, str]], object], int]]:
    """What happens to a wide directory, and how many files have to be hashed for it."""
    names = sorted(WIDE_FILES)
    ends = cut_pages([name.encode() for name in names])
    last, following = names[ends[1] - 1], names[ends[1]]
    new_end = page_end("f00700")
    yield "a file inserted in a page", lambda files: files.update({"f00001x": "new"}), 1
    yield "a file inserted before all", lambda files: files.update({"a": "new"}), 1
    yield "a file inserted after all", lambda files: files.update({"z": "new"}), 1
    yield "a file that ends a page inserted: one page becomes two", lambda files: files.update({new_end: "new"}), 1
    yield "the last file of a page deleted: two pages become one", lambda files: files.pop(last), 0
    yield "the first file of a page deleted", lambda files: files.pop(following), 0
    yield "the last file of a page changed", lambda files: files.update({last: "changed"}), 1
    yield "the last file of a page renamed", lambda files: files.update({last + "x": files.pop(last)}), 1
    yield "the last file of the last page deleted", lambda files: files.pop(names[-1]), 0
    yield "down to one page", lambda files: [files.pop(name) for name in names[WIDE:]], 0
    yield "down to nothing", lambda files: files.clear(), 0


@pytest.mark.parametrize(("change", "hashed"), [pytest.param(edit, n, id=text) for text, edit, n in edits()])
def test_an_edit_of_a_wide_directory(bench: Bench, change: Callable[[dict[str, str]], object], hashed: int) -> None:
    bench.create(WIDE_FILES)
    assert bench.look() == (built(WIDE_FILES), len(WIDE_FILES))
    files = dict(WIDE_FILES)
    change(files)
    for name in WIDE_FILES.keys() - files.keys():
        (bench.data / name).unlink()
    bench.create({name: text for name, text in files.items() if WIDE_FILES.get(name) != text})
    assert bench.look() == (built(files), hashed)
    assert bench.look() == (built(files), 0)
    assert remembered(bench) == pages_of(files)


def test_from_one_page_to_many_and_back(bench: Bench) -> None:
    few = dict(sorted(WIDE_FILES.items())[:WIDE])
    bench.create(few)
    assert bench.look() == (built(few), WIDE)
    assert remembered(bench) == {b""}
    bench.create({name: text for name, text in WIDE_FILES.items() if name not in few})
    assert bench.look() == (built(WIDE_FILES), len(WIDE_FILES) - WIDE)
    assert remembered(bench) == pages_of(WIDE_FILES)


def test_a_wide_directory_whose_names_are_all_new_looks_into_each_old_page_a_few_times(bench: Bench) -> None:
    bench.create(WIDE_FILES)
    bench.look()
    for name in WIDE_FILES:
        (bench.data / name).rename(bench.data / f"{name}.new")
    loads = 0
    bodies = bench.memo.bodies

    def counted(directory: bytes, last_names: list[bytes]) -> object:
        nonlocal loads
        loads += len(last_names)
        return bodies(directory, last_names)

    bench.memo.bodies = counted  # type: ignore[method-assign,assignment]
    assert bench.look()[0] == built({f"{name}.new": text for name, text in WIDE_FILES.items()})
    assert loads <= 3 * len(pages_of(WIDE_FILES))


def remembered(bench: Bench) -> set[bytes]:
    return set(bench.memo.pages(b"data"))


def pages_of(files: dict[str, str]) -> set[bytes]:
    names = sorted(name.encode() for name in files)
    ends = cut_pages(names)
    return {names[end - 1] for end in ends} if len(ends) > 1 else {b""}


# When a signature may be believed


def test_a_rewrite_of_the_same_size_in_the_same_tick_is_seen(bench: Bench) -> None:
    path = bench.data / "f"
    for number in range(200):
        path.write_bytes(b"%08d" % number)
        moment = now(bench)
        assert entry(bench, b"f", moment).raw == object_id(b"%08d" % number)
        with open(path, "r+b") as file:
            file.write(b"%08d" % (number + 1_000))
        assert entry(bench, b"f", now(bench)).raw == object_id(b"%08d" % (number + 1_000))


def test_a_rewrite_with_its_modification_time_set_back_is_seen(bench: Bench) -> None:
    path = bench.data / "f"
    for number in range(200):
        path.write_bytes(b"%08d" % number)
        os.utime(path, ns=(10**18, 10**18))
        before = path.stat()
        assert entry(bench, b"f", now(bench)).raw == object_id(b"%08d" % number)
        with open(path, "r+b") as file:
            file.write(b"%08d" % (number + 1_000))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert entry(bench, b"f", now(bench)).raw == object_id(b"%08d" % (number + 1_000))


def entry(bench: Bench, name: bytes, moment: Moment) -> Entry:
    tree, _ = bench.look(moment)
    return next(each for each in entries(bench.sink.pages.__getitem__, tree) if each.name == name)


def test_a_file_from_the_future_is_read_each_time(bench: Bench) -> None:
    bench.create({"2100": "a", "old": "b"})
    os.utime(bench.data / "2100", ns=(0, 4_102_444_800 * 10**9))
    os.utime(bench.data / "old", ns=(0, -(10**18)))
    moment = Moment(2_000_000_000 * 10**9)
    assert bench.look(moment)[1] == 2
    assert bench.look(moment)[1] == 1


def test_a_time_that_no_64_bits_hold(bench: Bench) -> None:
    bench.create({"far": "a"})
    os.utime(bench.data / "far", (10_429_344_000, 10_429_344_000))
    if (bench.data / "far").stat().st_mtime_ns < 1 << 63:
        pytest.skip("this file system keeps no such time")
    tree, _ = bench.look()
    assert bench.look()[0] == tree == built({"far": "a"})


def test_a_signature_of_numbers_too_large(bench: Bench) -> None:
    del bench
    high = (1 << 64) - 3
    assert len(pack_signature(StatSignature(high, 1, 1 << 64, 2, 0o100644))) == 40
    assert pack_signature(StatSignature(high, 1, 2, 2, 3)) != pack_signature(StatSignature(high - 1, 1, 2, 2, 3))


# Changing while it is read


class Meddling(HashSink):
    """Does something to the worktree when the bytes of a file are handed in."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act = act

    def small(self, data: bytes) -> ObjectId:
        self.act()
        return super().small(data)


def test_a_file_that_changes_right_after_it_was_read_is_read_again_next_time(bench: Bench) -> None:
    path = bench.data / "f"
    path.write_text("one")
    bench.sink = Meddling(lambda: path.write_text("two"))
    bench.look(now(bench))
    bench.sink = HashSink()
    assert entry(bench, b"f", now(bench)).raw == object_id(b"two")


def test_a_file_that_vanishes_meanwhile_is_not_in_the_tree(bench: Bench) -> None:
    bench.create({"a": "1", "b": {"c": "2"}, "z": "3"})
    bench.sink = Meddling(lambda: (bench.data / "z").unlink(missing_ok=True))
    tree, _ = bench.look()
    assert tree.files == 2
    bench.sink = HashSink()
    assert bench.look()[0] == tree


def test_a_file_that_became_a_link_meanwhile_is_not_followed(bench: Bench) -> None:
    bench.create({"a": "1", "b": "2"})
    (bench.root / "outside").write_text("secret")

    def swap() -> None:
        (bench.data / "b").unlink(missing_ok=True)
        (bench.data / "b").symlink_to("../outside")

    bench.sink = Meddling(swap)
    with pytest.raises(StorageError, match="data/b"):
        bench.look()


# What stands there


def test_what_a_tree_holds(bench: Bench) -> None:
    bench.create(
        {"x": Executable("run"), "empty": {}, "l": Link("nowhere"), "up": Link("../.."), b"\xff\n": "odd", "zero": ""}
    )
    tree, _ = bench.look()
    found = {each.name: each for each in entries(bench.sink.pages.__getitem__, tree)}
    assert found[b"x"].executable and not found[b"zero"].executable
    assert found[b"empty"].files == 0
    assert (found[b"l"].target, found[b"up"].target) == (b"nowhere", b"../..")
    assert found[b"zero"].raw == object_id(b"")
    assert tree.files == 5


def test_a_link_to_a_directory_is_a_link(bench: Bench) -> None:
    bench.create({"d": {"f": "1"}, "l": Link("d")})
    assert bench.names() == [b"d", b"d/f", b"l"]


def test_a_link_with_another_target_of_the_same_length_is_seen(bench: Bench) -> None:
    bench.create({"l": Link("aa")})
    assert entry(bench, b"l", now(bench)).target == b"aa"
    (bench.data / "l").unlink()
    bench.create({"l": Link("bb")})
    assert entry(bench, b"l", now(bench)).target == b"bb"


@pytest.mark.parametrize("kind", ["fifo", "socket"])
def test_what_is_no_file_is_refused_by_name(bench: Bench, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.create({"sub": {}})
    if kind == "fifo":
        os.mkfifo(bench.data / "sub/odd")
    else:
        # The path of a socket may have 107 bytes.
        monkeypatch.chdir(bench.data / "sub")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("odd")
    with pytest.raises(UnsafeInput, match="data/sub/odd") as caught:
        bench.look()
    assert ".dvtoolignore" in str(caught.value.hint)
    (bench.root / ".dvtoolignore").write_text("odd\n")
    assert bench.names() == [b"sub"]


@pytest.mark.parametrize("name", [".git", ".GIT", "git~1", ".dvtool", b".g\xe2\x80\x8cit"])
def test_names_that_would_reach_into_git_are_refused(bench: Bench, name: str | bytes) -> None:
    bench.create({"sub": {name: "x"}})
    with pytest.raises(UnsafeInput, match="data/sub/"):
        bench.look()


def test_left_over_temporaries_are_passed_over_and_named(bench: Bench) -> None:
    own = {".dvtool-tmp-0123456789abcdef": "t", ".dvtool-part-0123456789abcdef": "p"}
    bench.create({"a": "1", ".dvtool-rescued-1": "mine", "sub": own})
    snapshot = bench.snapshot()
    snapshot.directory(b"data")
    os.close(snapshot._root_fd)
    assert sorted(snapshot.leftovers) == sorted(f"data/sub/{name}".encode() for name in own)
    assert bench.names() == [b".dvtool-rescued-1", b"a", b"sub"]


def test_nested_ignore_files(bench: Bench) -> None:
    bench.create(
        {
            "a.tmp": "1",
            "sub": {"a.tmp": "2", "b.log": "3", ".dvtoolignore": "*.log\n", "deep": {"c.log": "4", "d": "5"}},
            "b.log": "6",
        }
    )
    (bench.root / ".dvtoolignore").write_text("*.tmp\n")
    kept = [b"b.log", b"sub", b"sub/.dvtoolignore", b"sub/deep", b"sub/deep/d"]
    assert bench.names() == kept
    (bench.data / "sub/.dvtoolignore").write_text("nothing\n")
    assert bench.names() == sorted([*kept, b"sub/b.log", b"sub/deep/c.log"])


@contextmanager
def as_nobody() -> Iterator[None]:
    """As root, nothing is unreadable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", ["secret", "locked"])
def test_what_may_not_be_read_is_named_with_its_whole_path(bench: Bench, name: str) -> None:
    bench.create({"sub": {"secret": "x"}} if name == "secret" else {"sub": {"locked": {"f": "x"}}})
    snapshot = bench.snapshot()
    bench.root.chmod(0o755)
    (bench.data / "sub" / name).chmod(0)
    try:
        with as_nobody(), pytest.raises(StorageError, match=f"data/sub/{name}: Permission denied"):
            snapshot.directory(b"data")
    finally:
        (bench.data / "sub" / name).chmod(0o700)
        os.close(snapshot._root_fd)


@pytest.mark.parametrize(("depth", "is_fine"), [(MAX_DEPTH - 1, True), (MAX_DEPTH, False), (900, False)])
def test_depth(bench: Bench, depth: int, *, is_fine: bool) -> None:
    fd = os.open(bench.data, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    if is_fine:
        assert len(bench.names()) == depth
    else:
        with pytest.raises(UnsafeInput, match="deeper"):
            bench.look()
