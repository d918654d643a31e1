"""Writing into the cache: once, whole, verified, and only when committed."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.disk.signature import StatSignature
from dvtool.disk.signature import signature_of
from dvtool.errors import FormatError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.hashing.digests import object_id
from dvtool.store.cache import LOOSE_FROM
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.cachewriter import CacheWriter
from tests.support.datasets import content

LARGE = content("large", LOOSE_FROM)


def cache_at(path: Path, **settings: bool) -> Cache:
    return Cache(os.fsencode(path), Settings(durable=False)._replace(**settings))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return cache_at(tmp_path / "cache")


def again(cache: Cache) -> Cache:
    """The same cache as another process sees it."""
    return Cache(cache.root, cache.settings)


@contextlib.contextmanager
def source(path: Path, data: bytes) -> Iterator[tuple[int, bytes]]:
    """A directory's descriptor and the name of a file in it."""
    path.write_bytes(data)
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        yield fd, os.fsencode(path.name)
    finally:
        os.close(fd)


def files_of(cache: Cache) -> list[str]:
    root = Path(os.fsdecode(cache.root))
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def packs_of(cache: Cache) -> list[str]:
    return [name for name in files_of(cache) if name.startswith(("data/", "meta/"))]


def objects_of(cache: Cache) -> list[str]:
    return [name for name in files_of(cache) if name.startswith("objects/")]


def temporaries(cache: Cache) -> list[str]:
    return os.listdir(os.path.join(os.fsdecode(cache.root), "tmp"))


def test_what_was_committed_is_there_and_nothing_else_is(cache: Cache, tmp_path: Path) -> None:
    with CacheWriter(cache, what="test") as writer:
        small, empty = writer.put_small(b"small"), writer.put_small(b"")
        page = writer.put_tree(b"DVTTREE1 as far as the cache cares")
        writer.put_keyed(object_id(b"blob"), RECIPE, b"a recipe")
        with source(tmp_path / "large", LARGE) as (fd, name):
            large, status = writer.put_file(fd, name, b"large")
        assert status.st_size == len(LARGE)
        assert not packs_of(cache)
        writer.commit()
    for seen in (cache, again(cache)):
        assert [seen.read_blob(oid) for oid in (small, empty, large)] == [b"small", b"", LARGE]
        assert seen.read_meta(page, TREE).startswith(b"DVTTREE1")
        assert seen.read_meta(object_id(b"blob"), RECIPE) == b"a recipe"
        with pytest.raises(MissingData):
            seen.read_meta(page, RECIPE)
        with pytest.raises(MissingData):
            seen.read_blob(page)
    assert [name.split("/")[0] for name in packs_of(cache)] == ["data", "meta"]
    assert temporaries(cache) == []


def test_without_a_commit_nothing_that_was_packed_remains(cache: Cache) -> None:
    with CacheWriter(cache, what="test") as writer:
        writer.put_small(b"small")
        writer.put_tree(b"page")
    with pytest.raises(ZeroDivisionError), CacheWriter(cache, what="test") as writer:
        fail(writer)
    assert packs_of(cache) == []
    assert temporaries(cache) == []
    assert not again(cache).has_blob(object_id(b"small"))


def fail(writer: CacheWriter) -> None:
    writer.put_small(b"small")
    raise ZeroDivisionError


def test_nothing_is_stored_twice(cache: Cache, tmp_path: Path) -> None:
    for _ in range(3):
        with CacheWriter(cache, what="test") as writer:
            for _ in range(3):
                writer.put_small(b"small")
                writer.put_tree(b"page")
                with source(tmp_path / "large", LARGE) as (fd, name):
                    writer.put_file(fd, name, b"large")
            writer.commit()
    assert len(packs_of(cache)) == 2
    assert len(objects_of(cache)) == 1
    assert temporaries(cache) == []


def test_an_object_that_another_process_stored_meanwhile_is_no_error(cache: Cache) -> None:
    with CacheWriter(cache, what="one") as one, CacheWriter(again(cache), what="two") as two:
        for writer in (one, two):
            writer.put_small(b"small")
            writer.put_tree(b"page")
            with writer.loose_temporary() as temporary:
                temporary.write(LARGE)
                temporary.publish(temporary.digest())
        one.commit()
        two.commit()
    assert len(packs_of(cache)) == 2
    assert again(cache).read_blob(object_id(b"small")) == b"small"


def signature_in(cache: Cache, oid: bytes) -> StatSignature:
    return signature_of(os.lstat(cache.loose_path(oid)))


def test_a_large_one_is_fresh_for_its_writer_until_somebody_touches_it(cache: Cache) -> None:
    with CacheWriter(cache, what="test") as writer, writer.loose_temporary() as temporary:
        temporary.write(content("x", 2 << 20))
        oid = temporary.digest()
        temporary.publish(oid)
    assert cache.is_fresh(oid, signature_in(cache, oid))
    assert not again(cache).is_fresh(oid, signature_in(cache, oid))
    path = cache.loose_path(oid)
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.write(b"y")
    assert not cache.is_fresh(oid, signature_in(cache, oid))


def test_what_somebody_else_stored_first_is_not_fresh(cache: Cache) -> None:
    data = content("x", 2 << 20)
    with CacheWriter(again(cache), what="theirs") as theirs, theirs.loose_temporary() as temporary:
        temporary.write(data)
        temporary.publish(object_id(data))
    with CacheWriter(cache, what="ours") as ours, ours.loose_temporary() as temporary:
        temporary.write(data)
        temporary.publish(object_id(data))
    assert not cache.is_fresh(object_id(data), signature_in(cache, object_id(data)))


@pytest.mark.parametrize(("size", "lies_loose"), [(LOOSE_FROM - 1, False), (LOOSE_FROM, True)])
def test_small_ones_are_packed_and_large_ones_lie_loose(cache: Cache, size: int, *, lies_loose: bool) -> None:
    with CacheWriter(cache, what="test") as writer:
        assert writer.is_small(size) == (not lies_loose)
        oid = writer.put_small(content("x", size))
        writer.commit()
    assert (bool(objects_of(cache)), bool(packs_of(cache))) == (lies_loose, not lies_loose)
    assert again(cache).has_loose(oid) == lies_loose
    assert object_id(again(cache).read_blob(oid)) == oid


def test_for_links_everything_but_the_empty_file_lies_loose(tmp_path: Path) -> None:
    cache = cache_at(tmp_path / "cache", loose_all=True)
    with CacheWriter(cache, what="test") as writer:
        oids = [writer.put_small(data) for data in (b"", b"x", b"xy")]
        writer.commit()
    assert [again(cache).has_loose(oid) for oid in oids] == [False, True, True]


@pytest.mark.parametrize("durable", [True, False])
def test_what_has_a_name_is_read_only(tmp_path: Path, *, durable: bool) -> None:
    cache = cache_at(tmp_path / "cache", durable=durable)
    with CacheWriter(cache, what="test") as writer:
        writer.put_small(b"small")
        writer.put_small(LARGE)
        with source(tmp_path / "other", LARGE[::-1]) as (fd, name):
            writer.put_file(fd, name, b"other")
        writer.commit()
    named = [*packs_of(cache), *objects_of(cache)]
    assert len(named) == 3
    for path in named:
        assert stat.S_IMODE((tmp_path / "cache" / path).stat().st_mode) == 0o444


def test_a_cache_for_a_group_is_open_to_it_whatever_the_umask(tmp_path: Path) -> None:
    cache = cache_at(tmp_path / "cache", group_shared=True)
    before = os.umask(0o077)
    try:
        with CacheWriter(cache, what="test") as writer:
            writer.put_small(b"small")
            writer.put_tree(b"page")
            writer.put_small(LARGE)
            writer.commit()
    finally:
        os.umask(before)
    for folder, _, names in os.walk(tmp_path / "cache"):
        assert stat.S_IMODE(os.stat(folder).st_mode) & 0o2070 == 0o2070, folder
        for name in names:
            assert os.stat(os.path.join(folder, name)).st_mode & 0o040, name
    assert (tmp_path / "cache/lock").stat().st_mode & 0o060 == 0o060


def test_a_private_cache_keeps_to_the_umask(tmp_path: Path) -> None:
    cache = cache_at(tmp_path / "cache")
    before = os.umask(0o077)
    try:
        with CacheWriter(cache, what="test") as writer:
            writer.put_small(b"small")
            writer.commit()
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_dir()} == {0o700}


def test_a_file_that_keeps_changing_is_not_stored(
    cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large"
    copy = CacheWriter._copy

    def copy_and_change(self: CacheWriter, source: int, size: int, directory_fd: int, name: bytes) -> object:
        copied = copy(self, source, size, directory_fd, name)
        with open(path, "ab") as file:
            file.write(b"more")
        return copied

    monkeypatch.setattr(CacheWriter, "_copy", copy_and_change)
    with source(path, LARGE) as (fd, name), CacheWriter(cache, what="test") as writer:
        with pytest.raises(StorageError, match="dir/large changed while being added"):
            writer.put_file(fd, name, b"dir/large")
        assert temporaries(cache) == []
    assert objects_of(cache) == []


def test_a_fifo_is_not_stored_as_an_empty_file(cache: Cache, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with CacheWriter(cache, what="test") as writer, pytest.raises(UnsafeInput, match="FIFO"):
            writer.put_file(fd, b"fifo", b"fifo")
    finally:
        os.close(fd)
    assert objects_of(cache) == []


def test_a_loose_blob_that_is_not_published_leaves_nothing(cache: Cache) -> None:
    with CacheWriter(cache, what="test") as writer:
        with writer.loose_temporary() as temporary:
            temporary.write(LARGE)
        writer.commit()
    assert (objects_of(cache), temporaries(cache)) == ([], [])


def test_a_loose_blob_cut_short_is_replaced(cache: Cache, tmp_path: Path) -> None:
    oid = object_id(LARGE)
    path = Path(os.fsdecode(cache.loose_path(oid)))
    path.parent.mkdir(parents=True)
    path.write_bytes(LARGE[:-1])
    with source(tmp_path / "large", LARGE) as (fd, name), CacheWriter(cache, what="test") as writer:
        writer.put_file(fd, name, b"large")
        writer.commit()
    assert again(cache).read_blob(oid) == LARGE


def test_pages_of_this_session_can_be_read_before_they_are_stored(cache: Cache) -> None:
    with CacheWriter(cache, what="test") as writer:
        early = writer.put_tree(b"early")
        writer.keep_pages()
        late = writer.put_tree(b"late")
        assert (writer.pending_page(early), writer.pending_page(late)) == (None, b"late")


def test_the_first_recipe_stays(cache: Cache) -> None:
    key = object_id(b"blob")
    for recipe in (b"first", b"second"):
        with CacheWriter(cache, what="test") as writer:
            writer.put_keyed(key, RECIPE, recipe)
            writer.commit()
    assert again(cache).read_meta(key, RECIPE) == b"first"


LEFT = os.fsdecode(TEMPORARY_PREFIX) + "0123456789abcdef"


def test_what_a_killed_command_left_is_swept_when_nobody_writes(cache: Cache) -> None:
    cache.create()
    left = Path(os.fsdecode(cache.tmp)) / LEFT
    left.write_bytes(b"half")
    with CacheWriter(cache, what="test"):
        assert not left.exists()


def test_what_another_writer_is_at_is_not_swept(cache: Cache) -> None:
    with CacheWriter(cache, what="one") as one, one.loose_temporary() as temporary:
        temporary.write(LARGE)
        with CacheWriter(again(cache), what="two"):
            pass
        assert len(temporaries(cache)) == 1
        temporary.publish(object_id(LARGE))
    assert again(cache).read_blob(object_id(LARGE)) == LARGE


WRITE = """
import os, sys
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
for start in range(0, 200, 20):
    with CacheWriter(Cache(os.fsencode(sys.argv[1])), what="test") as writer:
        for number in range(start, start + 20):
            writer.put_small(b"%d" % number)
            writer.put_tree(b"page %d" % number)
        writer.put_small(bytes((start,)) * 200_000)
        writer.commit()
"""


def test_two_processes_write_the_same_at_once(tmp_path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", WRITE, tmp_path / "cache"]) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    cache = cache_at(tmp_path / "cache")
    for number in range(200):
        assert cache.read_blob(object_id(b"%d" % number)) == b"%d" % number
        assert cache.read_meta(object_id(b"page %d" % number), TREE)
    assert len(objects_of(cache)) == 10
    assert temporaries(cache) == []


def test_a_newer_store_is_refused(cache: Cache) -> None:
    cache.create()
    path = Path(os.fsdecode(cache.root)) / "dvtool-store.json"
    path.chmod(0o644)
    path.write_text(path.read_text().replace('"version": 1', '"version": 2').replace('"version":1', '"version":2'))
    with pytest.raises(FormatError), CacheWriter(again(cache), what="test"):
        pass


@contextlib.contextmanager
def full_disk(root: Path) -> Iterator[None]:
    """A small file system of its own at *root*, where that can be had."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount")
    root.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "none", root], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", root], check=True)


def fill(cache: Cache, how: str, directory_fd: int, name: bytes) -> None:
    with CacheWriter(cache, what="test") as writer:
        if how == "file":
            writer.put_file(directory_fd, name, b"large")
        elif how == "loose":
            writer.put_small(content("x", 1 << 20))
        else:
            for number in range(400 if how == "early" else 8):
                writer.put_small(content(number, LOOSE_FROM - 1))
            writer.commit()


@pytest.mark.parametrize("how", ["early", "loose", "file", "commit"])
def test_a_full_disk_is_told_as_one_of_the_cache(tmp_path: Path, how: str) -> None:
    with full_disk(tmp_path / "full"), source(tmp_path / "large", content("y", 1 << 20)) as (fd, name):
        cache = cache_at(tmp_path / "full")
        with pytest.raises(StorageError, match=r"the cache.*full|full.*space") as caught:
            fill(cache, how, fd, name)
        assert "large" not in str(caught.value.path)
        assert temporaries(cache) == []
        assert (objects_of(cache), packs_of(cache)) == ([], [])


def test_a_cache_mounted_read_only_takes_what_it_has_and_refuses_the_rest(tmp_path: Path) -> None:
    with full_disk(tmp_path / "full"):
        cache = cache_at(tmp_path / "full")
        store(cache, b"small")
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "full"], check=True)
        store(again(cache), b"small")
        with pytest.raises(StorageError, match="Read-only"):
            store(again(cache), b"other")
        assert again(cache).read_blob(object_id(b"small")) == b"small"


def store(cache: Cache, data: bytes) -> None:
    with CacheWriter(cache, what="test") as writer:
        writer.put_small(data)
        writer.commit()


@pytest.mark.parametrize("where", [4, -60, -10])
def test_an_equal_pack_that_is_damaged_is_no_reason_to_store_nothing(cache: Cache, where: int) -> None:
    """Header, table, footer: its objects are not found, so they are stored again, in a pack of the same name."""
    for expected in (False, True):
        with CacheWriter(again(cache), what="test") as writer:
            writer.put_small(b"the only object")
            writer.put_tree(b"the only page")
            writer.commit()
        assert again(cache).read_blob(object_id(b"the only object")) == b"the only object"
        assert again(cache).read_meta(object_id(b"the only page"), TREE) == b"the only page"
        assert bool(again(cache).packs.damaged()) is False
        assert os.path.exists(os.path.join(cache.root, b"quarantine")) is expected
        for name in packs_of(cache):
            path = Path(os.fsdecode(cache.root)) / name
            data = bytearray(path.read_bytes())
            data[where] ^= 1
            path.chmod(0o644)
            path.write_bytes(data)
