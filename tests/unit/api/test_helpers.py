"""`add`, `checkout` and `status` with helper processes: what one process does, byte for byte."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dvtool.errors import StorageError
from dvtool.workspace import checkout
from dvtool.workspace import snapshot
from dvtool.workspace.placers import Bytes
from dvtool.workspace.placers import Placers
from tests.support.workbench import Workbench


@pytest.fixture(autouse=True)
def _early_helpers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "HELPERS_FROM", 10)
    monkeypatch.setattr(checkout, "HELPERS_FROM", 10)


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The files of each job given to helpers of a checkout."""
    jobs: list[int] = []
    original = Placers.submit

    def submit(self: Placers, work: list[Bytes]) -> int:
        jobs.append(sum(len(files) for _, _, files in work))
        return original(self, work)

    monkeypatch.setattr(Placers, "submit", submit)
    return jobs


def fill(root: Path) -> None:
    for number in range(1300):
        path = root / f"{number % 7}/{number:04}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d," % (number // 3) * 150)
    (root / "run").write_bytes(b"#!")
    (root / "run").chmod(0o755)
    (root / "link").symlink_to("run")
    (root / "none").mkdir()
    (root / "same").write_bytes(b"s" * 200_000)
    (root / "3/same").write_bytes(b"s" * 200_000)
    (root / "empty").write_bytes(b"")


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path / "project", {"core.checksum_jobs": "2"})
    fill(bench.root / "data")
    bench.add("data")
    bench.commit()
    return bench


def listing(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for directory, names, files in os.walk(root):
        for name in (*names, *files):
            path = Path(directory, name)
            if path.is_symlink():
                found[str(path.relative_to(root))] = os.readlink(path)
            elif path.is_dir():
                found[str(path.relative_to(root))] = None
            else:
                found[str(path.relative_to(root))] = (path.read_bytes(), path.stat().st_mode & 0o100)
    return found


@pytest.mark.parametrize("link", ["reflink,copy", "hardlink", "symlink"])
def test_everything_comes_back(tmp_path: Path, crews: list[int], link: str) -> None:
    bench = Workbench(tmp_path / "project", {"core.checksum_jobs": "2", "cache.type": link})
    fill(bench.root / "data")
    before = listing(bench.root / "data")
    bench.add("data")
    shutil.rmtree(bench.root / "data")
    result = bench.checkout()
    assert not result.errors
    assert sum(crews) == 1304
    if link != "symlink":
        assert listing(bench.root / "data") == before
    else:
        assert (bench.root / "data/3/same").is_symlink()
    bench.settle()
    assert bench.changes() == set()


def test_one_job_is_this_process(bench: Workbench, crews: list[int]) -> None:
    bench.settings["core.checksum_jobs"] = "1"
    shutil.rmtree(bench.root / "data")
    assert not bench.checkout().errors
    assert crews == []


def test_the_memo_knows_what_helpers_placed(bench: Workbench, crews: list[int]) -> None:
    shutil.rmtree(bench.root / "data")
    bench.checkout()
    assert sum(crews) == 1304
    assert bench.status().files_hashed == 0


def test_what_is_in_the_way_stays_and_is_named(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(bench.root / "data")
    original = Placers.submit

    def submit(self: Placers, work: list[Bytes]) -> int:
        (bench.root / "data/3/0003").write_text("somebody's own")
        return original(self, work)

    monkeypatch.setattr(Placers, "submit", submit)
    result = bench.checkout()
    assert (bench.root / "data/3/0003").read_text() == "somebody's own"
    assert result.errors
    monkeypatch.undo()
    assert bench.changes() == {("modified", "data/3/0003")}


def test_a_damaged_record_is_named_and_the_rest_is_placed(bench: Workbench, crews: list[int]) -> None:
    shutil.rmtree(bench.root / "data")
    for pack in (bench.root / ".git/dvtool/cache/data").glob("*/*"):
        damaged = pack.read_bytes()
        pack.chmod(0o644)
        pack.write_bytes(damaged[:60] + bytes([damaged[60] ^ 1]) + damaged[61:])
    result = bench.checkout()
    assert crews
    assert result.errors
    placed = {path for path, value in listing(bench.root / "data").items() if value is not None}
    assert 0 < len(placed) < 1305
    assert {change for change, _ in bench.changes()} == {"missing"}
    assert sum(item.files for item in bench.status().missing) == 1305 - len(placed)


def test_a_dead_helper_ends_the_command_and_the_next_one_goes_on(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listing(bench.root / "data")
    shutil.rmtree(bench.root / "data")
    original = Placers.submit

    def submit(self: Placers, work: list[Bytes]) -> int:
        ticket = original(self, work)
        for helper in self._crew._helpers:
            helper._process.kill()
        return ticket

    monkeypatch.setattr(Placers, "submit", submit)
    with pytest.raises(StorageError, match="helper process ended"):
        bench.checkout()
    monkeypatch.undo()
    assert not bench.checkout().errors
    assert listing(bench.root / "data") == before


def test_one_large_file_is_no_work_for_helpers(tmp_path: Path, crews: list[int]) -> None:
    bench = Workbench(tmp_path / "project", {"core.checksum_jobs": "2"})
    (bench.root / "big").write_bytes(b"b" * (2 << 20))
    bench.add("big")
    (bench.root / "big").unlink()
    assert not bench.checkout().problems
    assert (bench.root / "big").stat().st_size == 2 << 20
    assert crews == []
