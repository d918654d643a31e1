"""What `recover` lists besides objects: each thing with what becomes of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from dvtool.api.recover import RecoverRequest
from dvtool.api.recover import recover
from dvtool.errors import IntegrityError
from dvtool.errors import StorageError
from dvtool.formats.oplog import FileChange
from dvtool.hashing.digests import object_id
from dvtool.project.leftovers import LeftKind
from dvtool.project.oplog import begin
from dvtool.store.salvage import set_aside_damage
from dvtool.ui.recovered import recoverable_lines
from tests.support.cli import CommandLine
from tests.support.datasets import content
from tests.support.datasets import damage
from tests.support.workbench import Workbench

LOOSE = content("loose", 200_000)


def left(bench: Workbench) -> dict[LeftKind, list[tuple[str, str]]]:
    found: dict[LeftKind, list[tuple[str, str]]] = {}
    for one in recover(bench.project, RecoverRequest()).left:
        name = os.path.relpath(os.fsdecode(one.path), bench.root) if one.path else ""
        found.setdefault(one.kind, []).append((name, one.what))
    return found


def test_nothing_was_left(bench: Workbench) -> None:
    bench.track({"data": {"a": "1"}})
    assert left(bench) == {}


def test_files_that_stood_in_for_the_users_own(bench: Workbench) -> None:
    bench.track({"data": {"a": "1"}})
    (bench.root / "data/.dvtool-tmp-0011").write_text("1")
    (bench.root / "data/.dvtool-tmp-0022").write_text("nowhere else")
    (bench.root / "data/.dvtool-part-0033").mkdir()
    (bench.root / ".dvtool-rescued-44").write_text("mine")
    found = left(bench)
    assert found[LeftKind.RESCUED][0][0] == ".dvtool-rescued-44"
    assert dict(found[LeftKind.WORKTREE]) == {
        "data/.dvtool-part-0033": "an unfinished file",
        "data/.dvtool-tmp-0011": "a file whose bytes the cache has",
        "data/.dvtool-tmp-0022": "a file whose bytes the cache does not have: maybe the only copy",
    }
    lines = list(recoverable_lines(recover(bench.project, RecoverRequest())))
    assert any("data/.dvtool-tmp-0022  12 B  a file whose bytes" in line for line in lines)


def test_what_lies_in_the_cache_and_beside_it(bench: Workbench) -> None:
    bench.track({"data": {"a": "1"}, "loose": LOOSE})
    cache = bench.cache
    path = cache.loose_path(object_id(LOOSE))
    damage(os.fsdecode(path), 1_000)
    set_aside_damage(cache, [IntegrityError("damaged", path=path)], what="test")
    tmp = Path(os.fsdecode(cache.tmp))
    (tmp / ".dvtool-tmp-0011").write_bytes(b"half")
    state = Path(os.fsdecode(bench.project.layout.state_dir))
    (state / ".dvtool-tmp-0022").write_bytes(b"")
    (state / "checkout").write_text("\n{}\n")
    (state / "push").mkdir(exist_ok=True)
    (state / "push/upload-x-y").write_text("")
    found = left(bench)
    assert {kind: len(rows) for kind, rows in found.items()} == {
        LeftKind.QUARANTINE: 1,
        LeftKind.CACHE: 1,
        LeftKind.STATE: 1,
        LeftKind.CHECKOUT: 1,
        LeftKind.UPLOAD: 1,
    }
    assert found[LeftKind.CACHE][0][0].endswith("tmp/.dvtool-tmp-0011")


def test_objects_of_other_workspaces_on_a_shared_cache_are_not_lost(bench: Workbench, tmp_path: Path) -> None:
    other = Workbench(tmp_path / "other", {"cache.dir": str(tmp_path / "shared")})
    bench.settings["cache.dir"] = str(tmp_path / "shared")
    bench.track({"data": {"a": "mine"}})
    other.track({"data": {"b": "theirs"}, "file": "their file"})
    assert recover(bench.project, RecoverRequest()).items == ()
    for root_file in (tmp_path / "shared/roots").iterdir():
        root_file.write_bytes(b"damaged")
    assert len(recover(bench.project, RecoverRequest()).items) == 2


def test_what_a_collection_took(bench: Workbench) -> None:
    bench.track({"data": {"a": "1"}})
    bench.create({"f": "x"})
    bench.add("f")
    (bench.root / "f.dvt").unlink()
    cli = CommandLine(bench.root)
    cli.done("gc", "--workspace", "--grace", "0", "--force")
    [(name, what)] = left(bench)[LeftKind.TRASH]
    assert "/trash/" in name
    assert "`gc` took" in what
    cli.done("undo")
    assert left(bench) == {}


@pytest.mark.parametrize(
    ("verb", "files", "following"),
    [
        ("push", (), "run it again"),
        ("add", (FileChange("project", b"a.dvt", None, b"x", 0),), "run it again, or take it back with `dvtool undo`"),
    ],
)
def test_an_operation_that_did_not_end(
    bench: Workbench, verb: str, files: tuple[FileChange, ...], following: str
) -> None:
    with suppress(StorageError), begin(bench.project, verb) as operation:
        operation.record(files=files, lasting="" if files else "what was uploaded stays on the remote", summary="x")
        raise StorageError("the disk is full")
    (found,) = recover(bench.project, RecoverRequest()).left
    assert (found.kind, found.next) == (LeftKind.OPERATION, following)
