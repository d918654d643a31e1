"""The rows on data of others: a prefix of a bucket, imported by its URL and brought up to date."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import data
from benchmarks import s3
from benchmarks.measure import CommandFailed
from benchmarks.model import AtMost
from benchmarks.model import Contender
from benchmarks.model import Counts
from benchmarks.model import Faster
from benchmarks.model import Row
from benchmarks.scenes import Bench
from benchmarks.scenes import same
from benchmarks.tools import Versioner

_URL = "remote://there/raw"


def import_prefix(bench: Bench) -> Row:
    source, endpoint = bench.files(data.SMALL_FILES), bench.s3_endpoint()
    there = _filled(bench, source, endpoint)

    def versioner(tool: Versioner) -> Contender:
        repo = bench.directory("import", tool.name)

        def prepare(_run: int) -> None:
            _begin(tool, repo, there, endpoint)

        return Contender(
            tool.name,
            lambda _run: tool.call(repo, "import-url", _URL, "data"),
            prepare,
            lambda: same(source, repo / "data"),
        )

    title = f"S3: `import-url` of a prefix with {bench.count(data.SMALL_FILES):,} files"
    return Row(title, [versioner(tool) for tool in bench.tools], [Faster("DVC", 2)])


def update_prefix(bench: Bench) -> Row:
    source, endpoint = bench.files(data.SMALL_FILES), bench.s3_endpoint()
    there = _filled(bench, source, endpoint)
    files = bench.count(data.SMALL_FILES)

    def change(number: int) -> None:
        _put(endpoint, lambda system: system.pipe_file(f"{there}/raw/changed.txt", b"%d" % number))

    def imported(tool: Versioner) -> Path:
        repo = bench.directory("update", tool.name)
        _begin(tool, repo, there, endpoint)
        tool.call(repo, "import-url", _URL, "data")
        return repo

    def versioner(tool: Versioner) -> Contender:
        repo = imported(tool)
        return Contender(
            tool.name, lambda _run: tool.call(repo, "update", "data.dvc" if tool.name == "DVC" else "data"), change
        )

    def count() -> Counts:
        tool, repo = bench.dvtool, bench.directory("update", bench.dvtool.name)
        with s3.counting_proxy() as (counting, counted):
            tool.call(repo, "remote", "modify", "there", "endpointurl", counting)
            change(-1)
            tool.call(repo, "update", "data")
            return {"requests, % of files": 100 * counted.requests.total() / files}

    title = f"S3: `update` of that import, 1 file of {files:,} changed"
    return Row(
        title, [versioner(tool) for tool in bench.tools], [Faster("DVC", 5), AtMost("requests, % of files", 1)], count
    )


def pull_dvc(bench: Bench) -> Row:
    """The same repository of DVC, with DVC's remote, pulled by each."""
    dvc = next((tool for tool in bench.tools if tool.name == "DVC"), None)
    if dvc is None:
        raise CommandFailed("the repository is made by DVC, which does not take part")
    repo = bench.added(dvc, bench.files(data.SMALL_FILES))
    bench.remote(dvc, repo, endpoint=bench.s3_endpoint())
    dvc.call(repo, "push")

    def versioner(tool: Versioner) -> Contender:
        clone = bench.directory("clones", f"dvc-{tool.name}")
        return Contender(
            tool.name,
            lambda _run: tool.call(clone, "pull"),
            lambda _run: tool.clone(repo, clone),
            lambda: same(repo / "data", clone / "data"),
        )

    title = (
        f"S3: `pull` in a fresh clone of a DVC repository, {bench.count(data.SMALL_FILES):,} files, from DVC's remote"
    )
    return Row(title, [versioner(tool) for tool in bench.tools], [Faster("DVC", 2)])


def _begin(tool: Versioner, repo: Path, there: str, endpoint: str) -> None:
    tool.init(repo)
    tool.call(repo, "remote", "add", "there", there)
    tool.call(repo, "remote", "modify", "there", "endpointurl", endpoint)
    tool.commit(repo, "remote")


def _filled(bench: Bench, source: Path, endpoint: str) -> str:
    """A prefix that holds *source* as ``raw``."""
    there = f"s3://{s3.BUCKET}/{bench.new('others')}"
    _put(endpoint, lambda system: system.put(f"{source}/", f"{there}/raw/", recursive=True, batch_size=64))
    return there


def _put(endpoint: str, work: Callable[[Any], object]) -> None:
    os.environ.update(s3.ENVIRONMENT)
    from s3fs import S3FileSystem

    work(S3FileSystem(endpoint_url=endpoint, config_kwargs={"max_pool_connections": 64}))
