"""Downloading from another repository: nothing is tracked, and no project is needed here."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dvtool.api.fetch import raise_for
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.project.bringing import Bring
from dvtool.project.bringing import bring
from dvtool.project.environment import Environment
from dvtool.project.scratch import output_path
from dvtool.project.scratch import put
from dvtool.project.scratch import scratch_cache
from dvtool.project.source import open_source
from dvtool.project.source import source_path


@dataclass(frozen=True, slots=True)
class GetRequest:
    """``url``: a repository, by URL or directory; ``path`` from its top; ``output``: where it goes, from the current
    directory; None is there, as it is called over there. ``rev``: None is the default branch. ``remote``: which of its
    remotes; None is what its settings say. ``force``: replace what is at the output."""

    url: str
    path: bytes
    output: bytes | None = None
    rev: str | None = None
    remote: str | None = None
    jobs: int = 0
    force: bool = False


@dataclass(frozen=True, slots=True)
class GetResult:
    """``path``: where it is now, absolute. ``commit``: what it was taken from."""

    path: bytes
    kind: str
    size: int
    files: int
    commit: str
    digest: str


def get(environment: Environment, request: GetRequest, reporter: Reporter = SILENT) -> GetResult:
    """Bring a file or directory of another repository to the disk, complete and verified, or not at all.

    Raises `UsageError` for what is not there, and for an output that is; what `open_source` and `fetch` raise.
    """
    path = source_path(request.path)
    name = os.path.basename(path) or b"data"
    target = output_path(request.output, name, environment, force=request.force)
    overrides = {"core.remote": request.remote} if request.remote else {}
    with (
        open_source(request.url, request.rev, environment, path=path, overrides=overrides, reporter=reporter) as source,
        scratch_cache(os.path.dirname(target), environment) as cache,
    ):
        entry, report = bring(source, path, cache, Bring(request.jobs), reporter)
        raise_for(report)
        put(cache, entry, target, reporter)
        kind = "directory" if entry.kind == DIRECTORY else "file"
        return GetResult(target, kind, entry.size, entry.files, source.commit, str(entry.digest))
