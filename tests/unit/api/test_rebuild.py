from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.api.rebuild import rebuild
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.workbench import Workbench

DATA: Tree = {"large": b"large" * 60_000, "in": {f"f{number}": str(number) for number in range(50)}}


def files(bench: Workbench, folder: str) -> list[Path]:
    top = Path(os.fsdecode(bench.cache.root)) / folder
    return sorted(path for path in top.rglob("*") if path.is_file())


@pytest.mark.parametrize("state", ["absent", "right", "damaged"])
def test_index_and_memo_are_made_from_packs_and_files(bench: Workbench, state: str) -> None:
    bench.track({"data": DATA, "top": "1"})
    memo = Path(os.fsdecode(bench.project.layout.state_dir)) / "memo.sqlite"
    if state != "absent":
        bench.cache.packs.rebuild_index()
    else:
        memo.unlink()
    if state == "damaged":
        (index,) = files(bench, "index")
        index.chmod(0o644)
        index.write_bytes(index.read_bytes()[:-9] + b"123456789")
        memo.write_bytes(b"no database" * 1000)
    result = rebuild(bench.project)
    assert (result.packs, result.objects, result.set_aside) == (2, 52, ())
    assert result.files_hashed == 52
    assert len(files(bench, "index")) == 1 and not bench.cache.packs.has_damaged_index
    bench.settle()
    assert bench.status().files_hashed == 0 and bench.changes() == set()


def test_what_dvtool_placed_is_still_known(bench: Workbench) -> None:
    bench.track({"data": DATA})
    bench.create({"data": {"mine": "!"}})
    rebuild(bench.project)
    bench.git("checkout", "-q", "HEAD~1")
    bench.checkout()
    assert_tree(bench.root / "data", {"mine": "!"})


def test_a_pack_without_a_table_is_set_aside(bench: Workbench) -> None:
    bench.track({"data": DATA})
    (pack,) = files(bench, "data")
    content = pack.read_bytes()
    pack.unlink()
    pack.write_bytes(content[:-40])
    (aside,) = rebuild(bench.project).set_aside
    assert (aside.path, aside.saved) == (os.fsencode(pack), 50)
    assert not bench.cache.packs.damaged()


def test_a_project_without_a_cache(bench: Workbench) -> None:
    result = rebuild(bench.project)
    assert (result.packs, result.objects, result.files_hashed) == (0, 0, 0)
    assert not os.path.exists(bench.cache.root)
