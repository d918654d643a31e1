"""Files of the run cache in a cache: what a check finds, what a repair and a collection take out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.formats.checktimes import CheckTimes
from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.runentry import encode_entry
from dvtool.hashing.digests import object_id
from dvtool.model.digest import as_digest
from dvtool.model.pointer import Kind as Type
from dvtool.model.ports import SILENT
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.fsck.cache import check_cache_files
from dvtool.store.fsck.choice import STRUCTURE
from dvtool.store.fsck.listing import list_cache
from dvtool.store.fsck.repair import execute_cache_repair
from dvtool.store.fsck.repair import plan_cache_repair
from dvtool.store.fsck.values import Finding
from dvtool.store.fsck.values import Kind
from dvtool.store.runfiles import RunFiles
from dvtool.store.runfiles import drop_useless

HERE = b"this is in the cache"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    made = Cache(os.fsencode(tmp_path / "cache"), Settings(durable=False))
    made.create()
    with CacheWriter(made, what="test") as writer:
        writer.put_small(HERE)
        writer.commit()
    return made


def key(number: int) -> str:
    return "ab" + f"{number:062x}"


def entry(number: int, made: bytes = HERE) -> bytes:
    content = Content(Type.FILE, as_digest(object_id(made)), len(made))
    return encode_entry(key(number), LockedStage(commands=(f"run {number}",), outs={b"out": content}))


def add(cache: Cache, number: int, made: bytes = HERE) -> None:
    RunFiles(cache).append(key(number), entry(number, made))


def file_of(cache: Cache) -> Path:
    return Path(os.fsdecode(RunFiles(cache).path_of(key(0))))


def checked(cache: Cache) -> list[Finding]:
    return check_cache_files(cache, list_cache(cache.root), STRUCTURE, CheckTimes(b""), SILENT).findings


def test_right_entries_are_no_finding(cache: Cache) -> None:
    add(cache, 1)
    add(cache, 2, b"gone")
    assert checked(cache) == []


def test_damage_is_found_and_taken_out(cache: Cache) -> None:
    for number in range(5):
        add(cache, number)
    data = bytearray(file_of(cache).read_bytes())
    data[len(entry(0)) + 100] ^= 1
    file_of(cache).write_bytes(bytes(data[:-20]))
    (finding,) = checked(cache)
    assert (finding.kind, finding.place, finding.affected) == (Kind.RUNS, b"runs/ab", 2)
    assert "the first is line 2" in finding.why
    execute_cache_repair(cache, plan_cache_repair([finding]))
    assert checked(cache) == []
    assert [line.data for line in RunFiles(cache).lines()] == [entry(0), entry(2), entry(3)]


def test_a_newer_version_is_left_alone(cache: Cache) -> None:
    from xxhash import xxh3_64_hexdigest

    text = f'{key(7)} {{"other":1,"version":2}}'
    newer = f"{key(7)} {xxh3_64_hexdigest(text.encode())} {text.partition(' ')[2]}\n".encode()
    file_of(cache).parent.mkdir(exist_ok=True)
    file_of(cache).write_bytes(newer)
    assert checked(cache) == []
    drop_useless(cache)
    assert file_of(cache).read_bytes() == newer


def test_a_collection_forgets_runs_whose_outputs_are_gone(cache: Cache) -> None:
    add(cache, 1, b"gone")
    add(cache, 2)
    add(cache, 2)
    add(cache, 3, b"gone too")
    drop_useless(cache)
    assert [line.data for line in RunFiles(cache).lines()] == [entry(2)]


def test_an_empty_file_goes(cache: Cache) -> None:
    add(cache, 1, b"gone")
    drop_useless(cache)
    assert not file_of(cache).exists()
    drop_useless(cache)


def test_nothing_is_rewritten_for_nothing(cache: Cache) -> None:
    add(cache, 1)
    before = file_of(cache).stat().st_ino
    drop_useless(cache)
    assert file_of(cache).stat().st_ino == before


def test_a_last_line_without_its_end_counts(cache: Cache) -> None:
    add(cache, 1)
    file_of(cache).write_bytes(file_of(cache).read_bytes()[:-1])
    assert [*RunFiles(cache).lines_of(key(1))] == [entry(1)]
    add(cache, 2)
    assert [line.data for line in RunFiles(cache).lines()] == [entry(1), entry(2)]


def test_files_of_a_shared_cache_are_shared(tmp_path: Path) -> None:
    shared = Cache(os.fsencode(tmp_path / "shared"), Settings(durable=False, group_shared=True))
    before = os.umask(0o077)
    try:
        add(shared, 1)
        add(shared, 2, b"gone")
        assert file_of(shared).stat().st_mode & 0o777 == 0o664
        drop_useless(shared)
    finally:
        os.umask(before)
    assert not file_of(shared).exists()
    assert file_of(shared).parent.stat().st_mode & 0o070 == 0o070
