"""Which records a collection releases and which packs it dooms. Pure: values in, a decision out."""

from __future__ import annotations

from collections.abc import Iterable

from dvtool.formats.index import IndexedPack
from dvtool.formats.records import is_record_key
from dvtool.store.packwriter import PACK_WANTED
from dvtool.transfer.collect.types import ListedRecord
from dvtool.transfer.collect.types import PackUse
from dvtool.transfer.collect.types import Selection
from dvtool.transfer.collect.types import Times
from dvtool.transfer.collect.view import View

_SMALL_BYTES = PACK_WANTED // 8
"""Packs below this are merged where together they make one above it."""


def plan_release(view: View, selection: Selection, times: Times) -> tuple[str, ...]:
    """Keys of root records that keep nothing from now on.

    Those of this repository that are old enough and name only commits that this clone has and does not
    select. All others stay, unless ``expire_unknown`` says when they may go; a record without roots keeps nothing.
    """
    released = view.released
    standing = [each for each in view.records if each.key not in released and is_record_key(each.key)]
    own = {
        commit for each in standing if each.record.repository == selection.repository for commit in each.record.commits
    }
    known = selection.known(own)
    return tuple(each.key for each in standing if _is_over(each, view.now, selection, known, times))


def _is_over(each: ListedRecord, now: float, selection: Selection, known: set[str], times: Times) -> bool:
    record = each.record
    age = now - each.modified
    if not record.roots:
        return age >= times.record_age
    if record.repository == selection.repository and record.commits and known.issuperset(record.commits):
        return age >= times.record_age and selection.commits.isdisjoint(record.commits)
    return times.expire_unknown is not None and age >= times.expire_unknown


def plan_candidates(view: View, released: Iterable[str], times: Times) -> set[str]:
    """Keys of packs that may be doomed if little enough of them is needed: old, and named by no young record."""
    gone = view.released.union(released)
    named = {
        key
        for each in view.records
        if each.key not in gone and view.now - each.modified < times.record_age
        for key in each.record.packs
    }
    doomed = view.doomed
    return {
        key
        for key, item in view.packs.items()
        if key not in doomed
        and key not in named
        and item.modified is not None
        and view.now - item.modified >= times.pack_age
    }


def plan_doom(uses: Iterable[PackUse]) -> tuple[list[IndexedPack], list[IndexedPack], int]:
    """Of the candidates: packs to doom as they are, packs to rewrite first, and the bytes that go in all."""
    whole: list[IndexedPack] = []
    rewrite: dict[IndexedPack, PackUse] = {}
    small: dict[int, list[PackUse]] = {}
    for use in uses:
        if not use.live_objects:
            whole.append(use.pack)
        elif 4 * (use.weight - use.live_weight) >= use.weight:
            rewrite[use.pack] = use
        elif use.pack.size < _SMALL_BYTES:
            small.setdefault(use.pack.pack_class, []).append(use)
    for group in small.values():
        if len(group) > 1 and sum(live_bytes(use) for use in group) >= _SMALL_BYTES:
            rewrite.update((use.pack, use) for use in group)
    size = sum(pack.size for pack in whole)
    size += sum(use.pack.size - live_bytes(use) for use in rewrite.values())
    return sorted(whole), sorted(rewrite), size


def live_bytes(use: PackUse) -> int:
    """About how many bytes of a pack's file its needed objects take."""
    return use.pack.size * use.live_weight // use.weight if use.weight else 0
