"""The rows on reading from Python: the beginning of a large table on S3, and the names of many files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from benchmarks import data
from benchmarks import s3
from benchmarks.measure import Sample
from benchmarks.measure import timed
from benchmarks.model import AtMost
from benchmarks.model import Contender
from benchmarks.model import Counts
from benchmarks.model import Row
from benchmarks.model import Within
from benchmarks.scenes import Bench
from benchmarks.scenes import removed

TABLE_BYTES = 1 << 30
NAMED_FILES = 300_000
_READER = str(Path(__file__).with_name("reader.py"))
_PLAIN = str(Path(__file__).with_name("plain.py"))


def first_rows_csv(bench: Bench) -> Row:
    return _first_rows(bench, "table.csv", "CSV")


def first_rows_parquet(bench: Bench) -> Row:
    return _first_rows(bench, "table.parquet", "Parquet")


def _first_rows(bench: Bench, name: str, kind: str) -> Row:
    tool, endpoint = bench.dvtool, bench.s3_endpoint()
    repo, clone = bench.directory("table", "repo"), bench.directory("table", "clone")
    tool.init(repo)
    size = data.table(repo / name, int(TABLE_BYTES * bench.scale))
    tool.call(repo, "add", name)
    bench.remote(tool, repo, endpoint=endpoint)
    tool.call(repo, "push")
    key = f"{s3.BUCKET}/{bench.new('table')}"
    timed([sys.executable, _PLAIN, "put", repo / name, f"s3://{key}", endpoint], bench.place, tool.environment)

    def fresh(_run: int) -> None:
        removed(clone)
        tool.clone(repo, clone)

    def read(*more: str) -> Sample:
        return timed([sys.executable, _READER, "first", name, *more], clone, tool.environment)

    def count() -> Counts:
        found: dict[str, float] = {}
        with s3.counting_proxy() as (counting, counted):
            for words, more in (("of its bytes read, %", ()), ("of its bytes by s3fs, %", (key, counting))):
                fresh(0)
                tool.call(clone, "remote", "modify", "origin", "endpointurl", counting)
                before = counted.received
                read(*more)
                found[words] = round(100 * (counted.received - before) / size, 2)
        return found

    contenders = [
        Contender("dvtool", lambda _run: read(), fresh),
        Contender("s3fs, the file itself", lambda _run: read(key, endpoint)),
    ]
    title = f"S3: the first 1,000 rows of a {kind} file of {size / 1e9:.2g} GB"
    return Row(title, contenders, [AtMost("of its bytes read, %", 5)], count)


def names(bench: Bench) -> Row:
    tool, source = bench.dvtool, bench.files(NAMED_FILES)
    repo = bench.added(tool, source)

    def asked(how: str) -> Sample:
        sample = timed([sys.executable, _READER, "names", "data", how], repo, tool.environment)
        return replace(sample, seconds=float(sample.output.split()[0]))

    contenders = [
        Contender("dvtool", lambda _run: asked("find")),
        Contender("reading its trees", lambda _run: asked("trees")),
    ]
    title = f"`find` of the file system on {bench.count(NAMED_FILES):,} files"
    return Row(title, contenders, [Within("reading its trees", 2)])
