"""What every remote must do, as a class to inherit from.

A subclass gives two fixtures: ``open_client``, which opens a new client of one and the same
empty place at each call, and ``wrap``, which is applied to each client. Clients are closed here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.model.ports import Remote

MIB = 1 << 20
SIZES = (0, 1, 5 * MIB + 1, 8 * MIB, 40 * MIB)

OpenClient = Callable[[], Remote]
Wrap = Callable[[Remote], Remote]


def content(size: int) -> bytes:
    """*size* bytes in which no two blocks are equal."""
    return hashlib.shake_128(size.to_bytes(8, "little")).digest(size)


def keys(remote: Remote, prefix: str) -> list[str]:
    return sorted(item.key for item in remote.list(prefix))


class RemoteSuite:
    many = 1_100
    """Keys in the long listing: more than a page of S3."""

    @pytest.fixture
    def clients(self, open_client: OpenClient, wrap: Wrap) -> Iterator[OpenClient]:
        opened: list[Remote] = []

        def another() -> Remote:
            opened.append(wrap(open_client()))
            return opened[-1]

        yield another
        for one in opened:
            one.close()

    @pytest.fixture
    def remote(self, clients: OpenClient) -> Remote:
        return clients()

    @pytest.mark.parametrize("size", SIZES)
    def test_a_file_comes_back_as_it_was(self, remote: Remote, tmp_path: Path, size: int) -> None:
        sent, back = tmp_path / "sent", tmp_path / "back"
        sent.write_bytes(content(size))
        remote.put_file("data/ab/value", bytes(sent))
        remote.get_file("data/ab/value", bytes(back), size)
        assert back.read_bytes() == sent.read_bytes()
        stat = remote.stat("data/ab/value")
        assert stat is not None
        assert stat.size == size

    @pytest.mark.parametrize("size", SIZES[:3])
    def test_bytes_come_back_as_they_were(self, remote: Remote, size: int) -> None:
        assert remote.put("data/ab/value", content(size))
        assert remote.get("data/ab/value") == content(size)

    def test_get_file_replaces_what_the_file_held(self, remote: Remote, tmp_path: Path) -> None:
        back = tmp_path / "back"
        back.write_bytes(b"much longer than the value is")
        remote.put("k", b"value")
        remote.get_file("k", bytes(back), 5)
        assert back.read_bytes() == b"value"

    @pytest.mark.parametrize(
        ("start", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (0, 1, b"0"),
            (9, 1, b"9"),
            (3, 4, b"3456"),
            (0, 10, b"0123456789"),
            (4, None, b"456789"),
            (10, None, b""),
            (0, 0, b""),
            (10, 0, b""),
        ],
    )
    def test_ranges(self, remote: Remote, start: int, length: int | None, expected: bytes) -> None:
        remote.put("k", b"0123456789")
        assert remote.get("k", start, length) == expected

    @pytest.mark.parametrize(("start", "length"), [(0, 11), (9, 2), (10, 1), (20, 1)])
    def test_a_range_beyond_the_end_is_an_error(self, remote: Remote, start: int, length: int) -> None:
        remote.put("k", b"0123456789")
        with pytest.raises(StorageError):
            remote.get("k", start, length)

    def test_absent_key(self, remote: Remote, tmp_path: Path) -> None:
        remote.put("there", b"x")
        assert remote.stat("data/ab/absent") is None
        for read in (
            lambda: remote.get("data/ab/absent"),
            lambda: remote.get("data/ab/absent", 2, 3),
            lambda: remote.get("data/ab/absent", 0, 0),
            lambda: remote.get_file("data/ab/absent", bytes(tmp_path / "back"), 5),
            lambda: remote.get_file("data/ab/absent", bytes(tmp_path / "back"), 20 * MIB),
        ):
            with pytest.raises(MissingData):
                read()
        assert remote.stat("there/below") is None

    def test_absent_prefix_is_empty(self, remote: Remote) -> None:
        remote.put("data/ab/there", b"x")
        assert keys(remote, "data/cd/") == []
        assert keys(remote, "meta/") == []

    def test_create_only_keeps_the_first_value(self, clients: OpenClient) -> None:
        assert clients().put("k", b"first", create_only=True)
        assert not clients().put("k", b"second", create_only=True)
        assert clients().get("k") == b"first"

    def test_a_plain_put_replaces(self, remote: Remote) -> None:
        remote.put("catalog", b"old value")
        assert remote.put("catalog", b"new")
        assert remote.get("catalog") == b"new"

    def test_another_client_sees_a_put_at_once(self, clients: OpenClient) -> None:
        writer, reader = clients(), clients()
        writer.put("index/a", b"x")
        assert keys(reader, "index/") == ["index/a"]
        writer.put("index/b", b"xy")
        assert {item.key: item.size for item in reader.list("index/")} == {"index/a": 1, "index/b": 2}
        writer.delete("index/a")
        assert keys(reader, "index/") == ["index/b"]
        assert reader.stat("index/a") is None

    def test_long_listing_stays_below_its_prefix(self, remote: Remote) -> None:
        names = [f"data/{number % 7:02}/{number:04}" for number in range(self.many)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: remote.put(name, b"x"), names))
        remote.put("datafile", b"x")
        remote.put("meta/00/0", b"x")
        assert keys(remote, "data/") == sorted(names)
        assert keys(remote, "data/03/") == sorted(name for name in names if name.startswith("data/03/"))
        assert keys(remote, "") == sorted([*names, "datafile", "meta/00/0"])

    def test_times_are_unix_seconds(self, remote: Remote, tmp_path: Path) -> None:
        witness = tmp_path / "witness"
        witness.touch()
        remote.put("k", b"x")
        for item in (*remote.list(""), remote.stat("k")):
            assert item is not None
            assert item.modified is not None
            assert abs(item.modified - witness.stat().st_mtime) < 3600

    def test_delete_twice(self, remote: Remote) -> None:
        remote.put("data/ab/k", b"x")
        remote.put("data/ab/l", b"y")
        remote.delete("data/ab/k")
        remote.delete("data/ab/k")
        assert keys(remote, "") == ["data/ab/l"]

    def test_eight_threads_at_once(self, remote: Remote, tmp_path: Path) -> None:
        def there_and_back(number: int) -> bool:
            sent, back = tmp_path / f"sent{number}", tmp_path / f"back{number}"
            sent.write_bytes(content(100_000 + number))
            remote.put_file(f"data/ab/{number}", bytes(sent))
            remote.get_file(f"data/ab/{number}", bytes(back), 100_000 + number)
            return back.read_bytes() == sent.read_bytes()

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(there_and_back, range(32)))

    @pytest.mark.parametrize("size", [99_999, 100_001, 20 * MIB])
    def test_another_length_than_expected_is_an_error(self, remote: Remote, tmp_path: Path, size: int) -> None:
        remote.put("k", content(100_000))
        with pytest.raises(StorageError):
            remote.get_file("k", bytes(tmp_path / "back"), size)
        left = (tmp_path / "back").read_bytes() if (tmp_path / "back").exists() else b""
        assert content(100_000).startswith(left)

    @pytest.mark.parametrize(
        "key", ["", "/etc/passwd", "../k", "a/../k", "a//b", "a/", ".hidden", "a/.b", "ä", "a b", "tmp/k"]
    )
    def test_what_is_no_key_is_refused(self, remote: Remote, key: str) -> None:
        for use in (remote.stat, remote.get, remote.delete, lambda text: remote.put(text, b"x")):
            with pytest.raises(UnsafeInput):
                use(key)

    @pytest.mark.parametrize("prefix", ["data", "../", "/", "data//", "data/.."])
    def test_what_is_no_prefix_is_refused(self, remote: Remote, prefix: str) -> None:
        with pytest.raises(UnsafeInput):
            list(remote.list(prefix))

    def test_closing_one_client_does_not_disturb_another(self, clients: OpenClient) -> None:
        one, other = clients(), clients()
        one.put("k", b"x")
        assert other.get("k") == b"x"
        one.close()
        one.close()
        assert other.get("k") == b"x"

    def test_prepare_is_optional_and_repeatable(self, remote: Remote) -> None:
        remote.prepare()
        remote.prepare()
        remote.put("k", b"x")
        assert remote.get("k") == b"x"
