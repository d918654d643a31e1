"""States that differ in names alone, or in what can make no difference any more, are one."""

from __future__ import annotations

from collections.abc import Iterator

from tests.model.values import ALL_RULES
from tests.model.values import C_DONE
from tests.model.values import EXISTS
from tests.model.values import F_COPY
from tests.model.values import P_DONE
from tests.model.values import Collector
from tests.model.values import Rules
from tests.model.values import Size
from tests.model.values import State
from tests.model.values import with_collector
from tests.model.values import with_pusher


class Canonical:
    """Which bit of a mask says what, and the one form of each state."""

    def __init__(self, size: Size, rules: Rules = ALL_RULES) -> None:
        self.size = size
        self.rules = rules
        self.mine = [1 << (1 + i) for i in range(size.pushers)]
        """Of a key: this pusher relies on it. Of a record: it is this pusher's."""
        base = 1 + size.pushers
        self.named = [1 << (base + j) for j in range(size.collectors)]
        """It is named in the list of this collector."""
        base += size.collectors
        self.chosen = [1 << (base + j) for j in range(size.collectors)]
        """Of a key: this collector is about to doom it. Of a record: to release it, or it has read it."""
        base += size.collectors
        self.condemned = [1 << (base + j) for j in range(size.collectors)]
        """Of a key: this collector is about to delete it."""
        self.one_name = 1 << (base + size.collectors)
        """Of a key, where keys are not fresh: every upload goes there."""

    def is_named(self, mask: int, lists: int) -> bool:
        return any(lists >> j & 1 and mask & named for j, named in enumerate(self.named))

    def tidy(self, state: State) -> State:
        """What can make no difference any more is forgotten, and names are."""
        for i, pusher in enumerate(state.pushers):
            if pusher.at == P_DONE and pusher.seen:
                state = with_pusher(state, i, seen=0)
        for j, own in enumerate(state.collectors):
            if own.at == C_DONE:
                state = with_collector(state, j, finish=0, seen=0, live=False)
        done = sum(mine for mine, pusher in zip(self.mine, state.pushers) if pusher.at == P_DONE)
        keep = EXISTS if self.rules.fresh_keys else EXISTS | self.one_name
        if not (self.rules.dead_before_packs and self.rules.dead_before_record):
            # What was seen and is gone may still be compared with a dead list.
            keep |= sum(mine for mine in self.mine if not done & mine)
        keys = tuple(sorted(key & ~done for key in state.keys if key & keep))
        records = tuple(sorted(record for record in state.records if record & keep))
        state = state._replace(keys=keys, records=records)
        return min(self._swaps(self._without_idle_lists(state)))

    def _without_idle_lists(self, state: State) -> State:
        """A list that names nothing which is there changes nothing."""
        masks = 0
        for each in (*state.keys, *state.records):
            masks |= each
        told = sum(1 << j for j, named in enumerate(self.named) if masks & named)
        if not (state.lists | self._told_to(state)) & ~told:
            return state
        under_way = [
            bool(masks & condemned) or own.at == F_COPY for condemned, own in zip(self.condemned, state.collectors)
        ]
        return State(
            tuple(pusher._replace(seen=pusher.seen & told) for pusher in state.pushers),
            tuple(
                Collector(C_DONE, 0, 0, False)
                if own.finish and not own.finish & told and not busy
                else own._replace(finish=own.finish & told, seen=own.seen & told)
                for own, busy in zip(state.collectors, under_way)
            ),
            state.lists & told,
            state.keys,
            state.records,
        )

    def _told_to(self, state: State) -> int:
        lists = 0
        for pusher in state.pushers:
            lists |= pusher.seen
        for own in state.collectors:
            lists |= own.seen | own.finish
        return lists

    def _swaps(self, state: State) -> Iterator[State]:
        """This state and those that differ by swapping actors, as far as that does not decide itself."""
        if not self.size.swaps:
            yield state
            return
        states = [state]
        if self.size.pushers == 2:
            one, two = ((pusher.at, pusher.void) for pusher in state.pushers)
            if one >= two:
                other = self._swap(state, self.mine)._replace(pushers=state.pushers[::-1])
                states = [other] if one > two else [state, other]
        if self.size.collectors == 2:
            first, second = ((own.at, own.live) for own in state.collectors)
            if first >= second:
                others = [self._swap_collectors(each) for each in states]
                states = others if first > second else [*states, *others]
        yield from states

    def _swap_collectors(self, state: State) -> State:
        state = self._swap(self._swap(self._swap(state, self.named), self.chosen), self.condemned)
        collectors = tuple(
            own._replace(finish=exchanged(own.finish), seen=exchanged(own.seen)) for own in state.collectors[::-1]
        )
        pushers = tuple(pusher._replace(seen=exchanged(pusher.seen)) for pusher in state.pushers)
        return state._replace(collectors=collectors, pushers=pushers, lists=exchanged(state.lists))

    def _swap(self, state: State, bits: list[int]) -> State:
        a, b = bits
        both = a | b
        return state._replace(
            keys=tuple(sorted(key ^ both if (key & both) in {a, b} else key for key in state.keys)),
            records=tuple(sorted(each ^ both if (each & both) in {a, b} else each for each in state.records)),
        )


def exchanged(lists: int) -> int:
    return (lists & 1) << 1 | lists >> 1
