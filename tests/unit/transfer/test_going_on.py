"""A fetch that was killed, and the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dvtool.disk.partial import PARTIAL_PREFIX
from dvtool.model.ports import Remote
from dvtool.remote.counting import CountingRemote
from dvtool.store.cache import Cache
from dvtool.transfer.fetch import fetch
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from tests.support.datasets import content
from tests.support.datasets import many_files
from tests.support.datasets import read_directory
from tests.support.datasets import store_directory
from tests.support.datasets import store_file
from tests.unit.transfer.conftest import NewCache

ROOT = Path(__file__).resolve().parents[3]
LARGE = 64 << 20

# Ends the process, as by kill -9, when so many bytes lie in files that a later command can go on with.
KILLED = """
import os, sys
from dvtool.disk.partial import PARTIAL_PREFIX
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache, Settings
from dvtool.transfer.fetch import fetch
from dvtool.transfer.types import Wanted

remote, cache, directory, oid, size, files, most = sys.argv[1:]
tmp = cache.encode() + b"/tmp/"

class Killing(LocalRemote):
    def get(self, key, start=0, length=None):
        if os.path.isdir(tmp):
            left = [os.stat(tmp + name).st_size for name in os.listdir(tmp) if name.startswith(PARTIAL_PREFIX)]
            if sum(left) > int(most):
                os._exit(137)
        return super().get(key, start, length)

    def get_file(self, key, path, size):
        if key.startswith("data/") and int(most) < size:
            with open(path, "wb") as file:
                file.write(super().get(key, 0, int(most)))
            os._exit(137)
        super().get_file(key, path, size)

wanted = Wanted(bool(int(directory)), bytes.fromhex(oid), int(size), int(files), b"data")
fetch(Cache(cache.encode(), Settings(durable=False)), [Killing("origin", remote.encode())], [wanted], jobs=1)
"""


def killed_after(most: int, tmp_path: Path, there: Cache, wanted: Wanted) -> list[Path]:
    """Files that half a fetch has left, of so many bytes at least."""
    what = [int(wanted.directory), wanted.oid.hex(), wanted.size, wanted.files]
    argv = [tmp_path / "remote", os.fsdecode(there.root), *what, most]
    done = subprocess.run([sys.executable, "-c", KILLED, *map(str, argv)], cwd=ROOT, check=False)
    assert done.returncode == 137
    left = [Path(os.fsdecode(os.path.join(there.tmp, name))) for name in os.listdir(there.tmp)]
    left = [path for path in left if path.name.startswith(os.fsdecode(PARTIAL_PREFIX)) and path.stat().st_size]
    assert sum(path.stat().st_size for path in left) >= most
    return left


def test_half_a_large_file_is_not_fetched_again(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    here, there = new_cache(), new_cache("other")
    data = content("large", LARGE)
    wanted = store_file(here, data)
    push(here, remote, [wanted], context)
    killed_after(LARGE // 2, tmp_path, there, wanted)
    counting = CountingRemote(remote)
    got = fetch(there, [counting], [wanted])
    assert (got.missing, got.damaged) == ((), ())
    there.forget()
    assert there.read_blob(wanted.oid) == data
    assert counting.received < 0.6 * LARGE
    assert not [name for name in os.listdir(there.tmp) if name.startswith(PARTIAL_PREFIX)]


def test_half_a_pack_is_not_fetched_again(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    here, there = new_cache(), new_cache("other")
    files = many_files(1_200, 10_000)
    wanted = store_directory(here, files)
    push(here, remote, [wanted], context)
    killed_after(6_000_000, tmp_path, there, wanted)
    counting = CountingRemote(remote)
    got = fetch(there, [counting], [wanted])
    assert (got.missing, got.damaged) == ((), ())
    assert read_directory(there, wanted) == files
    assert counting.received < 0.6 * 12_000_000
    assert got.bytes_received < 0.6 * 12_000_000
    assert not [name for name in os.listdir(there.tmp) if name.startswith(PARTIAL_PREFIX)]


@pytest.mark.parametrize("damage", ["turned", "hole", "foreign"])
@pytest.mark.parametrize("what", ["pack", "file"])
def test_what_was_left_is_not_believed(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path, damage: str, what: str
) -> None:
    here, there = new_cache(), new_cache("other")
    files = {"large": content("large", LARGE // 2)} if what == "file" else many_files(1_200, 10_000)
    wanted = store_directory(here, files)
    push(here, remote, [wanted], context)
    left = killed_after(6_000_000, tmp_path, there, wanted)
    for path in left:
        found = bytearray(path.read_bytes())
        middle = len(found) // 2
        if damage == "foreign":
            found[:] = os.urandom(len(found) + 100)
        elif damage == "hole":
            found[middle : middle + 8192] = bytes(8192)
        else:
            found[middle] ^= 1
        path.write_bytes(found)
    got = fetch(there, [remote], [wanted])
    assert (got.missing, got.damaged) == ((), ())
    assert read_directory(there, wanted) == files


def test_a_push_that_was_killed_sends_no_pack_twice(
    new_cache: NewCache, remote: Remote, context: PushContext, tmp_path: Path
) -> None:
    here = new_cache()
    wanted = store_directory(here, {str(number): content(number, 9 << 20) for number in range(12)})
    journal = os.fsdecode(context.journal_dir)
    argv = [tmp_path / "remote", os.fsdecode(here.root), wanted.oid.hex(), wanted.size, journal]
    done = subprocess.run([sys.executable, "-c", KILLING_PUSH, *map(str, argv)], cwd=ROOT, check=False)
    assert done.returncode == 137
    counting = CountingRemote(remote)
    push(here, counting, [wanted], context)
    assert counting.sent < 0.7 * wanted.size
    there = new_cache("other")
    assert fetch(there, [remote], [wanted]).missing == ()


# Ends the process at the second pack.
KILLING_PUSH = """
import os, sys
from dvtool.remote.drivers.local import LocalRemote
from dvtool.store.cache import Cache, Settings
from dvtool.transfer.push import push
from dvtool.transfer.types import PushContext, Wanted
from tests.support.datasets import COMMIT, REPOSITORY

remote, cache, oid, size, journal = sys.argv[1:]

class Killing(LocalRemote):
    packs = 0

    def put_file(self, key, path):
        self.packs += 1
        if self.packs > 1:
            os._exit(137)
        super().put_file(key, path)

wanted = Wanted(True, bytes.fromhex(oid), int(size), 12, b"data")
context = PushContext(REPOSITORY, (COMMIT,), "", journal.encode(), 0.0, jobs=1)
push(Cache(cache.encode(), Settings(durable=False)), Killing("origin", remote.encode()), [wanted], context)
"""
