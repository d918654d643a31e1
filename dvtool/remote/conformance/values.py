"""Checks of one value: there and back, ranges, what is absent, what has another length."""

from __future__ import annotations

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.remote.conformance.bench import MIB
from dvtool.remote.conformance.bench import Bench
from dvtool.remote.conformance.bench import content
from dvtool.remote.conformance.bench import expect
from dvtool.remote.conformance.bench import keys
from dvtool.remote.conformance.bench import read
from dvtool.remote.conformance.bench import refused
from dvtool.remote.conformance.bench import shown

KEY = "data/ab/value"
_DIGITS = b"0123456789"
_RANGES = ((0, None), (0, 1), (9, 1), (3, 4), (0, 10), (4, None), (10, None), (0, 0), (10, 0))
_BEYOND = ((0, 11), (9, 2), (10, 1), (20, 1))
_NO_KEYS = ("", "/etc/passwd", "../k", "a/../k", "a//b", "a/", ".hidden", "a/.b", "\u00e4", "a b", "tmp/k")
_NO_PREFIXES = ("data", "../", "/", "data//", "data/..")
_ODD = (
    "dvtool-store.json",
    "0",
    "_",
    "a..b",
    "a-",
    "1e10",
    "null",
    "NaN",
    "CON.txt",
    "A_B-C.d",
    "x" * 200,
    "/".join(["deep"] * 20),
    "/".join(["w" * 90] * 4),
    "roots/00112233445566778899aabbccddeeff/0123456789abcdef0123456789abcdef01234567-89abcdef",
)


def files(bench: Bench) -> None:
    for size in (0, 1, 5 * MIB + 1, 8 * MIB, bench.large):
        data, back = content(size), bench.path()
        bench.writer.put_file(KEY, bench.file(data))
        bench.remote.get_file(KEY, back, size)
        expect(read(back) == data, f"a file of {size} bytes came back otherwise")
        item = bench.remote.stat(KEY)
        expect(item is not None and item.size == size, f"stat says {item} of a value of {size} bytes")


def buffers(bench: Bench) -> None:
    for size in (0, 1, 5 * MIB + 1):
        data = content(size)
        expect(bench.writer.put(KEY, data), "put does not say that it wrote")
        expect(bench.remote.get(KEY) == data, f"{size} bytes came back otherwise")


def replaced_files(bench: Bench) -> None:
    back = bench.file(b"much longer than the value is")
    bench.writer.put("k", b"value")
    bench.remote.get_file("k", back, 5)
    expect(read(back) == b"value", f"a longer file became {shown(read(back))} instead of the value")


def ranges(bench: Bench) -> None:
    large = content(8 * MIB + 20)
    bench.writer.put("k", _DIGITS)
    bench.writer.put("large", large)
    for start, length in _RANGES:
        found = bench.remote.get("k", start, length)
        wanted = _DIGITS[start:] if length is None else _DIGITS[start : start + length]
        expect(found == wanted, f"get({start}, {length}) of 10 digits is {shown(found)}")
    found = bench.remote.get("large", 8 * MIB - 10, 20)
    expect(found == large[8 * MIB - 10 : 8 * MIB + 10], f"a range in a large value is {shown(found)}")


def beyond(bench: Bench) -> None:
    bench.writer.put("k", _DIGITS)
    for start, length in _BEYOND:
        refused(StorageError, f"get({start}, {length}) of 10 bytes", bench.remote.get, "k", start, length)


def absent_keys(bench: Bench) -> None:
    bench.writer.put("there", b"x")
    remote, back = bench.remote, bench.path()
    absent = "data/ab/absent"
    expect(remote.stat(absent) is None, "stat of an absent key is not None")
    expect(remote.stat("there/below") is None, "stat of a key below a value is not None")
    refused(MissingData, "get of an absent key", remote.get, absent)
    refused(MissingData, "get of nothing of an absent key", remote.get, absent, 0, 0)
    refused(MissingData, "a range of an absent key", remote.get, absent, 2, 3)
    for size in (5, 20 * MIB):
        refused(MissingData, "get_file of an absent key", remote.get_file, absent, back, size)


def other_lengths(bench: Bench) -> None:
    data = content(100_000)
    bench.writer.put("k", data)
    for size in (99_999, 100_001, 20 * MIB):
        back = bench.path()
        refused(StorageError, "get_file with a wrong size", bench.remote.get_file, "k", back, size)
        left = read(back)
        expect(data.startswith(left), f"after a wrong size the file holds {shown(left)}, no beginning of the value")


def odd_names(bench: Bench) -> None:
    for number, key in enumerate(_ODD):
        data = content(100 + number)
        bench.writer.put(key, data)
        expect(bench.remote.get(key) == data, f"the value under {key} came back otherwise")
        item = bench.remote.stat(key)
        expect(item is not None and item.key == key, f"stat of {key} says {item}")
    if bench.remote.capabilities.listing:
        found = {item.key: item.size for item in bench.remote.list("")}
        wanted = {key: 100 + number for number, key in enumerate(_ODD)}
        expect(found == wanted, f"listed otherwise: {shown(sorted(found.items() ^ wanted.items()))}")


def refused_names(bench: Bench) -> None:
    remote = bench.raw()
    for key in _NO_KEYS:
        refused(UnsafeInput, f"stat of the key {key!r}", remote.stat, key)
        refused(UnsafeInput, f"get of the key {key!r}", remote.get, key)
        if bench.is_ours and remote.capabilities.write:
            refused(UnsafeInput, f"put of the key {key!r}", remote.put, key, b"x")
            refused(UnsafeInput, f"delete of the key {key!r}", remote.delete, key)
    if remote.capabilities.listing:
        for prefix in _NO_PREFIXES:
            refused(UnsafeInput, f"the prefix {prefix!r}", keys, remote, prefix)
