"""No path has two owners in the locks, whatever was changed in definitions."""

from __future__ import annotations

from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.hashing.digests import object_id
from dvtool.model.digest import as_digest
from dvtool.model.pointer import Kind
from dvtool.pipeline.claims import Claims
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import Mark
from dvtool.pipeline.types import Stage

HERE, THERE = b"dvtool.yaml", b"sub/dvtool.yaml"
CONTENT = Content(Kind.FILE, as_digest(object_id(b"x")), 1)


def made(*outs: str, **storing: Storing) -> LockedStage:
    return LockedStage(
        ("c",), outs={out.encode(): CONTENT for out in outs}, storing={k.encode(): how for k, how in storing.items()}
    )


def claims(**locks: dict[str, LockedStage]) -> Claims:
    found = {HERE: locks.get("here", {}), THERE: locks.get("there", {})}
    definitions = [Definition(file, (Stage(file, "a", Mark(file, 1, 1), ("c",)),)) for file in found]
    return Claims(found.__getitem__, definitions)


def test_what_another_stage_had_is_taken_from_it_first() -> None:
    old = made("x", "y", y=Storing(push=False))
    settled = claims(there={"old": old}).settle([(HERE, "a", made("y"))])
    assert settled == [(THERE, "old", made("x")), (HERE, "a", made("y"))]


def test_an_own_output_is_no_other_ones() -> None:
    mine = claims(here={"a": made("x")})
    assert mine.settle([(HERE, "a", made("x", "z"))]) == [(HERE, "a", made("x", "z"))]
    assert mine.settle([(HERE, "a", made("z"))]) == [(HERE, "a", made("z"))]
    assert mine.settle([(THERE, "b", made("x"))]) == [(THERE, "b", made("x"))]


def test_around_and_inside_count_too() -> None:
    locks = {"one": made("d/x"), "two": made("e"), "three": made("dx")}
    assert claims(here=locks).settle([(HERE, "a", made("d", "e/f"))]) == [
        (HERE, "one", made()),
        (HERE, "two", made()),
        (HERE, "a", made("d", "e/f")),
    ]


def test_two_that_swap() -> None:
    both = claims(here={"a": made("x"), "b": made("y")})
    assert both.settle([(HERE, "a", made("y")), (HERE, "b", made("x"))]) == [
        (HERE, "a", made("y")),
        (HERE, "b", made("x")),
    ]
    both = claims(here={"a": made("x"), "b": made("y")})
    assert both.settle([(HERE, "a", made("y"))]) == [(HERE, "b", made()), (HERE, "a", made("y"))]
    assert both.settle([(HERE, "b", made("x"))]) == [(HERE, "b", made("x"))]


def test_stages_that_are_gone() -> None:
    locks = claims(here={"a": made(), "old": made(), "older": made()}, there={"b": made()})
    assert locks.gone([HERE]) == [(HERE, ["old", "older"])]
    assert locks.gone([HERE, THERE]) == [(HERE, ["old", "older"]), (THERE, ["b"])]
