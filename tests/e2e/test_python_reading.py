"""Tables on a real S3 server, read by the libraries that people use; only what they need of them is fetched."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import dataset
from pyarrow import feather
from pyarrow import parquet

import dvtool.api
from dvtool.errors import UsageError
from dvtool.model.ports import Remote
from dvtool.project.parts import open_remote_of
from tests.support.pushed import pushed_project
from tests.support.seaweed import Seaweed
from tests.support.trees import Tree
from tests.support.workbench import Workbench

ROWS = 100_000
CSV_BYTES = 64 << 20
FEW = 8 << 20
"""Two of the longest pieces: of a gigabyte, less than a hundredth."""
pytestmark = pytest.mark.s3


class Counted:
    """A remote that adds up what it gives."""

    received = 0

    def __init__(self, inner: Remote) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        data = self._inner.get(key, start, length)
        Counted.received += len(data)
        return data


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[Counted]:
    monkeypatch.setattr("dvtool.project.remotes.open_remote_of", lambda *args: Counted(open_remote_of(*args)))
    Counted.received = 0
    return Counted


def csv(size: int) -> bytes:
    """Lines of numbers; the first 1,000 say theirs."""
    chance = random.Random(5)
    blocks = [
        b"".join(b"%d,%r,red\n" % (number, chance.random()) for number in range(start, start + 1_000))
        for start in range(0, 200_000, 1_000)
    ]
    parts, length = [b"id,x,colour\n", blocks[0]], 0
    while length < size:
        parts.append(chance.choice(blocks))
        length += len(parts[-1])
    return b"".join(parts)


def table(first: int = 0) -> pa.Table:
    chance = random.Random(first)
    numbers = [chance.random() for _ in range(ROWS)]
    return pa.table({"id": range(first, first + ROWS), "x": numbers, "y": numbers[::-1]})


@pytest.fixture(scope="module")
def project(seaweed: Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """Everything is on the server, nothing here."""
    place = tmp_path_factory.mktemp("tables")
    for number in (1, 2):
        parquet.write_table(table(number * ROWS), place / f"{number}.parquet")
    feather.write_feather(table(), place / "t.feather", compression="uncompressed")
    parts = {f"part={number}": {"a.parquet": (place / f"{number}.parquet").read_bytes()} for number in (1, 2)}
    lines = "".join(json.dumps({"id": number, "x": number / 3}) + "\n" for number in range(5_000))
    small: Tree = {"t.feather": (place / "t.feather").read_bytes(), "t.jsonl": lines, "t.tsv": "id\tx\n1\t2\n"}
    tree: Tree = {"big.csv": csv(CSV_BYTES), "parts": parts, "small": small}
    return pushed_project(place, tree, {"url": seaweed.new_url(), **seaweed.settings})


@pytest.fixture(autouse=True)
def _here(project: Workbench, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(project.root)
    yield
    dvtool.api.DvtoolFileSystem.clear_instance_cache()


def test_the_first_rows_of_a_large_file_take_a_few_of_its_bytes(counted: type[Counted]) -> None:
    found = dvtool.api.read_table("big.csv", rows=1_000, columns=["id"])
    assert found.column("id").to_pylist() == list(range(1_000))
    assert 0 < counted.received < FEW


def test_so_do_those_that_pandas_reads(counted: type[Counted]) -> None:
    found = pd.read_csv("dvtool://big.csv", nrows=1_000, storage_options={"rev": "v1"})
    assert found["id"].tolist() == list(range(1_000))
    assert 0 < counted.received < FEW


def test_all_of_a_large_file_comes_once(counted: type[Counted], project: Workbench) -> None:
    with dvtool.api.open("big.csv") as file:
        assert sum(1 for _ in file) > 800_000
    size = dvtool.api.DvtoolFileSystem().info("big.csv")["size"]
    assert counted.received < size * 1.05


def test_pandas() -> None:
    assert pd.read_parquet("dvtool://parts/part=1/a.parquet?rev=v1", columns=["id"])["id"].iloc[-1] == 2 * ROWS - 1
    assert pd.read_json("dvtool://small/t.jsonl", lines=True).shape == (5_000, 2)
    assert sorted(pd.read_parquet("dvtool://parts", storage_options={"rev": "v1"})["part"].unique()) == [1, 2]


def test_pyarrow() -> None:
    files = fsspec.filesystem("dvtool", rev="v1")
    parts = dataset.dataset("parts", filesystem=files, partitioning="hive")
    assert parts.count_rows() == 2 * ROWS
    assert parts.to_table(filter=dataset.field("part") == 2, columns=["id"])["id"][0].as_py() == 2 * ROWS
    assert parquet.read_table("parts", filesystem=files).num_rows == 2 * ROWS


def test_duckdb() -> None:
    with duckdb.connect() as connection:
        connection.register_filesystem(fsspec.filesystem("dvtool", rev="v1"))
        query = (
            "select part, max(id) from read_parquet('dvtool://parts/*/*.parquet', hive_partitioning=true) group by 1"
        )
        assert sorted(connection.sql(query).fetchall()) == [(1, 2 * ROWS - 1), (2, 3 * ROWS - 1)]
        assert connection.sql("select id from 'dvtool://big.csv' limit 2").fetchall() == [(0,), (1,)]


@pytest.mark.parametrize("name", ["parts/part=1/a.parquet", "small/t.feather", "small/t.jsonl", "big.csv"])
def test_read_table(name: str) -> None:
    found = dvtool.api.read_table(name, rows=70_000, columns=["x", "id"])
    assert found.column_names == ["x", "id"]
    assert found.num_rows == (5_000 if name.endswith("jsonl") else 70_000)


def test_read_table_takes_all_and_tells_formats_by_names_or_words() -> None:
    assert dvtool.api.read_table("parts/part=2/a.parquet").equals(table(2 * ROWS))
    assert dvtool.api.read_table("small/t.tsv").to_pylist() == [{"id": 1, "x": 2}]
    assert dvtool.api.read_table("small/t.tsv", rows=0).num_rows == 0
    assert dvtool.api.read_table("small/t.tsv", format="csv").column_names == ["id\tx"]
    with pytest.raises(UsageError, match="does not tell what is in it"):
        dvtool.api.read_table("small.dvt")


def test_text_and_bytes(project: Workbench) -> None:
    assert dvtool.api.read("small/t.tsv") == "id\tx\n1\t2\n"
    assert dvtool.api.read("small/t.tsv", "rb", repo=str(project.root), rev="v1") == b"id\tx\n1\t2\n"
    with dvtool.api.open("small/t.tsv", newline="") as file:
        assert file.readline() == "id\tx\n"


def test_the_project_around_a_path(project: Workbench, tmp_path: Path) -> None:
    assert dvtool.api.open_here().root == dvtool.api.open_here(project.root / ".git/..").root
    assert dvtool.api.open_here(project.root).environment.cwd == str(project.root).encode()


def test_a_program_ends_without_a_word(project: Workbench) -> None:
    program = "import dvtool.api; dvtool.api.DvtoolFileSystem(); print(dvtool.api.read('small/t.tsv'))"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=project.root, capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("id\tx\n1\t2\n\n", "")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_read_beside_each_other(project: Workbench, method: str) -> None:
    program = f"""
import fsspec, multiprocessing
fs = fsspec.filesystem("dvtool", rev="v1")
def size(number):
    return len(fs.cat_file("big.csv", number << 20, (number << 20) + 1000))
if __name__ == "__main__":
    print(size(0))
    with multiprocessing.get_context("{method}").Pool(2) as pool:
        print(pool.map(size, range(6)))
"""
    path = project.root.parent / f"{method}.py"
    path.write_text(program)
    run = subprocess.run(
        [sys.executable, str(path)], cwd=project.root, capture_output=True, text=True, check=False, timeout=120
    )
    assert (run.stdout, run.stderr) == (f"1000\n{[1000] * 6}\n", "")


def test_a_process_forked_beside_readers_reads_on(project: Workbench) -> None:
    """As a loader of training data does: the parent's threads hold locks, and its connections are not the child's."""
    program = """
import os, threading, dvtool.api
fs = dvtool.api.DvtoolFileSystem(rev="v1")
file = fs.open("big.csv")
file.read(1000)
done = threading.Event()
def work(start):
    while not done.is_set():
        fs.cat_file("big.csv", start, start + 1000)
threads = [threading.Thread(target=work, args=(number << 22,)) for number in range(4)]
for each in threads:
    each.start()
for number in range(6):
    child = os.fork()
    if not child:
        file.seek(number + 10 << 20)
        os._exit(0 if file.read(1000) == fs.cat_file("big.csv", file.tell() - 1000, file.tell()) else 1)
    print(os.waitpid(child, 0)[1])
done.set()
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (run.stdout, run.stderr) == ("0\n" * 6, "")


def test_closing_beside_readers_takes_nothing_from_them(project: Workbench) -> None:
    fs = dvtool.api.DvtoolFileSystem(rev="v1", skip_instance_cache=True)
    right = fs.cat_file("big.csv", 0, 4 << 20)
    wrong: list[object] = []

    def work(start: int) -> None:
        try:
            for at in range(start, len(right) - 1_000, 200_000):
                if fs.cat_file("big.csv", at, at + 1_000) != right[at : at + 1_000]:
                    wrong.append(at)
                if not at % 3:
                    fs.close()
        except Exception as error:  # noqa: BLE001
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number * 1_001,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fs.close()
    assert wrong == []
