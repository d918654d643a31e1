"""Processes that sleep for weeks in the middle of a push or a collection, as with SIGSTOP: nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvtool.model.ports import Remote
from dvtool.store.cache import Cache
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from tests.support.cloudgc import age
from tests.support.cloudgc import collect
from tests.support.cloudgc import selection
from tests.support.datasets import COMMIT
from tests.support.datasets import content
from tests.support.datasets import many_files
from tests.support.datasets import read_directory
from tests.support.datasets import store_directory
from tests.support.stopping import AFTER_LISTING
from tests.support.stopping import AFTER_RECORD
from tests.support.stopping import BEFORE_DELETES
from tests.support.stopping import BEFORE_LIST
from tests.support.stopping import BEFORE_LISTING
from tests.support.stopping import IN_SECOND_LOOK
from tests.support.stopping import Stopped
from tests.unit.transfer.conftest import NewCache

OLD = "01" * 20
FILES = {**many_files(30), "large": content("large", 5_000_000)}
OTHER = {**many_files(5), "own": content("own", 20_000)}
MINE = selection(commits=[COMMIT], known=[OLD])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "remote"


@pytest.fixture
def cache(new_cache: NewCache) -> Cache:
    return new_cache()


@pytest.fixture
def mine(cache: Cache, remote: Remote, context: PushContext, folder: Path) -> Wanted:
    """This clone has pushed FILES for a commit that it no longer keeps, and OTHER, which it keeps; a month ago."""
    push(cache, remote, [store_directory(cache, FILES)], context._replace(commits=(OLD,)))
    wanted = store_directory(cache, OTHER)
    push(cache, remote, [wanted], context)
    age(folder, 31)
    return wanted


@pytest.fixture
def colleague(new_cache: NewCache) -> tuple[Cache, Wanted]:
    """Another clone that is about to push FILES for a commit of its own."""
    own = new_cache("colleague")
    return own, store_directory(own, FILES)


def assert_all_there(new_cache: NewCache, remote: Remote, theirs: Wanted, mine: Wanted) -> None:
    clone = new_cache("fresh clone")
    result = fetch(clone, [remote], [theirs, mine])
    assert (result.missing, result.damaged) == ((), ())
    assert read_directory(clone, theirs) == FILES
    assert read_directory(clone, mine) == OTHER


ONE_STOP = [(point,) for point in (BEFORE_LISTING, AFTER_LISTING, AFTER_RECORD, IN_SECOND_LOOK)]
TWO_STOPS = [
    (BEFORE_LISTING, AFTER_LISTING),
    (AFTER_LISTING, AFTER_RECORD),
    (AFTER_LISTING, IN_SECOND_LOOK),
    (AFTER_RECORD, IN_SECOND_LOOK),
    (BEFORE_LISTING, AFTER_LISTING, AFTER_RECORD, IN_SECOND_LOOK),
]


@pytest.mark.parametrize("points", [*ONE_STOP, *TWO_STOPS], ids=" and ".join)
def test_a_push_that_sleeps_across_a_grace_period(
    points: tuple[str, ...],
    cache: Cache,
    mine: Wanted,
    colleague: tuple[Cache, Wanted],
    remote: Remote,
    folder: Path,
    new_cache: NewCache,
    tmp_path: Path,
) -> None:
    own, theirs = colleague
    pusher = Stopped("push", folder, own, tmp_path / "journal-b", theirs, *points)
    stops = 0
    while pusher.is_stopped():
        stops += 1
        # With one stop the whole collection falls into it; else it dooms at the first and deletes at a later one.
        for _ in range(2 if len(points) == 1 else 1):
            collect(cache, remote, MINE)
            age(folder, 15)
        pusher.go_on()
    assert stops == len(points)
    for _ in range(3):
        age(folder, 15)
        collect(cache, remote, MINE)
    assert_all_there(new_cache, remote, theirs, mine)


@pytest.mark.parametrize("point", [BEFORE_DELETES, BEFORE_LIST])
@pytest.mark.parametrize("push_first", [True, False])
def test_a_collector_that_sleeps_beside_another(
    point: str,
    push_first: bool,
    cache: Cache,
    mine: Wanted,
    colleague: tuple[Cache, Wanted],
    remote: Remote,
    folder: Path,
    new_cache: NewCache,
    tmp_path: Path,
    context: PushContext,
) -> None:
    own, theirs = colleague
    journal = context._replace(journal_dir=context.journal_dir + b"-b", commits=("b0" * 20,))
    sleeper = Stopped("collect", folder, new_cache("third"), tmp_path / "unused", theirs, point)
    assert sleeper.is_stopped()
    if push_first:
        push(own, remote, [theirs], journal)
    for _ in range(3):
        age(folder, 15)
        collect(cache, remote, MINE)
    if not push_first:
        push(own, remote, [theirs], journal)
    sleeper.go_on()
    assert not sleeper.is_stopped()
    for _ in range(3):
        age(folder, 15)
        collect(cache, remote, MINE)
    assert_all_there(new_cache, remote, theirs, mine)
