"""The run cache: what a key covers, and that entries are found again or passed over."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dvtool.disk.lock import Waiting
from dvtool.formats.lock import Json
from dvtool.formats.lock import Storing
from dvtool.formats.runentry import encode_entry
from dvtool.pipeline.runcache import KnownRuns
from dvtool.pipeline.runcache import RunCache
from dvtool.pipeline.runcache import key_of
from dvtool.pipeline.runcache import lookup
from dvtool.pipeline.runcache import save
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Mark
from dvtool.pipeline.types import Observation
from dvtool.pipeline.types import Out
from dvtool.pipeline.types import OutKind
from dvtool.pipeline.types import ParamsDep
from dvtool.pipeline.types import Retry
from dvtool.pipeline.types import Stage
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.transfer.runcopies import RunCopies
from tests.unit.pipeline.made import content
from tests.unit.pipeline.made import locked
from tests.unit.pipeline.made import seen
from tests.unit.pipeline.made import stage

AT = Mark(b"dvtool.yaml", 1, 1)
TRAIN = stage("train", "data code.py", "model", params="params.yaml")
SEEN = seen({"data": 1, "code.py": 2}, params={"lr": 0.1, "deep.key": [1, 2]})


class Notes:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, phase: str, *, total: int | None = None, unit: str = "files") -> None: ...

    def advance(self, amount: int) -> None: ...

    def end(self) -> None: ...

    def note(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    found = Cache(os.fsencode(tmp_path / "cache"), Settings(durable=False), Waiting())
    found.create()
    return found


def key(of: Stage = TRAIN, observed: Observation = SEEN) -> str:
    found = key_of(of, observed)
    assert found is not None
    return found


def test_the_key_is_pinned() -> None:
    """Another key would forget all that is stored: then `VERSION` goes up, and the format page says so."""
    assert key() == "73a16291ae0ab4eb2a0aa88a0b39351b57ae68c241e394d0e22948dbce67d90a"


@pytest.mark.parametrize(
    "changes",
    [
        {"commands": ("other",)},
        {"commands": ("run train", "more")},
        {"commands": (), "argv": ("run", "train")},
        {"wdir": b"sub"},
        {"environment": {"SEED": "1"}},
        {"outs": (Out(b"other", OutKind.OUT, AT),)},
        {"outs": (Out(b"model", OutKind.METRIC, AT),)},
        {"outs": (*TRAIN.outs, Out(b"more", OutKind.OUT, AT))},
    ],
)
def test_what_the_stage_says_is_in_the_key(changes: dict[str, Any]) -> None:
    assert key(replace(TRAIN, **changes)) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"at": Mark(b"dvtool.yaml", 7, 1)},
        {"desc": "x", "meta": {"a": 1}},
        {"group": "g"},
        {"timeout": 3.0, "retry": Retry(2), "go_on": True},
        {"resources": {"cpu": 2.0}},
        {"outs": (Out(b"model", OutKind.OUT, AT, cache=False, push=False, remote="nas"),)},
        {"deps": TRAIN.deps[::-1]},
    ],
)
def test_what_does_not_change_the_result_is_not(changes: dict[str, Any]) -> None:
    assert key(replace(TRAIN, **changes)) == key()


@pytest.mark.parametrize(
    "observed",
    [
        seen({"data": 3, "code.py": 2}, params={"lr": 0.1, "deep.key": [1, 2]}),
        seen({"data": 1, "code.py": 2}, params={"lr": 0.2, "deep.key": [1, 2]}),
        seen({"data": 1, "code.py": 2}, params={"lr": 0.1}),
        seen({"data": 1, "code.py": 2}, params={"lr": "0.1", "deep.key": [1, 2]}),
        replace(SEEN, deps={**SEEN.deps, "code.py": content(2, executable=True)}),
    ],
)
def test_inputs_are_in_the_key(observed: Observation) -> None:
    assert key(TRAIN, observed) != key()


def test_the_number_itself_counts_also_where_json_has_none() -> None:
    found = {key(TRAIN, seen({"data": 1, "code.py": 2}, params={"lr": each})) for each in (math.nan, math.inf, 1, 1.0)}
    assert len(found) == 4


def test_outputs_as_they_are_now_are_not() -> None:
    assert key(TRAIN, replace(SEEN, outs={b"model": content(9)})) == key()


@pytest.mark.parametrize(
    ("of", "observed"),
    [
        (replace(TRAIN, always_changed=True), SEEN),
        (replace(TRAIN, frozen=True), SEEN),
        (replace(TRAIN, outs=()), SEEN),
        (replace(TRAIN, outs=(Out(b"model", OutKind.OUT, AT, persist=True),)), SEEN),
        (replace(TRAIN, deps=(), params=()), SEEN),
        (TRAIN, seen({"data": None, "code.py": 2}, params={"lr": 1})),
        (TRAIN, seen({"data": 1, "code.py": 2})),
        (replace(TRAIN, deps=(Dep(DepKind.COMMAND, b"", "date", AT),)), SEEN),
        (replace(TRAIN, deps=(Dep(DepKind.URL, b"", "https://example.org/x", AT),)), SEEN),
        (replace(TRAIN, params=(ParamsDep(b"params.yaml", ("lr", "absent"), AT),)), SEEN),
    ],
)
def test_no_key_where_the_same_need_not_come_again(of: Stage, observed: Observation) -> None:
    assert key_of(of, observed) is None


def test_parameters_alone_are_enough() -> None:
    assert key_of(replace(TRAIN, deps=()), SEEN) is not None


def test_names_that_are_not_utf8() -> None:
    odd = replace(TRAIN, deps=(Dep(DepKind.PATH, b"\xff", "", AT),))
    assert key_of(odd, replace(SEEN, deps={"\udcff": content(1)})) is not None


PARAMS: dict[str, Json] = {"lr": 0.1, "deep.key": [1, 2]}
DONE = locked(TRAIN, {"data": 1, "code.py": 2}, {"model": 5}, PARAMS)


def test_saved_and_found(cache: Cache) -> None:
    assert lookup(cache, key()) is None
    save(cache, key(), DONE)
    assert lookup(cache, key()) == DONE
    assert lookup(cache, "00" * 32) is None


def test_the_newest_counts_and_the_same_is_written_once(cache: Cache) -> None:
    for number in (5, 6, 6, 6):
        save(cache, key(), locked(TRAIN, {"data": 1}, {"model": number}))
    assert lookup(cache, key()) == locked(TRAIN, {"data": 1}, {"model": 6})
    (path,) = Path(os.fsdecode(cache.root), "runs").iterdir()
    assert path.name == key()[:2]
    assert path.read_bytes().count(b"\n") == 2


def entry_file(cache: Cache) -> Path:
    return Path(os.fsdecode(cache.root), "runs", key()[:2])


def test_a_damaged_entry_is_passed_over_and_told(cache: Cache) -> None:
    save(cache, key(), DONE)
    data = bytearray(entry_file(cache).read_bytes())
    data[-5] ^= 1
    entry_file(cache).write_bytes(bytes(data))
    notes = Notes()
    assert lookup(cache, key(), reporter=notes) is None
    assert len(notes.lines) == 1
    assert "does not match its checksum" in notes.lines[0]


def test_the_older_one_counts_where_the_newer_is_damaged(cache: Cache) -> None:
    save(cache, key(), DONE)
    save(cache, key(), locked(TRAIN, {"data": 1}, {"model": 7}))
    data = entry_file(cache).read_bytes()
    entry_file(cache).write_bytes(data[:-9])
    assert lookup(cache, key()) == DONE


@pytest.mark.parametrize("cut", [1, 40, 70, 100, 200])
def test_what_a_killed_writer_left_spoils_no_other(cache: Cache, cut: int) -> None:
    save(cache, key(), DONE)
    whole = entry_file(cache).read_bytes()
    entry_file(cache).write_bytes(whole + whole[:cut])
    save(cache, key(), locked(TRAIN, {"data": 1}, {"model": 7}))
    assert lookup(cache, key()) == locked(TRAIN, {"data": 1}, {"model": 7})


def test_a_key_inside_another_line_is_no_entry(cache: Cache) -> None:
    inside = locked(replace(TRAIN, commands=(f"echo {key()} x",)), {"data": 1}, {"model": 7})
    other = key()[:2] + "00" * 31
    save(cache, other, inside)
    assert lookup(cache, key()) is None
    assert lookup(cache, other) == inside


def test_a_full_disk_fails_no_run(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dvtool.store.runfiles.write_all", full)
    notes = Notes()
    RunCache(cache, notes).remember(key(), DONE)
    assert "not remembered" in notes.lines[0]


def test_a_link_in_place_of_a_file_is_not_followed(cache: Cache, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    entry_file(cache).parent.mkdir()
    entry_file(cache).symlink_to(elsewhere)
    notes = Notes()
    save(cache, key(), DONE, reporter=notes)
    assert elsewhere.read_bytes() == b"mine"
    assert notes.lines


def test_a_stage_finds_its_own_run_as_it_would_be_recorded_now(cache: Cache) -> None:
    known = KnownRuns(RunCache(cache), lambda record: True)
    assert known.find(TRAIN, SEEN) is None
    known.save(TRAIN, SEEN, DONE)
    elsewhere = replace(TRAIN, name="other", outs=(Out(b"model", OutKind.OUT, AT, cache=False),))
    assert known.find(TRAIN, SEEN) == DONE
    assert known.find(elsewhere, SEEN) == DONE._replace(storing={b"model": Storing(cache=False)})


def test_a_run_whose_outputs_cannot_be_had_is_not_found(cache: Cache) -> None:
    known = KnownRuns(RunCache(cache), lambda record: False)
    known.save(TRAIN, SEEN, DONE)
    assert known.find(TRAIN, SEEN) is None


def test_an_entry_with_other_outputs_is_not_believed(cache: Cache) -> None:
    save(cache, key(), locked(TRAIN, {"data": 1, "code.py": 2}, {"model": 5, "more": 6}, PARAMS))
    assert KnownRuns(RunCache(cache), lambda record: True).find(TRAIN, SEEN) is None


def test_a_frozen_stage_is_not_saved(cache: Cache) -> None:
    KnownRuns(RunCache(cache), lambda record: True).save(replace(TRAIN, frozen=True), SEEN, DONE)
    assert not entry_file(cache).exists()


def test_what_a_remote_has_is_found_behind_what_is_here(cache: Cache, tmp_path: Path) -> None:
    copies = RunCopies(os.fsencode(tmp_path / "copies"))
    copies.add("00" * 32, encode_entry(key(), DONE))
    assert RunCache(cache, copies=[copies]).lookup(key()) == DONE
    save(cache, key(), locked(TRAIN, {"data": 1}, {"model": 7}))
    assert RunCache(cache, copies=[copies]).lookup(key()) == locked(TRAIN, {"data": 1}, {"model": 7})
