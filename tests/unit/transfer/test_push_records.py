"""A pack with an object that nobody asked for does not go as it is; the records without it do."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from dvtool.api.push import PushRequest
from dvtool.api.push import push
from dvtool.errors import DvtoolError
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.hashing.digests import object_id
from dvtool.store.packfile import PackFile
from dvtool.store.packfile import Table
from dvtool.store.packwriter import FinishedPack
from dvtool.store.packwriter import PackWriter
from tests.support.workbench import NOW
from tests.support.workbench import Workbench

FILES = 200


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path / "project")
    source = random.Random(3)
    for number in range(FILES):
        path = bench.root / f"data/{number:03}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(source.randbytes(3000))
    bench.add("data")
    (bench.root / "data/100").unlink()
    bench.add("data")
    bench.commit()
    (tmp_path / "remote").mkdir()
    bench.settings |= {"core.remote": "origin", "remote.origin.url": str(tmp_path / "remote")}
    return bench


def tables(folder: Path) -> dict[Path, tuple[PackFile, Table]]:
    found = {}
    for path in folder.glob("data/*/*"):
        pack = PackFile(os.fsencode(path))
        found[path] = (pack, Table(pack.table(bytes.fromhex(path.name.partition("-")[0]))))
    return found


def raw(pack: PackFile, table: Table) -> set[bytes]:
    return {pack.raw_record(entry.offset)[0] for entry in table.entries()}


def test_whole_records_are_copied_and_nothing_unasked_leaves(bench: Workbench, tmp_path: Path) -> None:
    push(bench.project, PushRequest(now=NOW))
    ((pack, table),) = tables(bench.root / ".git/dvtool/cache").values()
    ((sent_pack, sent),) = tables(tmp_path / "remote").values()
    assert len(sent.entries()) == FILES - 1 == len(table.entries()) - 1
    assert {entry.digest for entry in sent.entries()} < {entry.digest for entry in table.entries()}
    here, there = raw(pack, table), raw(sent_pack, sent)
    assert len(here) > 5
    assert len(here & there) == len(here) - 1


def test_a_damaged_record_is_not_copied(bench: Workbench, tmp_path: Path) -> None:
    ((path, (_, table)),) = tables(bench.root / ".git/dvtool/cache").items()
    wrong = min(entry.offset for entry in table.entries()) + 60
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content[:wrong] + bytes([content[wrong] ^ 4]) + content[wrong + 1 :])
    with pytest.raises(DvtoolError, match=r"damaged|does not match"):
        push(bench.project, PushRequest(now=NOW))
    for pack, sent in tables(tmp_path / "remote").values():
        for entry in sent.entries():
            pack.raw_record(entry.offset)
        assert len(sent.entries()) < FILES - 1


def test_records_of_other_packs_stand_beside_own_ones(tmp_path: Path) -> None:
    first: list[PackFile] = []
    writer = PackWriter(DATA, os.fsencode(tmp_path), lambda done: first.append(PackFile(done.path)))
    texts = [b"text %d " % number * 50 for number in range(40)]
    for text in texts:
        writer.add(object_id(text), BYTES, text)
    writer.finish()
    record, objects = first[0].raw_record(16)
    assert objects == 40
    done: list[FinishedPack] = []
    other = PackWriter(DATA, os.fsencode(tmp_path), done.append)
    other.add(object_id(b"before"), BYTES, b"before")
    other.add_record(record, [(object_id(text), BYTES, len(text)) for text in texts])
    other.add(object_id(b"after"), BYTES, b"after")
    other.finish()
    table, second = Table(done[0].table), PackFile(done[0].path)
    assert len(table.entries()) == 42
    offsets = sorted({entry.offset for entry in table.entries()})
    assert [second.raw_record(offset)[1] for offset in offsets] == [1, 40, 1]
    assert second.raw_record(offsets[1])[0] == record
