"""Large files in two and more versions, for counting what the second push sends."""

from __future__ import annotations

import io
import os
import random
import sqlite3
import struct
import tarfile
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MIB = 1 << 20


class Scene(NamedTuple):
    """``make(folder, size)`` writes the first version and then each changed one, and returns them by name."""

    name: str
    size: int
    make: Callable[[Path, int], dict[str, Path]]


def _noise(seed: str, size: int) -> Iterator[bytes]:
    source = random.Random(seed)
    for at in range(0, size, _MIB):
        yield source.randbytes(min(_MIB, size - at))


def _write(path: Path, parts: Iterator[bytes]) -> Path:
    with path.open("wb") as file:
        file.writelines(parts)
    return path


def binary(folder: Path, size: int) -> dict[str, Path]:
    """Bytes that do not compress, and 1 KiB put into the middle, taken out of it, or added at the end."""

    def spliced(skip: int, extra: bytes, where: int) -> Iterator[bytes]:
        # The change is not on the border of two parts.
        at = 0
        for part in _noise("binary", size):
            inside = where - at
            at += len(part)
            yield part if not 0 <= inside < len(part) else part[:inside] + extra + part[inside + skip :]

    kib = random.Random("kib").randbytes(1024)
    middle = size // 2 + 333_333
    return {
        "": _write(folder / "v1", _noise("binary", size)),
        "1 KiB inserted in the middle": _write(folder / "insert", spliced(0, kib, middle)),
        "1 KiB deleted in the middle": _write(folder / "delete", spliced(1024, b"", middle)),
        "1 KiB appended": _write(folder / "append", (p for many in (_noise("binary", size), [kib]) for p in many)),
    }


def csv(folder: Path, size: int) -> dict[str, Path]:
    """Rows of numbers and words, and one row in the middle with a longer value."""
    first, second = folder / "v1", folder / "v2"
    source = random.Random("csv")
    words = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven"]
    number = 0
    with first.open("w") as file:
        file.write("id,score,value,word,day\n")
        while file.tell() < size:
            values = zip(source.choices(words, k=10_000), source.choices(range(1, 29), k=10_000))
            file.writelines(
                f"{number + at:09},{source.random():.12f},{source.random() * 1000:.6f},{word},2026-07-{day:02}\n"
                for at, (word, day) in enumerate(values)
            )
            number += 10_000
    with first.open("rb") as old, second.open("wb") as new:
        new.write(old.read(size // 2))
        new.write(old.readline())
        new.write(old.readline().replace(b"2026-07", b"in the summer of 2026-07"))
        while data := old.read(_MIB):
            new.write(data)
    return {"": first, "one row changed": second}


def tar(folder: Path, size: int) -> dict[str, Path]:
    """Members of 100 kB, and one of them replaced by another of a different length."""
    count = size // 100_000

    def written(path: Path, changed: int) -> Path:
        source = random.Random("tar")
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
            for number in range(count):
                data = source.randbytes(100_000)
                if number == changed:
                    data = random.Random("other").randbytes(103_000)
                member = tarfile.TarInfo(f"images/{number:06}.jpg")
                member.size, member.mtime = len(data), 1_700_000_000 + number
                archive.addfile(member, io.BytesIO(data))
        return path

    return {"": written(folder / "v1", -1), "one member changed": written(folder / "v2", count // 2)}


def sqlite(folder: Path, size: int) -> dict[str, Path]:
    """A table with an index, and the same file after one row was updated and 100 were added."""
    first, second = folder / "v1", folder / "v2"
    source = random.Random("sqlite")
    count = size // 1_100
    rows = ((number, f"{source.randbytes(8).hex()}", source.randbytes(1_000)) for number in range(count))
    with sqlite3.connect(first) as database:
        database.execute("pragma journal_mode = off")
        database.execute("create table samples (id integer primary key, name text, payload blob)")
        database.executemany("insert into samples values (?, ?, ?)", rows)
        database.execute("create index by_name on samples (name)")
    database.close()
    second.write_bytes(b"")
    with first.open("rb") as old, second.open("wb") as new:
        while os.copy_file_range(old.fileno(), new.fileno(), 64 * _MIB):
            pass
    more = [(count + number, source.randbytes(8).hex(), source.randbytes(1_000)) for number in range(100)]
    with sqlite3.connect(second) as database:
        database.execute("pragma journal_mode = off")
        database.execute("update samples set payload = ? where id = ?", (source.randbytes(1_200), count // 2))
        database.executemany("insert into samples values (?, ?, ?)", more)
    database.close()
    return {"": first, "one row updated, 100 added": second}


def columns(folder: Path, size: int) -> dict[str, Path]:
    """As columnar files are: groups of 8 compressed columns, then all their offsets; one column differs once."""
    groups = size // (8 * _MIB)

    def parts(changed: int) -> Iterator[bytes]:
        source = random.Random("columns")
        yield b"COL1"
        at, offsets = 4, []
        for group in range(groups):
            for column in range(8):
                data = source.randbytes(_MIB - 4_096 + source.randrange(8_192))
                if group == changed and column == 3:
                    data = random.Random("other").randbytes(len(data) + 77)
                offsets.append(struct.pack("<QQI", at, len(data), group * 8 + column))
                at += len(data)
                yield data
        yield b"".join(offsets) + b"COL1"

    return {
        "": _write(folder / "v1", parts(-1)),
        "one value changed": _write(folder / "v2", parts(groups // 2)),
    }


SCENES = {
    "binary": Scene("binary", 2048 * _MIB, binary),
    "csv": Scene("CSV", 1_000_000_000, csv),
    "tar": Scene("tar", 1_000_000_000, tar),
    "sqlite": Scene("SQLite", 512 * _MIB, sqlite),
    "columns": Scene("columnar, compressed", 512 * _MIB, columns),
}
