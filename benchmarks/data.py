"""Test data that is the same everywhere: small CSV-like files, and one large file of random blocks."""

from __future__ import annotations

import random
from pathlib import Path
from typing import BinaryIO

FILES = 100_000
SMALL_FILES = 20_000
MANY_FILES = 1_000_000
FOLDERS = 100
LARGE_BYTES = 2 << 30

_POOL_LINES = 20_000
_BLOCK = 1 << 20


def small_files(root: Path, count: int, *, folders: int = FOLDERS) -> None:
    """Create *count* files of 1 to 4 KB in *folders* directories (0: all in *root* itself).

    Lines come out of a pool, so the data compresses like tables do; the first line is the file's own.
    """
    source = random.Random(20_260_102)
    pool = [
        f"{number},{source.random():.6f},{source.choice(('red', 'green', 'blue'))},{source.randrange(10_000)}\n"
        for number in range(_POOL_LINES)
    ]
    blob = "".join(pool).encode()
    limit = len(blob) - 4096
    places = [root / f"{number:03}" for number in range(folders)] or [root]
    for place in places:
        place.mkdir(parents=True)
    for number in range(count):
        start, size = source.randrange(limit), source.randrange(1000, 4000)
        place = places[number * len(places) // count]
        (place / f"{number:07}.csv").write_bytes(b"%07d,value,colour,code\n" % number + blob[start : start + size])


def large_file(path: Path, size: int) -> None:
    """Write *size* repeatable bytes that do not compress."""
    source = random.Random(20_260_103)
    with path.open("wb") as file:
        left = size
        while left > 0:
            file.write(source.randbytes(min(_BLOCK, left)))
            left -= _BLOCK


def edit_one(root: Path, run: int) -> Path:
    """Change one file below *root* and return it; another one for another *run*."""
    places = sorted(path for path in root.iterdir() if path.is_dir()) or [root]
    files = sorted(places[len(places) // 2].iterdir())
    chosen = files[(run * 7 + len(files) // 2) % len(files)]
    chosen.write_bytes(chosen.read_bytes() + b"changed,%d\n" % run)
    return chosen


def insert(path: Path, run: int) -> None:
    """Insert 1 KiB in the middle of the file *path*, which is written anew."""
    extra = random.Random(run).randbytes(1024)
    new = path.with_name(path.name + ".new")
    half = path.stat().st_size // 2
    with path.open("rb") as old, new.open("wb") as file:
        _copy(old, file, half)
        file.write(extra)
        _copy(old, file, None)
    new.replace(path)


def _copy(source: BinaryIO, target: BinaryIO, length: int | None) -> None:
    while length is None or length > 0:
        block = source.read(_BLOCK if length is None else min(_BLOCK, length))
        if not block:
            return
        target.write(block)
        if length is not None:
            length -= len(block)


def table(path: Path, size: int) -> int:
    """Write a table of about *size* bytes, as CSV or as Parquet with row groups of the usual million; its size."""
    source = random.Random(20_260_104)
    if path.suffix == ".csv":
        lines = [
            f"{number},{source.random()},{source.random()},{source.choice(('red', 'blue'))}\n"
            for number in range(100_000)
        ]
        with path.open("w") as file:
            file.write("number,x,y,colour\n")
            while file.tell() < size:
                start = source.randrange(99_000)
                file.writelines(lines[start : start + 1_000])
    else:
        _parquet(path, size, source)
    return path.stat().st_size


def _parquet(path: Path, size: int, source: random.Random) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns, rows = 16, 1 << 20
    schema = pa.schema([(f"x{number}", pa.float64()) for number in range(columns)])
    with parquet.ParquetWriter(path, schema) as writer:
        for _ in range(max(1, size // (columns * rows * 8))):
            arrays = [
                pa.Array.from_buffers(pa.float64(), rows, [None, pa.py_buffer(_doubles(source, rows))])
                for _ in range(columns)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _doubles(source: random.Random, count: int) -> bytes:
    """Numbers between 1 and 2: random bytes with the sign and exponent of those."""
    data = bytearray(source.randbytes(8 * count))
    data[7::8] = b"\x3f" * count
    data[6::8] = bytes(0xF0 | byte & 0x0F for byte in data[6::8])
    return bytes(data)
