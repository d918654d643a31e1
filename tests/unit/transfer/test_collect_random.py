"""Two hundred rounds of pushes and collections inside each other, some of which fail: nothing promised is lost."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache
from dvtool.transfer.collect.types import GRACE
from dvtool.transfer.collect.types import CollectContext
from dvtool.transfer.collect.types import times_for
from dvtool.transfer.collect.undo import undo_collection
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from tests.support.cloudgc import age
from tests.support.cloudgc import collect
from tests.support.cloudgc import selection
from tests.support.datasets import REPOSITORY
from tests.support.datasets import Files
from tests.support.datasets import content
from tests.support.datasets import read_directory
from tests.support.datasets import remote_files
from tests.support.datasets import store_directory
from tests.support.faulty import Fault
from tests.support.faulty import FaultyRemote
from tests.support.faulty import Method
from tests.unit.transfer.conftest import NewCache

WORLDS = 10 if os.environ.get("DVTOOL_MODEL") == "full" else 3
ROUNDS = 20


class Interrupted(FaultyRemote):
    """Something else happens on the remote just before the *at*-th call."""

    def __init__(self, folder: Path, at: int, happens: Callable[[], None], *faults: Fault) -> None:
        super().__init__(LocalRemote("origin", os.fsencode(folder)), *faults)
        self._at_call = at
        self._happens = happens

    def _enter(self, method: Method, key: str) -> Fault | None:
        self._at_call -= 1
        if self._at_call == 0:
            self._happens()
        return super()._enter(method, key)


class World:
    """A remote, two clones that push, and a third that pushes too and collects what it no longer keeps."""

    def __init__(self, seed: int, folder: Path, new_cache: NewCache) -> None:
        self.chance = random.Random(seed)
        self.folder = folder
        self.caches = [new_cache(f"{seed}-{number}") for number in range(3)]
        self.new_cache = new_cache
        self.seed = seed
        self.promised: dict[str, tuple[Wanted, Files]] = {}
        self.own: list[str] = []
        """Commits that the collecting clone knows."""
        self.pushes = self.collections = self.failures = 0

    def files(self) -> Files:
        names = self.chance.sample(range(12), 5)
        return {f"f{name}": content((name, self.chance.randrange(2)), 3_000) for name in names}

    def push(self, depth: int) -> None:
        clone = self.chance.randrange(3)
        cache = self.caches[clone]
        files = self.files()
        commit = f"{self.chance.getrandbits(160):040x}"
        wanted = store_directory(cache, files)
        journal = self.folder.with_name(f"journal-{self.seed}-{clone}")
        context = PushContext(REPOSITORY, (commit,), "", os.fsencode(journal), 0.0)
        if clone == 0:
            self.own.append(commit)
        try:
            push(Cache(cache.root, cache.settings), self.remote(depth), [wanted], context)
        except StorageError:
            self.failures += 1
        else:
            self.pushes += 1
            self.promised[commit] = (wanted, files)

    def collect(self, depth: int) -> None:
        dropped = {commit for commit in self.own if self.chance.random() < 0.3}
        kept = [commit for commit in self.own if commit not in dropped]
        for commit in dropped:
            self.promised.pop(commit, None)
        chosen = selection([self.promised[each][0] for each in kept if each in self.promised], kept, self.own)
        times = times_for(self.chance.choice([0.0, GRACE]))
        cache = Cache(self.caches[0].root + b"-collecting", self.caches[0].settings)
        try:
            collect(cache, self.remote(depth), chosen, times)
        except (StorageError, MissingData):
            # Missing is what another collection, inside this one, has taken although this one keeps it.
            self.failures += 1
        else:
            self.collections += 1

    def undo(self) -> None:
        lists = [key for key in sorted(remote_files(self.folder)) if key.startswith("dead/")]
        if lists:
            remote = LocalRemote("origin", os.fsencode(self.folder))
            try:
                undo_collection(self.caches[1], remote, self.chance.choice(lists), CollectContext(b"", 0.0))
            except MissingData:
                self.failures += 1

    def remote(self, depth: int) -> FaultyRemote:
        """One where something else happens meanwhile, which may fail as well."""
        faults = []
        if self.chance.random() < 0.25:
            error = StorageError("the network is gone")
            at = self.chance.randrange(1, 40)
            faults.append(Fault(at, error=error) if self.chance.random() < 0.5 else Fault(at, after=error))
        at = self.chance.randrange(1, 40) if depth < 2 else 0
        return Interrupted(self.folder, at, lambda: self.something(depth + 1), *faults)

    def something(self, depth: int) -> None:
        if self.folder.exists():
            age(self.folder, self.chance.choice([0, 8, 16, 40]))
        what = self.chance.random()
        if what < 0.5 or not self.folder.exists():
            self.push(depth)
        elif what < 0.95:
            self.collect(depth)
        else:
            self.undo()

    def check(self, name: str) -> None:
        clone = self.new_cache(name)
        result = fetch(
            clone, [LocalRemote("origin", os.fsencode(self.folder))], [wanted for wanted, _ in self.promised.values()]
        )
        assert (result.missing, result.damaged) == ((), ()), self.seed
        for wanted, files in self.promised.values():
            assert read_directory(clone, wanted) == files


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(WORLDS))
def test_no_promise_is_broken(seed: int, new_cache: NewCache, tmp_path: Path) -> None:
    world = World(seed, tmp_path / "remote", new_cache)
    for number in range(ROUNDS):
        world.something(0)
        if number % 5 == 4:
            world.check(f"clone-{number}")
    print(f"{world.pushes} pushes, {world.collections} collections, {world.failures} failures")
    assert world.pushes > 5
    assert world.collections > 3
    assert world.failures
