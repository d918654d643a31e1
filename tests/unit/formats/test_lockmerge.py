"""Two locks brought together."""

from __future__ import annotations

import math

import pytest

from dvtool.formats.lock import Content
from dvtool.formats.lock import Lock
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.formats.lock import decode_lock
from dvtool.formats.lock import encode_lock
from dvtool.formats.lockmerge import LockMerge
from dvtool.formats.lockmerge import merge_locks
from dvtool.hashing.digests import object_id
from dvtool.model.digest import as_digest
from dvtool.model.pointer import Kind


def content(text: str) -> Content:
    return Content(Kind.FILE, as_digest(object_id(text.encode())), len(text))


def stage(out: str, value: float = 1, storing: Storing | None = None) -> LockedStage:
    path = out.partition("=")[0].encode()
    kept = {} if storing is None else {path: storing}
    return LockedStage(("make",), (), {"in": content("in")}, {b"p.yaml": {"v": value}}, {path: content(out)}, kept)


A, A2, A3 = stage("a=1"), stage("a=2"), stage("a=3")
B, B2 = stage("b=1"), stage("b=2")


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ({}, {"a": A}, {"b": B}, {"a": A, "b": B}),
        ({"a": A, "b": B}, {"a": A2, "b": B}, {"a": A, "b": B2}, {"a": A2, "b": B2}),
        ({"a": A, "b": B}, {"b": B}, {"a": A, "b": B2}, {"b": B2}),
        ({"a": A}, {"a": A2}, {"a": A2}, {"a": A2}),
        ({}, {"a": A}, {"a": A}, {"a": A}),
        ({"a": A, "b": B}, {"b": B}, {"a": A}, {}),
        ({}, {"a": stage("a=1", math.nan)}, {"a": stage("a=1", math.nan), "b": B}, None),
    ],
)
def test_different_stages_come_together(base: Lock, ours: Lock, theirs: Lock, expected: Lock | None) -> None:
    for one, other in ((ours, theirs), (theirs, ours)):
        merged = merge_locks(base, one, other)
        assert merged.conflicts == ()
        assert encode_lock(merged.lock) == encode_lock(theirs if expected is None else expected)
        assert decode_lock(encode_lock(merged.lock), "x").keys() == merged.lock.keys()


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "kept"),
    [
        ({"a": A}, {"a": A2}, {"a": A3}, A2),
        ({}, {"a": A2}, {"a": A3}, A2),
        ({"a": A}, {}, {"a": A3}, A3),
        ({"a": A}, {"a": A2}, {}, A2),
        ({"a": A}, {"a": stage("a=1", 2)}, {"a": stage("a=2", 1)}, stage("a=1", 2)),
    ],
)
def test_a_stage_that_both_ran_is_a_conflict_and_never_half_of_each(
    base: Lock, ours: Lock, theirs: Lock, kept: LockedStage
) -> None:
    merged = merge_locks({**base, "b": B}, {**ours, "b": B}, {**theirs, "b": B2})
    assert merged.lock == {"a": kept, "b": B2}
    (conflict,) = merged.conflicts
    assert conflict.name == "a"
    assert (conflict.base, conflict.ours, conflict.theirs) == (base.get("a"), ours.get("a"), theirs.get("a"))
    assert conflict.kept == kept


def test_how_outputs_are_kept_is_no_conflict() -> None:
    local = stage("a=1", storing=Storing(push=False))
    far = stage("a=1", storing=Storing(remote="eu"))
    assert merge_locks({"a": A}, {"a": local}, {"a": far}) == LockMerge({"a": local}, ())
    assert merge_locks({"a": A2}, {"a": A}, {"a": far}).lock["a"] in (A, far)


def test_two_stages_with_one_output_do_not_both_enter() -> None:
    mine, other = stage("model=1"), stage("model=2")
    merged = merge_locks({}, {"train": mine}, {"fit": other, "b": B})
    assert merged.lock == {"train": mine, "b": B}
    (conflict,) = merged.conflicts
    assert (conflict.name, conflict.theirs, conflict.claims, conflict.kept) == ("fit", other, b"model", None)


def test_an_output_that_went_from_one_stage_to_another() -> None:
    base = {"a": stage("model=1")}
    merged = merge_locks(base, {"b": stage("model=2")}, {**base, "c": B})
    assert merged == LockMerge({"b": stage("model=2"), "c": B}, ())
