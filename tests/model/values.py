"""What the model of deletion on a remote is made of: rules, sizes, states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple


@dataclass(frozen=True)
class Rules:
    """What makes deletion safe; each can be left out."""

    second_look: bool = True
    fresh_keys: bool = True
    dead_before_packs: bool = True
    dead_before_record: bool = True
    records_again: bool = True
    lists_before_records: bool = True
    doomed_stays: bool = True
    list_last: bool = True
    copies_of_doomed: bool = True
    """A copy in a doomed pack does not count as one."""


ALL_RULES = Rules()


@dataclass(frozen=True)
class Size:
    """How much there is of everything. ``memo``: pushers may find a record of an earlier push and rely on it.

    ``release``: collections may release records. ``stale``: a pusher may not find a pack that is there, as no
    index names it yet.
    """

    pushers: int = 2
    collectors: int = 2
    packs: int = 1
    memo: bool = True
    release: bool = True
    stale: bool = False
    swaps: bool = True
    """States that differ by swapping actors count as one. A trace is easier to read without."""


# What is true of a key or of a record: bit 0 it exists; then for each pusher, collector, list.
EXISTS = 1


class Pusher(NamedTuple):
    """``seen``: dead lists read. ``void``: its record was released after it had looked: not lost, but let go."""

    at: int
    seen: int
    void: bool


class Collector(NamedTuple):
    """``finish``: lists that it finishes. ``seen``: lists read. ``live``: the object is needed, as far as it read."""

    at: int
    finish: int
    seen: int
    live: bool


class State(NamedTuple):
    pushers: tuple[Pusher, ...]
    collectors: tuple[Collector, ...]
    lists: int
    keys: tuple[int, ...]
    records: tuple[int, ...]


P_DEAD, P_PACKS, P_UPLOAD, P_RECORD, P_LOOK_DEAD, P_LOOK_PACKS, P_LOOK_RECORD, P_DONE = range(8)
(
    C_RECORDS,
    C_DEAD,
    C_PACKS,
    C_COPY,
    C_LIST,
    F_LISTS,
    F_RECORDS,
    F_DEAD,
    F_PACKS,
    F_COPY,
    F_DROP,
    F_DELETE,
    F_END,
    C_DONE,
) = range(14)


def with_pusher(
    state: State, i: int, *, at: int | None = None, seen: int | None = None, void: bool | None = None
) -> State:
    old = state.pushers[i]
    new = Pusher(old.at if at is None else at, old.seen if seen is None else seen, old.void if void is None else void)
    return state._replace(pushers=(*state.pushers[:i], new, *state.pushers[i + 1 :]))


def with_collector(
    state: State,
    j: int,
    *,
    at: int | None = None,
    finish: int | None = None,
    seen: int | None = None,
    live: bool | None = None,
) -> State:
    old = state.collectors[j]
    new = Collector(
        old.at if at is None else at,
        old.finish if finish is None else finish,
        old.seen if seen is None else seen,
        old.live if live is None else live,
    )
    return state._replace(collectors=(*state.collectors[:j], new, *state.collectors[j + 1 :]))


def replaced(masks: tuple[int, ...], old: int, new: int) -> tuple[int, ...]:
    at = masks.index(old)
    return (*masks[:at], new, *masks[at + 1 :])


def choices(masks: list[int]) -> Iterator[tuple[int, ...]]:
    """Every choice of some of *masks*, none and all among them; like ones are not told apart."""
    kinds = sorted(set(masks))
    for counts in product(*(range(masks.count(kind) + 1) for kind in kinds)):
        yield tuple(kind for kind, count in zip(kinds, counts) for _ in range(count))


def names_of(lists: int) -> str:
    return " and ".join(f"list {j + 1}" for j in range(lists.bit_length()) if lists >> j & 1)
