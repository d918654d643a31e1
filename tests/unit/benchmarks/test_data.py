"""The benchmark's data is the same on every machine, so results can be compared."""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchmarks import data


def _digest(root: Path) -> str:
    seen = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        seen.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return seen.hexdigest()


def test_small_files_are_repeatable_and_of_the_stated_size(tmp_path: Path) -> None:
    data.small_files(tmp_path / "one", 50, folders=5)
    data.small_files(tmp_path / "other", 50, folders=5)
    assert _digest(tmp_path / "one") == _digest(tmp_path / "other")
    sizes = [path.stat().st_size for path in (tmp_path / "one").rglob("*.csv")]
    assert len(sizes) == 50
    assert min(sizes) >= 1000
    assert max(sizes) <= 4096
    assert [len(list(place.iterdir())) for place in (tmp_path / "one").iterdir()] == [10] * 5


def test_one_folder_holds_all_files(tmp_path: Path) -> None:
    data.small_files(tmp_path / "flat", 20, folders=0)
    assert len(list((tmp_path / "flat").glob("*.csv"))) == 20


def test_an_edit_changes_one_file(tmp_path: Path) -> None:
    data.small_files(tmp_path / "files", 20, folders=4)
    before = {path: path.read_bytes() for path in (tmp_path / "files").rglob("*.csv")}
    chosen = data.edit_one(tmp_path / "files", 3)
    assert [path for path, content in before.items() if path.read_bytes() != content] == [chosen]


def test_an_insert_moves_the_second_half(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    data.large_file(path, (1 << 20) + 4)
    old = path.read_bytes()
    data.insert(path, 1)
    new = path.read_bytes()
    half = len(old) // 2
    assert len(old) == (1 << 20) + 4
    assert new[:half] == old[:half]
    assert new[half + 1024 :] == old[half:]
