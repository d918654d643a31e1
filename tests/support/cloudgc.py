"""Collections on a directory remote whose clock is moved by setting the times of its files back."""

from __future__ import annotations

import os
from collections.abc import Collection as Commits
from collections.abc import Iterable
from pathlib import Path

from dvtool.formats.records import Root
from dvtool.model.ports import Remote
from dvtool.store.cache import Cache
from dvtool.transfer.collect.collect import Collection
from dvtool.transfer.collect.collect import CollectPlan
from dvtool.transfer.collect.types import GRACE
from dvtool.transfer.collect.types import CollectContext
from dvtool.transfer.collect.types import CollectDone
from dvtool.transfer.collect.types import Selection
from dvtool.transfer.collect.types import Times
from dvtool.transfer.collect.types import times_for
from dvtool.transfer.types import Wanted
from tests.support.datasets import REPOSITORY
from tests.support.datasets import remote_files

DAY = 86_400.0


def age(folder: Path, days: float, prefix: str = "") -> None:
    """Everything on the remote was written so many days earlier."""
    for key in remote_files(folder):
        if key.startswith(prefix):
            status = (folder / key).stat()
            os.utime(folder / key, (status.st_atime - days * DAY, status.st_mtime - days * DAY))


def selection(
    kept: Iterable[Wanted] = (),
    commits: Commits[str] = (),
    known: Commits[str] = (),
    repository: str = REPOSITORY,
) -> Selection:
    """What a clone keeps that has the commits *known* and selects *commits*."""
    roots = {Root(each.directory, each.oid): os.fsdecode(each.path) for each in kept}
    there = {*known, *commits}
    return Selection(repository, roots, frozenset(commits), there.intersection)


def planned(cache: Cache, remote: Remote, chosen: Selection, times: Times | None = None) -> CollectPlan:
    """What a collection would do."""
    with Collection(cache, remote, chosen, times or times_for(GRACE), _context(cache)) as work:
        return work.plan(dry_run=True)


def collect(cache: Cache, remote: Remote, chosen: Selection, times: Times | None = None) -> CollectDone:
    """A whole collection."""
    with Collection(cache, remote, chosen, times or times_for(GRACE), _context(cache)) as work:
        return work.execute(work.plan())


def _context(cache: Cache) -> CollectContext:
    return CollectContext(cache.root + b"-collect-journal", 0.0)
