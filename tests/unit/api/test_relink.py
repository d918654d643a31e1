from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest

from dvtool.api.checkout import CheckoutRequest
from dvtool.api.checkout import raise_for
from dvtool.disk.space import supports_reflink
from dvtool.errors import IntegrityError
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.workbench import Workbench

REFLINK_DIR = os.environ.get("DVTOOL_TEST_REFLINK_DIR")
LARGE = b"large" * 60_000
DATA: Tree = {
    "large": LARGE,
    "twin": LARGE,
    "tool": Executable(b"tool" * 60_000),
    "small": "small",
    "empty": "",
    "link": Link("large"),
    "in": {"small": "small", "other": b"other" * 50_000},
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    place = Path(mkdtemp(dir=REFLINK_DIR)) if REFLINK_DIR else tmp_path
    yield Workbench(place / "repo")
    if REFLINK_DIR:
        shutil.rmtree(place)


def link_of(bench: Workbench, path: Path) -> str:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return "symlink" if os.readlink(path).startswith(os.path.abspath(os.fsdecode(bench.cache.root))) else "link"
    return "hardlink" if status.st_nlink > 1 else "own"


def links(bench: Workbench) -> dict[str, str]:
    top = bench.root / "data"
    return {str(path.relative_to(top)): link_of(bench, path) for path in top.rglob("*") if not path.is_dir()}


def content(top: Path) -> dict[str, bytes]:
    return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if not path.is_dir()}


def relink(bench: Workbench, link: str) -> tuple[str, ...]:
    bench.settings["cache.type"] = link
    result = bench.checkout(relink=True)
    raise_for(result, CheckoutRequest())
    return result.link_types


LINKED = {"large", "twin", "in/other", "small", "in/small"}


@pytest.mark.parametrize("memo", ["known", "lost"])
def test_through_all_link_types_and_back(bench: Workbench, memo: str) -> None:
    bench.track({"data": DATA, "top": b"top" * 70_000})
    before = content(bench.root / "data")
    for link in ("hardlink", "symlink", "copy", "symlink", "hardlink", "copy"):
        relink(bench, link)
        found = links(bench)
        shared = {path for path, kind in found.items() if kind not in ("own", "link")}
        assert shared == (set() if link == "copy" else LINKED), link
        assert {found[path] for path in shared} <= {link}
        assert link_of(bench, bench.root / "top") == ("own" if link == "copy" else link)
        assert content(bench.root / "data") == before
        assert os.access(bench.root / "data/tool", os.X_OK)
        assert (bench.root / "data/tool").stat().st_nlink == 1
        assert os.readlink(bench.root / "data/link") == "large"
        if memo == "lost":
            os.unlink(bench.project.layout.state_dir + b"/memo.sqlite")
        assert bench.changes() == set()


def test_copies_are_writable_and_links_are_not(bench: Workbench) -> None:
    bench.track({"data": DATA})
    relink(bench, "hardlink")
    assert not (bench.root / "data/large").stat().st_mode & 0o222
    relink(bench, "copy")
    with (bench.root / "data/large").open("ab") as file:
        file.write(b"!")
    assert bench.changes() == {("modified", "data/large")}
    (bench.root / "data/large").unlink()
    bench.checkout()
    assert (bench.root / "data/large").read_bytes() == LARGE


def test_own_changes_are_left_alone(bench: Workbench) -> None:
    bench.track({"data": DATA})
    bench.create({"data": {"small": "changed"}})
    bench.settings["cache.type"] = "hardlink"
    result = bench.checkout(relink=True)
    assert [left.path for left in result.conflicts] == [b"data/small"]
    assert (bench.root / "data/small").read_text() == "changed"


def test_an_object_with_too_many_names_is_copied(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.track({"data": DATA})
    real = os.link

    def full(source: bytes, target: bytes, **how: object) -> None:
        if b"/objects/" in source:
            raise OSError(31, "Too many links")
        real(source, target, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", full)
    assert relink(bench, "hardlink") == ("copy",)
    assert set(links(bench).values()) == {"own", "link"}
    assert content(bench.root / "data")["large"] == LARGE


def test_damage_that_linking_meets_is_named(bench: Workbench) -> None:
    bench.track({"data": {"small": os.urandom(2000), "large": LARGE}})
    (pack,) = (path for path in Path(os.fsdecode(bench.cache.root), "data").rglob("*") if path.is_file())
    content = bytearray(pack.read_bytes())
    content[1000] ^= 1
    pack.unlink()
    pack.write_bytes(content)
    bench.settings["cache.type"] = "hardlink"
    result = bench.checkout(relink=True)
    assert [left.path for left in result.problems] == [b"data/small"] and result.missing == ()
    with pytest.raises(IntegrityError, match=pack.name):
        raise_for(result, CheckoutRequest())
    assert (bench.root / "data/large").stat().st_nlink == 2


def test_blocks_are_shared_where_the_file_system_can(bench: Workbench) -> None:
    if not supports_reflink(os.fsencode(bench.root)):
        pytest.skip("no reflinks here: set DVTOOL_TEST_REFLINK_DIR to a directory on XFS or Btrfs")
    bench.track({"data": DATA})
    before = content(bench.root / "data")
    relink(bench, "symlink")
    assert "reflink" in relink(bench, "reflink,copy")
    assert set(links(bench).values()) == {"own", "link"}
    assert content(bench.root / "data") == before
    with (bench.root / "data/large").open("r+b") as file:
        file.write(b"!")
    assert content(bench.root / "data")["twin"] == LARGE
    raise_for(bench.checkout(force=True), CheckoutRequest())
    assert content(bench.root / "data") == before
