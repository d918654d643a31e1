"""Deleting on a remote as a state machine: pushers and collectors, each step one request, any pause between two.

One object stands for all. It lies in packs (keys), and root records need it. The steps and their order are those
of the code: a pusher is `dvtool.transfer.push` (survey, upload, record, second look), a collector is
`dvtool.transfer.collect` (look, copy, dead list; then look again, copy, delete). There are no clocks: everything is
old enough at any time, so what holds here holds whatever the ages and however long a process sleeps.

A key or a record is known by what is true of it, as a bit mask; a state holds the sorted masks, so that states
which differ in names alone are one. Pushers and collectors are alike, so states that differ by swapping them are
one too. A rule that is left out of `Rules` is how the tests show that it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.model.canonical import Canonical
from tests.model.values import C_COPY
from tests.model.values import C_DEAD
from tests.model.values import C_DONE
from tests.model.values import C_LIST
from tests.model.values import C_PACKS
from tests.model.values import C_RECORDS
from tests.model.values import EXISTS
from tests.model.values import F_COPY
from tests.model.values import F_DEAD
from tests.model.values import F_DELETE
from tests.model.values import F_DROP
from tests.model.values import F_END
from tests.model.values import F_LISTS
from tests.model.values import F_PACKS
from tests.model.values import F_RECORDS
from tests.model.values import P_DEAD
from tests.model.values import P_DONE
from tests.model.values import P_LOOK_DEAD
from tests.model.values import P_LOOK_PACKS
from tests.model.values import P_LOOK_RECORD
from tests.model.values import P_PACKS
from tests.model.values import P_RECORD
from tests.model.values import P_UPLOAD
from tests.model.values import Collector
from tests.model.values import Pusher
from tests.model.values import State
from tests.model.values import choices
from tests.model.values import names_of
from tests.model.values import replaced
from tests.model.values import with_collector
from tests.model.values import with_pusher

Step = tuple[str, State]


class Protocol(Canonical):
    """All states that *size* actors can reach under *rules*."""

    def starts(self) -> Iterator[State]:
        """The object lies in packs that nobody needs; with ``memo`` pushers remember one and an old record."""
        size = self.size
        ready = tuple(Collector(C_RECORDS, 0, 0, False) for _ in range(size.collectors))
        memos = [False, True] if size.memo else [False]
        for remembers in product(memos, repeat=size.pushers):
            key = EXISTS
            for i, each in enumerate(remembers):
                key |= self.mine[i] if each else 0
            pushers = tuple(Pusher(self._look_from() if each else self._survey_from(), 0, False) for each in remembers)
            records = ((key,) if any(remembers) else ()) if size.memo else ()
            keys = [key, *[EXISTS] * (size.packs - 1)]
            if not self.rules.fresh_keys:
                keys.append(self.one_name)
            yield self.tidy(State(pushers, ready, 0, tuple(keys), records))

    def is_lost(self, state: State) -> bool:
        """A push has ended with exit 0, and the object is gone."""
        promised = any(each.at == P_DONE and not each.void for each in state.pushers)
        return promised and not any(key & EXISTS for key in state.keys)

    def steps(self, state: State) -> Iterator[Step]:
        """Everything that can happen next."""
        for i, pusher in enumerate(state.pushers):
            for label, after in self._push(state, i, pusher):
                yield f"push {i + 1}: {label}", self.tidy(after)
        for j, collector in enumerate(state.collectors):
            for label, after in self._collect(state, j, collector):
                yield f"gc {j + 1}: {label}", self.tidy(after)
        if not self.rules.doomed_stays:
            for j in range(self.size.collectors):
                if state.lists >> j & 1:
                    named = self.named[j]
                    yield (
                        f"the list of gc {j + 1} is taken back",
                        self.tidy(
                            state._replace(
                                lists=state.lists & ~(1 << j),
                                keys=tuple(key & ~named for key in state.keys),
                                records=tuple(record & ~named for record in state.records),
                            )
                        ),
                    )

    def _push(self, state: State, i: int, pusher: Pusher) -> Iterator[Step]:
        mine = self.mine[i]
        at = pusher.at
        first = self._survey_from()
        if at == P_DEAD:
            following = P_PACKS if first == P_DEAD else self._after_survey(state, mine, pusher.seen | state.lists)
            yield "reads the dead lists", with_pusher(state, i, at=following, seen=pusher.seen | state.lists)
        elif at == P_PACKS:
            bare = state._replace(keys=tuple(key & ~mine for key in state.keys))
            following = P_RECORD if first == P_DEAD else P_DEAD
            found = {key for key in bare.keys if key & EXISTS and not self.is_named(key, pusher.seen)}
            for key in sorted(found):
                keys = replaced(bare.keys, key, key | mine)
                yield "finds a pack", with_pusher(bare._replace(keys=keys), i, at=following)
            if self.size.stale or not found:
                yield "finds no pack", with_pusher(bare, i, at=P_UPLOAD)
        elif at == P_UPLOAD:
            yield "uploads a pack", with_pusher(self._upload(state, mine), i, at=P_RECORD)
        elif at == P_RECORD:
            records = (*(record & ~mine for record in state.records), EXISTS | mine)
            yield "writes its record", with_pusher(state._replace(records=records), i, at=self._look_from(), void=False)
        elif at == P_LOOK_DEAD:
            seen = pusher.seen | state.lists
            # Only in the wrong order is there something to compare already; what is gone by now is not noticed.
            clean = self.rules.dead_before_packs or not self._is_mine_named(state, mine, seen)
            following = P_LOOK_PACKS if self.rules.dead_before_packs else P_LOOK_RECORD
            yield "looks again at the dead lists", self._looked(state, i, following if clean else P_DEAD, seen)
        elif at == P_LOOK_PACKS:
            fine = self._relies(state, mine, pusher.seen)
            following = P_LOOK_RECORD if self.rules.dead_before_packs else P_LOOK_DEAD
            if not self.rules.dead_before_record:
                fine = fine and not self._is_mine_named(state, mine, pusher.seen)
                following = P_DONE
            yield "looks again at the packs", self._looked(state, i, following if fine else P_DEAD, pusher.seen)
        elif at == P_LOOK_RECORD:
            fine = any(
                record & mine and record & EXISTS and not self.is_named(record, pusher.seen) for record in state.records
            )
            following = P_DONE if self.rules.dead_before_record else P_LOOK_DEAD
            yield "looks again at its record", self._looked(state, i, following if fine else P_DEAD, pusher.seen)

    def _after_survey(self, state: State, mine: int, seen: int) -> int:
        return P_RECORD if self._relies(state, mine, seen) else P_UPLOAD

    def _survey_from(self) -> int:
        return P_DEAD if self.rules.dead_before_packs else P_PACKS

    def _look_from(self) -> int:
        if not self.rules.second_look:
            return P_DONE
        if not self.rules.dead_before_record:
            return P_LOOK_RECORD
        return P_LOOK_DEAD if self.rules.dead_before_packs else P_LOOK_PACKS

    def _looked(self, state: State, i: int, at: int, seen: int) -> State:
        if at == P_DEAD:
            # Something is gone: all over again, with a new record.
            mine = self.mine[i]
            state = state._replace(
                keys=tuple(key & ~mine for key in state.keys),
                records=tuple(record & ~mine for record in state.records),
            )
            return with_pusher(state, i, at=self._survey_from(), seen=seen, void=False)
        return with_pusher(state, i, at=at, seen=seen)

    def _relies(self, state: State, mine: int, seen: int) -> bool:
        return any(key & mine and key & EXISTS and not self.is_named(key, seen) for key in state.keys)

    def _is_mine_named(self, state: State, mine: int, seen: int) -> bool:
        return any(each & mine and self.is_named(each, seen) for each in (*state.keys, *state.records))

    def _upload(self, state: State, also: int) -> State:
        if self.rules.fresh_keys:
            return state._replace(keys=(*state.keys, EXISTS | also))
        keys = tuple(key | EXISTS | also if key & self.one_name else key for key in state.keys)
        return state._replace(keys=keys)

    def _collect(self, state: State, j: int, own: Collector) -> Iterator[Step]:
        at = own.at
        chosen = self.chosen[j]
        if at == C_RECORDS:
            records = tuple(record | chosen if record & EXISTS else record for record in state.records)
            yield "reads the records", with_collector(state._replace(records=records), j, at=C_DEAD)
            yield "has nothing to doom", with_collector(state, j, at=F_LISTS)
        elif at == C_DEAD:
            yield "reads the dead lists", with_collector(state, j, at=C_PACKS, seen=state.lists)
        elif at == C_PACKS:
            yield from self._doom(state, j, own)
        elif at == C_COPY:
            if any(key & chosen and key & EXISTS for key in state.keys):
                yield "copies it to a new pack", with_collector(self._upload(state, 0), j, at=C_LIST)
            else:
                yield "cannot copy it", with_collector(self._forget(state, j), j, at=F_LISTS)
        elif at == C_LIST:
            yield "writes its dead list", self._write_list(state, j)
        else:
            yield from self._end(state, j, own)

    def _end(self, state: State, j: int, own: Collector) -> Iterator[Step]:
        at = own.at
        chosen = self.chosen[j]
        if at == F_LISTS:
            first = F_RECORDS if self.rules.records_again else F_DEAD
            for lists in range(1, 1 << self.size.collectors):
                if lists & state.lists == lists:
                    yield f"will finish {names_of(lists)}", with_collector(state, j, at=first, finish=lists, seen=0)
            yield "ends", with_collector(state, j, at=C_DONE)
        elif at == F_RECORDS:
            records = tuple(record | chosen if record & EXISTS else record & ~chosen for record in state.records)
            yield "reads the records again", with_collector(state._replace(records=records), j, at=F_DEAD)
        elif at == F_DEAD:
            finish = own.finish if self.rules.lists_before_records else state.lists
            live = any(record & chosen and not self.is_named(record, state.lists) for record in state.records)
            if not self.rules.records_again:
                live = own.live
            after = with_collector(self._forget(state, j), j, at=F_PACKS, seen=state.lists, live=live, finish=finish)
            yield "reads the dead lists again", after
        elif at == F_PACKS:
            yield from self._finish(state, j, own)
        elif at == F_COPY:
            if any(key & chosen and key & EXISTS for key in state.keys):
                yield "copies it to a new pack", with_collector(self._forget(self._upload(state, 0), j), j, at=F_DROP)
            else:
                yield "cannot copy it, and keeps all", with_collector(self._spare(state, j), j, at=C_DONE)
        elif at == F_DROP:
            gone = tuple(record & ~EXISTS if self.is_named(record, own.finish) else record for record in state.records)
            following = F_DELETE if self.rules.list_last else F_END
            yield "deletes the released records", with_collector(state._replace(records=gone), j, at=following)
        elif at == F_DELETE:
            yield from self._delete(state, j)
        elif at == F_END:
            following = C_DONE if self.rules.list_last else F_DELETE
            after = state._replace(lists=state.lists & ~own.finish)
            yield f"deletes {names_of(own.finish)}", with_collector(after, j, at=following)

    def _doom(self, state: State, j: int, own: Collector) -> Iterator[Step]:
        """Any choice that the ages and the shares of dead bytes could lead to."""
        chosen = self.chosen[j]
        read = [record for record in state.records if record & chosen and not self.is_named(record, own.seen)]
        bare = state._replace(records=tuple(record & ~chosen for record in state.records))
        standing = [key for key in state.keys if key & EXISTS and not self.is_named(key, own.seen)]
        for released in choices(read) if self.size.release else [()]:
            kept = len(read) > len(released)
            records = bare.records
            for record in released:
                records = replaced(records, record & ~chosen, record)
            for packs in choices(standing):
                if not packs and not released:
                    continue
                keys = state.keys
                for key in packs:
                    keys = replaced(keys, key, key | chosen)
                after = with_collector(state._replace(keys=keys, records=records), j, live=self._later(kept), seen=0)
                what = f"will doom {len(packs)} packs" + (f" and release {len(released)} records" if released else "")
                if not kept or len(packs) < len(standing) or not packs:
                    yield what, with_collector(after, j, at=C_LIST)
                if kept and len(packs) == len(standing) > 0:
                    yield f"{what}, after a copy", with_collector(after, j, at=C_COPY)
        yield "finds nothing to doom", with_collector(bare, j, at=F_LISTS, live=self._later(bool(read)), seen=0)

    def _later(self, live: bool) -> bool:
        """What is read of the records again later need not be kept."""
        return live and not self.rules.records_again

    def _write_list(self, state: State, j: int) -> State:
        chosen, named = self.chosen[j], self.named[j]
        released = [record for record in state.records if record & chosen]
        pushers = tuple(
            pusher._replace(
                void=pusher.void or (self._has_looked(pusher.at) and any(record & self.mine[i] for record in released))
            )
            for i, pusher in enumerate(state.pushers)
        )
        state = state._replace(
            pushers=pushers,
            lists=state.lists | 1 << j,
            keys=tuple(key & ~chosen | named if key & chosen else key for key in state.keys),
            records=tuple(record & ~chosen | named if record & chosen else record for record in state.records),
        )
        return with_collector(state, j, at=F_LISTS)

    def _has_looked(self, at: int) -> bool:
        """Past the moment at which its record counted: the push came before the collection that lets it go."""
        order = [P_LOOK_DEAD, P_LOOK_PACKS, P_LOOK_RECORD]
        if not self.rules.dead_before_packs:
            order = [P_LOOK_PACKS, P_LOOK_DEAD, P_LOOK_RECORD]
        elif not self.rules.dead_before_record:
            order = [P_LOOK_RECORD, P_LOOK_DEAD, P_LOOK_PACKS]
        return at == P_DONE or at in order[order.index(P_LOOK_DEAD) + 1 :]

    def _finish(self, state: State, j: int, own: Collector) -> Iterator[Step]:
        chosen, condemned = self.chosen[j], self.condemned[j]
        there = [key for key in state.keys if key & EXISTS]
        hit = [key for key in there if self.is_named(key, own.finish)]
        relied = own.finish if not self.rules.copies_of_doomed else own.seen
        elsewhere = [key for key in there if not self.is_named(key, relied)]
        keys = tuple(
            key | condemned | (chosen if key & EXISTS else 0) if self.is_named(key, own.finish) else key
            for key in state.keys
        )
        after = with_collector(state._replace(keys=keys), j, at=F_COPY, seen=0, live=False)
        if own.live and hit and not elsewhere:
            yield "must copy it", after
        else:
            yield "need not copy it", with_collector(self._forget(after, j), j, at=F_DROP)

    def _delete(self, state: State, j: int) -> Iterator[Step]:
        condemned = self.condemned[j]
        left = sorted({key for key in state.keys if key & condemned})
        following = F_END if self.rules.list_last else C_DONE
        for key in left:
            keys = replaced(state.keys, key, key & ~condemned & ~EXISTS)
            at = F_DELETE if any(each & condemned for each in keys) else following
            yield "deletes a pack", with_collector(state._replace(keys=keys), j, at=at)
        if not left:
            yield "has deleted all", with_collector(state, j, at=following)

    def _forget(self, state: State, j: int) -> State:
        chosen = self.chosen[j]
        return state._replace(
            keys=tuple(key & ~chosen for key in state.keys),
            records=tuple(record & ~chosen for record in state.records),
        )

    def _spare(self, state: State, j: int) -> State:
        condemned = self.condemned[j]
        return self._forget(state._replace(keys=tuple(key & ~condemned for key in state.keys)), j)
