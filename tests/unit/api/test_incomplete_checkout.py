"""What a checkout could not place is missing, not deleted by the user: `add` keeps it recorded."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.support.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path / "project")
    source = random.Random(1)
    for number in range(90):
        path = bench.root / f"data/{number % 3}/{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.randbytes(2000))
    bench.add("data")
    bench.commit()
    return bench


@pytest.mark.parametrize("harm", ["damaged", "gone"])
@pytest.mark.parametrize("memo", ["known", "lost"])
def test_add_keeps_what_could_not_be_placed(bench: Workbench, harm: str, memo: str) -> None:
    before = (bench.root / "data.dvt").read_text()
    shutil.rmtree(bench.root / "data")
    store = bench.root / ".git/dvtool"
    if memo == "lost":
        for file in store.glob("memo*"):
            file.unlink()
    for pack in (store / "cache/data").glob("*/*"):
        content = pack.read_bytes()
        pack.chmod(0o644)
        pack.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
        if harm == "gone":
            pack.unlink()
    result = bench.checkout()
    assert result.errors or result.missing
    assert {change for change, _ in bench.changes()} == {"missing"}
    bench.add("data")
    assert (bench.root / "data.dvt").read_text() == before


def test_what_the_user_deletes_after_it_is_deleted(bench: Workbench) -> None:
    shutil.rmtree(bench.root / "data")
    for pack in (bench.root / ".git/dvtool/cache/data").glob("*/*"):
        content = pack.read_bytes()
        pack.chmod(0o644)
        pack.write_bytes(content[:60] + bytes([content[60] ^ 1]) + content[61:])
    bench.checkout()
    placed = next(path for path in (bench.root / "data/2").iterdir())
    placed.unlink()
    assert ("deleted", f"data/2/{placed.name}") in bench.changes()
    bench.add("data")
    assert "files: 89" in (bench.root / "data.dvt").read_text()
