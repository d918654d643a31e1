"""Directories at URLs: what counts as the same version, what is read once only, what is refused."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.model.ports import SILENT
from dvtool.model.ports import RemoteItem
from dvtool.project.urldirectory import UrlDirectory
from dvtool.remote.drivers.local import LocalRemote
from dvtool.remote.failures import TransientError
from dvtool.remote.keys import ANY
from dvtool.state.aliases import Aliases
from dvtool.store.cache import Cache
from tests.support.faulty import Fault
from tests.support.faulty import FaultyRemote
from tests.support.faulty import shorten

URL = "s3://bucket/raw/"
NOW = 1_700_000_000.0


class Listing(FaultyRemote):
    """The files of a directory as a server would list them."""

    def __init__(self, items: Iterable[RemoteItem], inner: LocalRemote) -> None:
        super().__init__(inner)
        self.items = list(items)

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        return iter(self.items)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    for number in range(5):
        (tmp_path / f"source/{number}").write_text(f"file {number}")
        os.utime(tmp_path / f"source/{number}", (NOW, NOW + 0.5))
    return tmp_path / "source"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(os.fsencode(tmp_path / "cache"))


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Aliases]:
    with Aliases(os.fsencode(tmp_path / "urls.sqlite")) as aliases:
        yield aliases


def local(source: Path) -> LocalRemote:
    remote = LocalRemote("there", os.fsencode(source))
    remote.keys = ANY
    return remote


def looked(remote: LocalRemote | FaultyRemote, now: float = NOW + 1e6) -> UrlDirectory:
    found = UrlDirectory.look(URL, remote, now)
    assert found is not None
    return found


def items(*files: tuple[str, int, str | None]) -> list[RemoteItem]:
    return [RemoteItem(key, size, NOW, tag) for key, size, tag in files]


def test_the_tag_is_the_one_of_the_format_page(source: Path) -> None:
    there = looked(Listing(items(("b", 1, '"x"'), ("a/c", 12, None)), local(source)))
    assert there.etag == "blake3:" + blake3(b'a/c\x0012\x0012 1700000000.000000\x00b\x001\x00"x"\x00').hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        items(("b", 1, '"y"'), ("a", 2, '"z"')),
        items(("b", 2, '"x"'), ("a", 2, '"z"')),
        items(("c", 1, '"x"'), ("a", 2, '"z"')),
        items(("b", 1, '"x"')),
    ],
)
def test_any_name_size_or_tag_makes_another_version(source: Path, other: list[RemoteItem]) -> None:
    here = items(("b", 1, '"x"'), ("a", 2, '"z"'))
    assert looked(Listing(here, local(source))).etag == looked(Listing(here[::-1], local(source))).etag
    assert looked(Listing(here, local(source))).etag != looked(Listing(other, local(source))).etag


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a", "a"], "twice"),
        (["a/b/c", "a/b"], "a file and a directory"),
        (["a", "a/b/c"], "a file and a directory"),
    ],
)
def test_what_no_directory_can_hold_is_refused(source: Path, names: list[str], says: str) -> None:
    with pytest.raises(UnsafeInput, match=says):
        looked(Listing(items(*((name, 1, '"x"') for name in names)), local(source)))


@pytest.mark.parametrize("name", [".git/config", "a/../b", "a//b", "/a", ".dvtool/x", "a" * 300])
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(UnsafeInput):
        ANY.has(name)


def test_links_are_refused_instead_of_left_out(source: Path) -> None:
    (source / "link").symlink_to("0")
    with pytest.raises(UnsafeInput, match="neither a file nor a directory"):
        looked(local(source))


def test_an_empty_one_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "nothing/in/it").mkdir(parents=True)
    assert UrlDirectory.look(URL, local(tmp_path / "nothing"), NOW) is None


def reads(remote: FaultyRemote) -> int:
    return sum(method == "get" for method, _ in remote.log)


def test_what_was_seen_is_not_read_again(source: Path, cache: Cache, seen: Aliases) -> None:
    first, came = looked(local(source)).bring(cache, seen, 1, SILENT)
    assert came == 30
    (source / "2").write_text("changed")
    remote = FaultyRemote(local(source))
    second, came = looked(remote).bring(cache, seen, 1, SILENT)
    assert (came, reads(remote)) == (7, 1)
    assert first.oid != second.oid


def test_what_was_seen_and_is_lost_is_read_again(source: Path, cache: Cache, seen: Aliases, tmp_path: Path) -> None:
    entry, _ = looked(local(source)).bring(cache, seen, 1, SILENT)
    fresh = Cache(os.fsencode(tmp_path / "another cache"))
    assert looked(local(source)).bring(fresh, seen, 1, SILENT) == (entry, 30)


@pytest.mark.parametrize(("age", "again"), [(10.0, 5), (7200.0, 0)])
def test_a_time_in_whole_seconds_counts_once_it_is_old(
    source: Path, cache: Cache, seen: Aliases, age: float, again: int
) -> None:
    for file in source.iterdir():
        os.utime(file, (NOW, NOW))
    looked(local(source), NOW + age).bring(cache, seen, 1, SILENT)
    remote = FaultyRemote(local(source))
    looked(remote, NOW + age).bring(cache, seen, 1, SILENT)
    assert reads(remote) == again


def test_what_was_interrupted_goes_on(source: Path, cache: Cache, seen: Aliases) -> None:
    remote = FaultyRemote(local(source), Fault(4, "get", error=TransientError("the line is cut")))
    with pytest.raises(TransientError):
        looked(remote).bring(cache, seen, 1, SILENT)
    remote = FaultyRemote(local(source))
    looked(remote).bring(cache, seen, 1, SILENT)
    # Two at a time: of those that were under way together nothing is kept.
    assert reads(remote) == 3


def test_nothing_is_recorded_of_what_changes_meanwhile(source: Path, cache: Cache, seen: Aliases) -> None:
    there = looked(local(source))
    (source / "new").write_text("new")
    with pytest.raises(StorageError, match="changed while it was read"):
        there.bring(cache, seen, 1, SILENT)


def test_nothing_is_recorded_of_what_goes_meanwhile(source: Path, cache: Cache, seen: Aliases) -> None:
    there = looked(local(source))
    (source / "3").unlink()
    with pytest.raises(StorageError, match="changed while it was read"):
        there.bring(cache, seen, 1, SILENT)


def test_nothing_is_recorded_of_what_is_cut_short(source: Path, cache: Cache, seen: Aliases) -> None:
    remote = FaultyRemote(local(source), Fault(2, "get", change=shorten))
    with pytest.raises(StorageError, match="changed while it was read"):
        looked(remote).bring(cache, seen, 1, SILENT)


def test_a_file_that_is_there_twice_is_kept_once(source: Path, cache: Cache, seen: Aliases) -> None:
    for name in ("one", "two"):
        (source / name).write_bytes(b"x" * (9 << 20))
    entry, came = looked(local(source)).bring(cache, seen, 1, SILENT)
    assert (entry.files, entry.size, came) == (7, (18 << 20) + 30, (18 << 20) + 30)
