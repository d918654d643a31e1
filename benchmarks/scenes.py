"""Repositories, data and remotes as the rows need them; made once, kept for the rows that follow."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from benchmarks import data
from benchmarks import s3
from benchmarks.measure import CommandFailed
from benchmarks.tools import Versioner


@dataclass(slots=True)
class Bench:
    """The stage: a directory, a scale for all sizes, the tools that take part, dvtool first."""

    place: Path
    scale: float
    tools: Sequence[Versioner]
    restic: str | None
    stack: ExitStack
    endpoint: str | None = None
    made: dict[str, Path] = field(default_factory=dict)
    fresh: int = 0

    @property
    def dvtool(self) -> Versioner:
        return self.tools[0]

    def count(self, files: int) -> int:
        return max(10, int(files * self.scale))

    def directory(self, *parts: str) -> Path:
        path = self.place.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def new(self, kind: str) -> str:
        """A name that was not used before."""
        self.fresh += 1
        return f"{kind}-{self.fresh}"

    def files(self, count: int, *, folders: int = data.FOLDERS) -> Path:
        """*count* small files, scaled; the same directory for the same question."""
        number = self.count(count)
        return self._once(
            f"data/{number}-{folders}", lambda path: data.small_files(path, number, folders=min(folders, number))
        )

    def large(self) -> Path:
        size = max(1 << 20, int(data.LARGE_BYTES * self.scale))
        return self._once(f"data/large-{size}", lambda path: data.large_file(path, size))

    def added(self, tool: Versioner, source: Path) -> Path:
        """A repository of *tool* with *source* as ``data``, added and committed; rows leave it committed, too."""

        def make(repo: Path) -> None:
            tool.init(repo)
            copy(source, repo / "data")
            tool.call(repo, "add", "data")
            tool.commit(repo, "data")
            tool.call(repo, "status")

        return self._once(f"added/{tool.name}-{source.name}", make)

    def remote(self, tool: Versioner, repo: Path, *, endpoint: str | None = None) -> Path | str:
        """Point *repo* to a remote that nobody has seen: a directory, or an S3 prefix on *endpoint*. Commits that."""
        name = self.new("remote")
        target: Path | str = self.directory("remotes", name) if endpoint is None else f"s3://{s3.BUCKET}/{name}"
        tool.call(repo, "remote", "add", "-f", "-d", "origin", str(target))
        if endpoint is not None:
            tool.call(repo, "remote", "modify", "origin", "endpointurl", endpoint)
        tool.commit(repo, "remote")
        return target

    def s3_endpoint(self) -> str:
        """The endpoint of the S3 server, started when first asked for."""
        if self.endpoint is None:
            self.endpoint = self.stack.enter_context(s3.server(self.directory("weed")))
        return self.endpoint

    def clear(self) -> None:
        """Remove what belonged to one row; data, repositories and the S3 server stay."""
        for path in self.place.iterdir():
            if path.name not in {"added", "data", "weed", "weed.log"} and path.is_dir():
                removed(path)

    def _once(self, key: str, make: Callable[[Path], None]) -> Path:
        if key not in self.made:
            path = self.directory(*key.split("/"))
            print(f"  preparing {key}", flush=True)
            make(path)
            self.made[key] = path
        return self.made[key]


def copy(source: Path, target: Path) -> None:
    """A full copy, never a reflink: a reflinked file starts outside the page cache."""
    subprocess.run(["cp", "-r", "--reflink=never", source, target], check=True)


def removed(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def same(one: Path, other: Path) -> None:
    """Raise unless both trees hold the same bytes."""
    done = subprocess.run(["diff", "-rq", one, other], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CommandFailed(f"{one} and {other} differ:\n{done.stdout[:2000]}")
