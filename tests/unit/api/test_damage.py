from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dvtool.api.checkout import CheckoutRequest
from dvtool.api.checkout import raise_for
from dvtool.api.fetch import FetchRequest
from dvtool.api.fetch import fetch
from dvtool.api.push import PushRequest
from dvtool.api.push import push
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.store.salvage import set_aside_damage
from tests.support.trees import Tree
from tests.support.trees import assert_tree
from tests.support.workbench import Workbench

DATA: Tree = {
    "small": {f"f{number}": os.urandom(700) + b"%d" % number for number in range(200)},
    "text": {f"t{number}": f"line {number}\n" * 300 for number in range(20)},
    "large": b"large" * 60_000,
}


@pytest.fixture
def pushed(tmp_path: Path) -> Workbench:
    """Everything on a remote, nothing in the worktree, no memo: all that comes back comes from the cache."""
    bench = Workbench(tmp_path / "repo", {"remote.origin.url": str(tmp_path / "remote"), "core.remote": "origin"})
    bench.track({"data": DATA})
    push(bench.project, PushRequest())
    clear(bench)
    return bench


def clear(bench: Workbench) -> None:
    shutil.rmtree(bench.root / "data", ignore_errors=True)
    (Path(os.fsdecode(bench.project.layout.state_dir)) / "memo.sqlite").unlink(missing_ok=True)


def only_file(bench: Workbench, folder: str) -> Path:
    (found,) = (path for path in (Path(os.fsdecode(bench.cache.root)) / folder).rglob("*") if path.is_file())
    return found


def flip(part: float) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[min(len(data) - 1, int(part * len(data)))] ^= 0x10
        replace(path, bytes(data))

    return damage


def cut(path: Path) -> None:
    replace(path, path.read_bytes()[:-100])


def replace(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


def right_or_absent(bench: Workbench) -> None:
    """Every file that stands there is one that was stored."""
    for path in (bench.root / "data").rglob("*"):
        if path.is_file():
            node: object = DATA
            for name in path.relative_to(bench.root / "data").parts:
                assert isinstance(node, dict)
                node = node[name]
            assert path.read_bytes() == (node.encode() if isinstance(node, str) else node)


@pytest.mark.parametrize(
    "damage",
    [*(pytest.param(flip(part), id=f"flip-{part}") for part in (0.0, 0.1, 0.35, 0.6, 0.9, 0.97, 1.0)), cut],
)
@pytest.mark.parametrize("folder", ["data", "meta", "objects"])
def test_damage_in_the_cache_is_noticed_named_and_healed(
    pushed: Workbench, folder: str, damage: Callable[[Path], None]
) -> None:
    path = only_file(pushed, folder)
    damage(path)
    result = pushed.checkout()
    right_or_absent(pushed)
    with pytest.raises(DvtoolError) as caught:
        raise_for(result, CheckoutRequest())
    errors = [caught.value, *caught.value.causes]
    assert any(isinstance(error, DvtoolError) and error.kind == "integrity" for error in errors)
    assert any(path.name in str(error) for error in errors)

    (aside,) = set_aside_damage(pushed.cache, [caught.value], what="test")
    assert aside.path == os.fsencode(path) and os.path.exists(aside.moved_to)
    fetched = fetch(pushed.project, FetchRequest())
    assert not fetched.missing and not fetched.damaged
    raise_for(pushed.checkout(), CheckoutRequest())
    assert_tree(pushed.root / "data", DATA)


@pytest.mark.parametrize("folder", ["data", "meta", "objects"])
def test_what_is_gone_from_the_cache_is_fetched_again(pushed: Workbench, folder: str) -> None:
    only_file(pushed, folder).unlink()
    with pytest.raises(DvtoolError, match="not in the cache"):
        raise_for(pushed.checkout(), CheckoutRequest())
    right_or_absent(pushed)
    fetch(pushed.project, FetchRequest())
    raise_for(pushed.checkout(), CheckoutRequest())
    assert_tree(pushed.root / "data", DATA)


@pytest.mark.parametrize("state", ["whole", "flipped", "deleted"])
def test_the_index_of_the_cache_is_only_a_help(pushed: Workbench, state: str) -> None:
    pushed.cache.packs.rebuild_index()
    index = only_file(pushed, "index")
    if state == "flipped":
        flip(0.5)(index)
    elif state == "deleted":
        index.unlink()
    raise_for(pushed.checkout(), CheckoutRequest())
    assert_tree(pushed.root / "data", DATA)
    assert bool(pushed.cache.packs.has_damaged_index) == (state == "flipped")
    set_aside_damage(pushed.cache, what="test")
    assert not pushed.cache.packs.has_damaged_index


def test_one_wrong_byte_costs_one_record(pushed: Workbench) -> None:
    path = only_file(pushed, "data")
    flip(0.35)(path)
    (aside,) = set_aside_damage(pushed.cache, [suspect(path)], what="test")
    assert 0 < len(aside.lost) < 5 and aside.saved == 220 - len(aside.lost)
    result = pushed.checkout()
    assert len(result.missing) == len(aside.lost)


def test_what_is_right_stays(pushed: Workbench) -> None:
    paths = [only_file(pushed, folder) for folder in ("data", "meta", "objects")]
    assert set_aside_damage(pushed.cache, map(suspect, paths), what="test") == []
    assert all(path.exists() for path in paths)


def test_only_files_of_the_cache_are_touched(pushed: Workbench, tmp_path: Path) -> None:
    stranger = tmp_path / "objects" / "ab" / ("ab" * 32)
    stranger.parent.mkdir(parents=True)
    stranger.write_text("mine")
    assert set_aside_damage(pushed.cache, [suspect(stranger)], what="test") == []
    assert stranger.read_text() == "mine"


def test_a_lost_memo_costs_nothing_but_time(pushed: Workbench) -> None:
    raise_for(pushed.checkout(), CheckoutRequest())
    memo = Path(os.fsdecode(pushed.project.layout.state_dir)) / "memo.sqlite"
    replace(memo, b"no database" * 1000)
    assert pushed.changes() == set()
    raise_for(pushed.checkout(), CheckoutRequest())
    assert_tree(pushed.root / "data", DATA)


def suspect(path: Path) -> DvtoolError:

    return IntegrityError("suspected", path=path)
