"""Files that are listed and gone at the next look, as an editor's temporaries are."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvtool.disk.scan import list_names
from dvtool.errors import StorageError
from dvtool.workspace import snapshot
from tests.support.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path / "project")
    bench.track({"data": {"a": "a\n", "sub": {"b": "b\n"}}})
    return bench


def test_the_directory_is_listed_again(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    ghosts = [b"one", b"another"]

    def with_ghosts(fd: int) -> list[bytes]:
        return sorted([*list_names(fd), *([ghosts.pop()] if ghosts else [])])

    monkeypatch.setattr(snapshot, "list_names", with_ghosts)
    bench.create({"data": {"sub": {"c": "c\n"}}})
    assert bench.changes() == {("added", "data/sub/c")}
    assert not ghosts


def test_it_does_not_go_on_for_ever(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "list_names", lambda fd: sorted([*list_names(fd), b"ghost"]))
    bench.create({"data": {"new": "n\n"}})
    with pytest.raises(StorageError, match="data: files keep vanishing"):
        bench.status()
