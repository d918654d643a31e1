"""A cache that several users share, each with the strictest umask; some of them are hostile."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from tests.crash.processes import whole
from tests.faults.world import content
from tests.faults.world import read_files
from tests.support.trees import Node
from tests.support.trees import create_tree
from tests.support.users import TEAM
from tests.support.users import WHY_NOT
from tests.support.users import User
from tests.support.users import interpreter
from tests.support.users import new_user
from tests.support.users import users_place

pytestmark = pytest.mark.skipif(interpreter() is None, reason=WHY_NOT)

LARGE = 200 << 10
DATA: dict[str, Node] = {"a.txt": "a\n", "below": {"b.txt": "b\n"}, "large.bin": content("large", LARGE)}


@pytest.fixture
def place() -> Iterator[Path]:
    with users_place() as made:
        yield made


@pytest.fixture
def cache(place: Path) -> Path:
    """Made by an administrator as the guide says."""
    folder = place / "cache"
    folder.mkdir()
    os.chown(folder, -1, TEAM)
    folder.chmod(0o2775)
    return folder


def project(user: User, cache: Path, *settings: str, name: str = "repo") -> Path:
    """A new project of *user* on the shared cache."""
    at = user.home / name
    user.done(user.home, "git", "init", "-q", name)
    user.dvtool_done(at, "init", "-q")
    user.dvtool_done(at, "config", "cache.shared", "group")
    user.dvtool_done(at, "config", "--local", "cache.dir", str(cache))
    for setting in settings:
        user.dvtool_done(at, "config", *setting.split("="))
    return at


def fill(user: User, at: Path, tree: dict[str, Node]) -> None:
    create_tree(at, tree)
    for top, folders, files in os.walk(at):
        for name in (*folders, *files):
            os.chown(os.path.join(top, name), user.uid, user.uid, follow_symlinks=False)


def loose(cache: Path, data: bytes) -> Path:
    digest = blake3(data).hexdigest()
    return cache / "objects" / digest[:2] / digest


def packs(cache: Path, kind: str = "data") -> list[Path]:
    return [path for path in (cache / kind).rglob("*") if path.is_file()]


def expect_shared(cache: Path) -> None:
    """Folders are the group's to write into, files everybody's to read and nobody's to change."""
    for top, folders, files in os.walk(cache):
        for name in folders:
            status = os.stat(os.path.join(top, name))
            assert stat.S_IMODE(status.st_mode) == 0o2775, os.path.join(top, name)
            assert status.st_gid == TEAM, name
        for name in files:
            path = os.path.join(top, name)
            below = os.path.relpath(path, cache).split("/")[0]
            wanted = 0o644 if name == "run.json" else {"lock": 0o664, "roots": 0o644}.get(below, 0o444)
            assert stat.S_IMODE(os.stat(path).st_mode) == wanted, path


def test_what_one_adds_another_has(place: Path, cache: Path) -> None:
    one, two = new_user(place, 1), new_user(place, 2)
    mine, theirs = project(one, cache), project(two, cache)
    (place / "remote").mkdir(mode=0o755)
    (place / "remote").chmod(0o1777)
    fill(one, mine, {"data": DATA})
    one.dvtool_done(mine, "add", "data")
    expect_shared(cache)
    (theirs / "data.dvt").write_bytes((mine / "data.dvt").read_bytes())
    two.dvtool_done(theirs, "checkout")
    assert read_files(theirs / "data") == read_files(mine / "data")
    assert (theirs / "data/large.bin").stat().st_uid == two.uid
    # The same once more: nothing is stored again, and nobody is in the other's way.
    count = len(packs(cache))
    fill(two, theirs, {"same": DATA})
    two.dvtool_done(theirs, "add", "same")
    assert len(packs(cache)) == count
    for number in range(3):
        for user, at in ((one, mine), (two, theirs)):
            fill(user, at, {f"more{number}": {"x": f"{user.number} {number}", "y.bin": content(f"{number}", LARGE)}})
            user.dvtool_done(at, "add", f"more{number}")
    expect_shared(cache)
    assert len(list((cache / "roots").iterdir())) == 2
    whole(cache, *mine.glob("*.dvt"), *theirs.glob("*.dvt"))


def test_copies_of_remote_indexes_are_shared_too(place: Path, cache: Path) -> None:
    one, two = new_user(place, 1), new_user(place, 2)
    mine = project(one, cache)
    remote = place / "remote"
    remote.mkdir()
    os.chown(remote, -1, TEAM)
    remote.chmod(0o2775)
    fill(one, mine, {"data": DATA})
    one.dvtool_done(mine, "add", "data")
    one.dvtool_done(mine, "remote", "add", "-d", "store", str(remote))
    one.dvtool_done(mine, "push")
    expect_shared(cache)
    theirs = project(two, cache)
    (theirs / "data.dvt").write_bytes((mine / "data.dvt").read_bytes())
    two.dvtool_done(theirs, "remote", "add", "-d", "store", str(remote))
    two.dvtool_done(theirs, "pull")
    assert read_files(theirs / "data") == read_files(mine / "data")
    expect_shared(cache)


def poison(path: Path, uid: int, data: bytes) -> None:
    """As the owner can: the very file, the size and the times kept."""
    status = path.stat()
    assert status.st_uid == uid
    path.chmod(0o644)
    assert len(data) == status.st_size
    path.write_bytes(data)
    path.chmod(0o444)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def flipped(path: Path, at: int = 60) -> bytes:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    return bytes(data)


def test_what_its_owner_has_changed_is_not_relied_on(place: Path, cache: Path) -> None:
    """Added by both; the first one's copies are changed before the second one adds: theirs must be stored again."""
    evil, good = new_user(place, 1), new_user(place, 2)
    before, mine = project(evil, cache), project(good, cache)
    fill(evil, before, {"data": DATA})
    evil.dvtool_done(before, "add", "data")
    large = loose(cache, content("large", LARGE))
    for path in (large, *packs(cache), *packs(cache, "meta")):
        poison(path, evil.uid, flipped(path))
    fill(good, mine, {"data": DATA})
    wanted = read_files(mine / "data")
    good.dvtool_done(mine, "add", "data")
    assert large.stat().st_uid == good.uid
    good.done(mine, "rm", "-r", "data")
    good.dvtool_done(mine, "checkout")
    assert read_files(mine / "data") == wanted
    good.dvtool_done(mine, "status")


def test_a_changed_copy_never_takes_the_place_of_the_last_one(place: Path, cache: Path) -> None:
    """A file that dvtool placed may be replaced because the cache has its bytes: not if somebody has changed them."""
    evil, good = new_user(place, 1), new_user(place, 2)
    before, mine = project(evil, cache), project(good, cache)
    fill(evil, before, {"one": {"f": "first\n", "large.bin": content("first", LARGE)}})
    evil.dvtool_done(before, "add", "one")
    (mine / "one.dvt").write_bytes((before / "one.dvt").read_bytes())
    good.dvtool_done(mine, "checkout")
    first = read_files(mine / "one")
    # Another version, which both packs and loose objects of somebody else hold.
    fill(evil, before, {"one": {"f": "second\n", "large.bin": content("second", LARGE)}})
    evil.dvtool_done(before, "add", "one")
    (mine / "one.dvt").write_bytes((before / "one.dvt").read_bytes())
    old = {loose(cache, content("first", LARGE))}
    for path in packs(cache):
        if b"first\n" in path.read_bytes():
            old.add(path)
    assert len(old) == 2
    for path in old:
        poison(path, evil.uid, flipped(path))
    ran = good.dvtool(mine, "checkout")
    assert ran.returncode == 1, ran
    assert "not in the cache" in ran.stderr
    assert read_files(mine / "one") == first
    # With --force they are stored first.
    good.dvtool_done(mine, "checkout", "--force")
    (mine / "one.dvt").write_bytes((before / "one.dvt").read_bytes())
    listed = good.dvtool_done(mine, "recover", "--json")
    assert blake3(b"first\n").hexdigest() in listed
    assert blake3(content("first", LARGE)).hexdigest() in listed


@pytest.mark.parametrize("links", ["hardlink", "reflink"])
def test_no_name_of_mine_for_a_file_of_somebody_else(place: Path, cache: Path, links: str) -> None:
    one, two = new_user(place, 1), new_user(place, 2)
    mine, theirs = project(one, cache, f"cache.type={links}"), project(two, cache, f"cache.type={links}")
    fill(one, mine, {"data": DATA})
    one.dvtool_done(mine, "add", "data")
    (theirs / "data.dvt").write_bytes((mine / "data.dvt").read_bytes())
    two.dvtool_done(theirs, "checkout")
    for name in ("large.bin", "a.txt"):
        status = (theirs / "data" / name).stat()
        assert (status.st_uid, status.st_nlink) == (two.uid, 1)
    if links == "hardlink":
        one.dvtool_done(mine, "checkout", "--relink")
        assert (mine / "data/large.bin").stat().st_nlink == 2


def test_a_changed_object_is_found_and_named_on_the_way_out(place: Path, cache: Path) -> None:
    evil, good = new_user(place, 1), new_user(place, 2)
    before, mine = project(evil, cache), project(good, cache)
    fill(evil, before, {"data": DATA})
    evil.dvtool_done(before, "add", "data")
    large = loose(cache, content("large", LARGE))
    poison(large, evil.uid, flipped(large))
    (mine / "data.dvt").write_bytes((before / "data.dvt").read_bytes())
    ran = good.dvtool(mine, "checkout")
    assert ran.returncode == 3, ran
    assert str(large) in ran.stderr
    assert not (mine / "data/large.bin").exists()
    assert (mine / "data/a.txt").read_text() == "a\n"


def test_somebody_outside_the_group_reads_and_cannot_write(place: Path, cache: Path) -> None:
    one = new_user(place, 1)
    mine = project(one, cache)
    fill(one, mine, {"data": DATA})
    one.dvtool_done(mine, "add", "data")
    cache.chmod(0o2755)
    for top, folders, _ in os.walk(cache):
        for name in folders:
            os.chmod(os.path.join(top, name), 0o2755)
    two = new_user(place, 2)
    theirs = project(two, cache)
    (theirs / "data.dvt").write_bytes((mine / "data.dvt").read_bytes())
    two.dvtool_done(theirs, "checkout")
    assert read_files(theirs / "data") == read_files(mine / "data")
    two.dvtool_done(theirs, "status")
    fill(two, theirs, {"new": {"x": "x"}})
    ran = two.dvtool(theirs, "add", "new")
    assert ran.returncode == 7, ran
    assert "Permission denied" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (theirs / "new.dvt").exists()


def test_each_collects_what_is_their_own_to_give_up(place: Path, cache: Path) -> None:
    one, two = new_user(place, 1), new_user(place, 2)
    mine, theirs = project(one, cache), project(two, cache)
    gone: dict[str, Node] = {"x.txt": "gone\n", "large.bin": content("gone", LARGE)}
    fill(one, mine, {"data": DATA, "gone": gone})
    one.dvtool_done(mine, "add", "data", "gone")
    fill(two, theirs, {"other": {**DATA, "mine.txt": "two\n"}})
    two.dvtool_done(theirs, "add", "other")
    one.dvtool_done(mine, "remove", "--outs", "gone.dvt")
    two.dvtool_done(theirs, "gc", "--workspace", "--grace", "0", "--force")
    assert loose(cache, content("gone", LARGE)).exists()
    one.dvtool_done(mine, "gc", "--workspace", "--grace", "0", "--force")
    assert not loose(cache, content("gone", LARGE)).exists()
    expect_shared(cache)
    for user, at in ((one, mine), (two, theirs)):
        user.dvtool_done(at, "fsck")
        user.dvtool_done(at, "status")
    whole(cache, mine / "data.dvt", theirs / "other.dvt")
    one.dvtool_done(mine, "undo")
    assert loose(cache, content("gone", LARGE)).exists()
    expect_shared(cache)
