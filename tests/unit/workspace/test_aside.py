"""Old outputs out of the way, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dvtool.workspace.aside import Aside
from dvtool.workspace.aside import waiting_in


class Bench:
    def __init__(self, place: Path) -> None:
        self.root, self.state = place / "root", place / "state"
        self.root.mkdir()
        self.root_fd = os.open(self.root, os.O_RDONLY)

    @property
    def aside(self) -> Aside:
        """As a new process has it."""
        return Aside(self.root_fd, os.fsencode(self.state))

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.root / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)

    def texts(self) -> dict[str, str]:
        return {str(path.relative_to(self.root)): path.read_text() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    os.close(bench.root_fd)


def test_what_was_put_aside_returns(bench: Bench) -> None:
    bench.write(a="1", d__b="2", other="3")
    before = bench.texts()
    folder = bench.aside.put("train", [b"a", b"d", b"missing"])
    assert bench.texts() == {"other": "3"}
    assert bench.aside.give_back(folder) == [b"a", b"d"]
    assert bench.texts() == before
    assert os.listdir(bench.state / "aside") == []


def test_what_is_not_there_makes_no_folder(bench: Bench) -> None:
    assert bench.aside.put("train", [b"a"]) == b""
    assert bench.aside.give_back(b"") == []
    assert not bench.state.exists()


def test_a_killed_run_is_taken_back_by_whoever_comes_next(bench: Bench) -> None:
    bench.write(a="old")
    bench.aside.put("train", [b"a"])
    bench.write(a="half")
    assert [(stage, path) for _, stage, path in waiting_in(os.fsencode(bench.state))] == [("train", b"a")]
    assert bench.aside.recover() == [b"a"]
    assert bench.texts() == {"a": "old"}
    assert (bench.state / "failed" / "train" / "a").read_text() == "half"
    assert bench.aside.recover() == []


def test_a_stage_that_had_ended_well_keeps_what_it_made(bench: Bench) -> None:
    bench.write(a="old", b="older")
    ended, other = bench.aside.put("train", [b"a"]), bench.aside.put("test", [b"b"])
    assert ended != other
    bench.write(a="new", b="half")
    bench.aside.finished(ended, b"record\n\x00")
    assert bench.aside.recover() == [b"b"]
    assert bench.texts() == {"a": "new", "b": "older"}
    assert bench.aside.read_finished() == [(ended, b"record\n\x00")]
    bench.aside.drop(ended)
    bench.aside.forget_finished()
    assert bench.aside.read_finished() == [] and os.listdir(bench.state / "aside") == []


def test_a_torn_line_counts_for_nothing(bench: Bench) -> None:
    bench.aside.finished(b"", b"one")
    bench.aside.finished(b"", b"two")
    journal = bench.state / "aside" / "finished"
    journal.write_bytes(journal.read_bytes()[:-3])
    assert [record for _, record in bench.aside.read_finished()] == [b"one"]


def test_where_nothing_can_be_moved_elsewhere_it_stays_near(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another file system: the folder refuses it, its own directory does not."""
    real = os.rename

    def rename(source: bytes, target: bytes, **more: int) -> None:
        if b"/" in target:
            raise OSError(18, "Invalid cross-device link")
        real(source, target, **more)

    bench.write(d__a="old")
    monkeypatch.setattr(os, "rename", rename)
    folder = bench.aside.put("train", [b"d/a"])
    assert not (bench.root / "d" / "a").exists() and len(os.listdir(bench.root / "d")) == 1
    bench.write(d__a="half")
    assert bench.aside.recover() == [b"d/a"]
    assert bench.texts() == {"d/a": "old"}
    folder = bench.aside.put("train", [b"d/a"])
    bench.write(d__a="new")
    bench.aside.drop(folder)
    assert bench.texts() == {"d/a": "new"}


def test_only_the_last_failure_is_kept(bench: Bench) -> None:
    bench.write(d__a="first")
    assert bench.aside.clear("models/dvtool.yaml:train", [b"d"]) is not None
    bench.write(d__a="second")
    place = bench.aside.clear("models/dvtool.yaml:train", [b"d"])
    assert bench.texts() == {}
    (kept,) = (bench.state / "failed").iterdir()
    assert os.fsencode(kept) == place and (kept / "d" / "a").read_text() == "second"
    assert bench.aside.clear("models/dvtool.yaml:train", [b"d"]) is None
    assert list((bench.state / "failed").iterdir()) == []
