"""What a checkout decides, for every combination of what stands there, what was recorded and what is wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pytest

from dvtool.errors import MissingData
from dvtool.formats.tree import encode_leaf
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.model.tree import link_entry
from dvtool.store.trees import entries
from dvtool.store.trees import subtree
from dvtool.store.trees import totals
from dvtool.workspace.checkoutplan import CheckoutPlan
from dvtool.workspace.checkoutplan import States
from dvtool.workspace.checkoutplan import plan_checkout

GOLDEN = Path(__file__).parents[2] / "golden/text/checkout_plan.txt"
PIN = os.environ.get("DVTOOL_PIN") == "1"
"""Read when the tests are collected: the hermetic world takes the variable away."""


class Pages(dict[bytes, bytes]):
    def put(self, rows: list[Entry]) -> TreeRef:
        page = encode_leaf(rows)
        self[object_id(page)] = page
        return TreeRef(object_id(page), *totals(rows))

    def load(self, oid: ObjectId) -> bytes:
        try:
            return self[oid]
        except KeyError:
            raise MissingData(f"{oid.hex()} is not here") from None


PAGES = Pages()


def plain(name: bytes, text: bytes, *, executable: bool = False) -> Entry:
    return file_entry(name, object_id(text), len(text), executable)


STATES: dict[str, Entry | None] = {
    "nothing": None,
    "A": plain(b"x", b"A"),
    "B": plain(b"x", b"B"),
    "A+x": plain(b"x", b"A", executable=True),
    "link": link_entry(b"x", b"target"),
    "dir": directory_entry(b"x", PAGES.put([plain(b"y", b"Y")])),
    "dir+mine": directory_entry(b"x", PAGES.put([plain(b"mine", b"M"), plain(b"y", b"Y")])),
    "empty": directory_entry(b"x", PAGES.put([])),
}
RECORDED = [name for name in STATES if name != "dir+mine"]
UNKNOWN = "unknown"


class Case(NamedTuple):
    """``base`` may be `UNKNOWN`. ``cached``: the bytes of every file but `mine` are in the cache."""

    current: str
    base: str
    wanted: str
    cached: bool
    force: bool


def cases() -> Iterator[Case]:
    for row in product(STATES, [*RECORDED, UNKNOWN], RECORDED, (True, False), (False, True)):
        yield Case(*row)


def inside(entry: Entry | None) -> Entry:
    """A tracked directory `d` that holds *entry* alone."""
    return directory_entry(b"d", PAGES.put([] if entry is None else [entry]))


def decide(case: Case) -> CheckoutPlan:
    mine = object_id(b"M")
    known = case.base != UNKNOWN
    states = States(
        inside(STATES[case.current]),
        inside(STATES[case.base]) if known else None,
        known,
        inside(STATES[case.wanted]),
        PAGES.load,
        PAGES.load,
    )
    return plan_checkout(
        b"d",
        states,
        force=case.force,
        has_blob=lambda oid: case.cached and oid != mine,
        is_left_over=lambda *_: False,
    )


def words(plan: CheckoutPlan) -> str:
    """`+` create, `~` replace, `-` remove, `!` stored first, STOP: a conflict."""
    found = [f"STOP {show(path)} ({why})" for path, why in plan.conflicts]
    if not found:
        found += [f"!{show(path)}" for path in plan.overwritten]
        found += [f"-{show(change.path)}" for change in plan.remove]
        found += [f"~{show(change.path)}" for change in plan.replace]
        found += [f"+{show(change.path)}" for change in plan.create]
    found += [f"keep {show(path)}" for path in plan.kept]
    return " ".join(found) or "."


def show(path: bytes) -> str:
    return path.decode().removeprefix("d/")


def table() -> str:
    lines = [
        "What `dvtool checkout` does with the name x in a tracked directory.",
        "",
        "now: what stands there. recorded: what dvtool itself wrote or added last. The last columns: the bytes",
        "that stand there are in the cache, or not (lost); with --force (!) or without.",
        "dir is a directory with the file y; dir+mine holds an untracked file too, which is never in the cache.",
        "",
        "  .  nothing to do   +x create   ~x replace   -x remove   !x store its bytes first   STOP x: nothing is done",
    ]
    for current, wanted in product(STATES, RECORDED):
        lines += ["", f"now {current}, wanted {wanted}"]
        outcomes: dict[tuple[str, ...], list[str]] = {}
        for base in [*RECORDED, UNKNOWN]:
            columns = tuple(
                words(decide(Case(current, base, wanted, cached, force)))
                for cached in (True, False)
                for force in (False, True)
            )
            outcomes.setdefault(columns, []).append(base)
        for columns, bases in outcomes.items():
            which = "anything" if len(bases) == len(RECORDED) + 1 else ", ".join(bases)
            lines.append(f"    recorded {which}:")
            titles = ("in cache", "in cache!", "lost", "lost!")
            shown: dict[str, list[str]] = {}
            for title, words_ in zip(titles, columns, strict=True):
                shown.setdefault(words_, []).append(title)
            lines += [
                f"        {'always' if len(names) == len(titles) else ', '.join(names)}: {words_}"
                for words_, names in shown.items()
            ]
    return "\n".join(lines) + "\n"


def test_the_table_of_all_outcomes() -> None:
    if PIN:
        GOLDEN.write_text(table())
    assert table() == GOLDEN.read_text()


def placed_by_dvtool(case: Case) -> set[bytes]:
    """What stands there now, in the cache, exactly as it was recorded; all else belongs to the user."""
    mine = leaves(STATES[case.current])
    recorded = {} if case.base == UNKNOWN else leaves(STATES[case.base])
    return {
        path
        for path, entry in mine.items()
        if (entry.kind != FILE or (case.cached and path != b"d/x/mine"))
        and (recorded.get(path) == entry or (case.base == UNKNOWN and entry.kind == FILE))
    }


def leaves(entry: Entry | None) -> dict[bytes, Entry]:
    if entry is None:
        return {}
    if entry.kind != DIRECTORY:
        return {b"d/x": entry}
    return {b"d/x/" + row.name: row for row in entries(PAGES.load, subtree(entry))}


def touched(plan: CheckoutPlan) -> set[bytes]:
    changes = (*plan.replace, *plan.remove)
    return {change.path for change in changes if change.old is not None and change.old.kind != DIRECTORY}


def test_what_is_the_users_own_is_never_touched_without_force() -> None:
    for case in cases():
        plan = decide(case._replace(force=False))
        owned = leaves(STATES[case.current]).keys() - placed_by_dvtool(case)
        assert plan.overwritten == ()
        assert touched(plan).isdisjoint(owned) or plan.conflicts, case
        assert touched(plan).isdisjoint({path for path, _ in plan.conflicts}), case
        assert touched(plan).isdisjoint(plan.kept), case
        assert owned & touched(plan) == set(), case


def test_with_force_what_is_the_users_own_is_stored_before_it_is_touched() -> None:
    for case in cases():
        plan = decide(case._replace(force=True))
        owned = leaves(STATES[case.current]).keys() - placed_by_dvtool(case)
        assert plan.conflicts == ()
        assert touched(plan) & owned == set(plan.overwritten), case


def test_a_plan_without_conflicts_leads_to_what_is_wanted_and_what_is_kept() -> None:
    for case in cases():
        plan = decide(case)
        if plan.conflicts:
            continue
        after = dict(leaves(STATES[case.current]))
        for change in plan.remove:
            after.pop(change.path, None)
        for change in (*plan.replace, *plan.create):
            assert change.new is not None
            if change.new.kind == DIRECTORY:
                after.update({change.path + b"/" + row.name: row for row in entries(PAGES.load, subtree(change.new))})
            else:
                after[change.path] = change.new
        kept = {path: leaves(STATES[case.current])[path] for path in plan.kept}
        assert after == {**leaves(STATES[case.wanted]), **kept}, case


def test_a_file_and_a_directory_never_claim_one_place() -> None:
    for case in cases():
        plan = decide(case)
        for path in (*plan.kept, *(change.path for change in plan.create if not plan.conflicts)):
            places = {change.path for change in plan.create if change.path != path}
            assert not any(path.startswith(place + b"/") for place in places), case
        if not plan.conflicts:
            assert not set(plan.kept) & {change.path for change in plan.create}, case


@pytest.mark.parametrize("force", [False, True])
def test_what_a_killed_checkout_left_torn_may_be_written_again(*, force: bool) -> None:
    asked: list[tuple[bytes, Entry, Entry | None]] = []

    def is_left_over(path: bytes, current: Entry, wanted: Entry | None) -> bool:
        asked.append((path, current, wanted))
        return True

    current, wanted = inside(STATES["A"]), inside(STATES["B"])
    states = States(current, inside(None), True, wanted, PAGES.load, PAGES.load)
    plan = plan_checkout(b"d", states, force=force, has_blob=lambda _: False, is_left_over=is_left_over)
    assert [change.path for change in plan.replace] == [b"d/x"]
    assert (plan.conflicts, plan.overwritten) == ((), ())
    assert asked == [(b"d/x", STATES["A"], STATES["B"])]


def test_a_recorded_directory_whose_pages_are_lost_counts_as_unknown() -> None:
    lost = directory_entry(b"d", TreeRef(object_id(b"nowhere"), 1, 1))
    states = States(inside(STATES["A"]), lost, True, inside(STATES["B"]), PAGES.load, PAGES.load)
    plan = plan_checkout(b"d", states, force=False, has_blob=lambda _: True, is_left_over=lambda *_: False)
    assert [change.path for change in plan.replace] == [b"d/x"]


def test_relink_places_every_unchanged_file_anew() -> None:
    same = inside(STATES["dir"])
    states = States(same, same, True, same, PAGES.load, PAGES.load)
    plan = plan_checkout(b"d", states, force=False, has_blob=lambda _: True, is_left_over=lambda *_: False, relink=True)
    assert [(change.path, change.old == change.new) for change in plan.replace] == [(b"d/x/y", True)]
