"""Reading from remotes in turn: the first that answers, then the next for what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace

from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.model.paths import is_below
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.project.remotes import Remotes
from dvtool.transfer.types import DamagedItem
from dvtool.transfer.types import FetchResult
from dvtool.transfer.types import MissingItem

NOTHING = FetchResult(0, 0, (), ())


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came for one route: ``remotes`` were asked for it, and ``result`` says what none of them gave."""

    remotes: tuple[str, ...]
    result: FetchResult


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What a fetch did, over all remotes; the words of `FetchResult`."""

    parts: tuple[Fetched, ...]

    @property
    def objects(self) -> int:
        return sum(part.result.objects for part in self.parts)

    @property
    def bytes_received(self) -> int:
        return sum(part.result.bytes_received for part in self.parts)

    @property
    def plain_bytes(self) -> int:
        return sum(part.result.plain_bytes for part in self.parts)

    @property
    def left_out(self) -> int:
        return sum(part.result.left_out for part in self.parts)

    @property
    def left_out_bytes(self) -> int:
        return sum(part.result.left_out_bytes for part in self.parts)

    @property
    def missing(self) -> tuple[MissingItem, ...]:
        return tuple(item for part in self.parts for item in part.result.missing)

    @property
    def damaged(self) -> tuple[DamagedItem, ...]:
        return tuple(item for part in self.parts for item in part.result.damaged)

    @property
    def broken(self) -> tuple[DvtoolError, ...]:
        return tuple(error for part in self.parts for error in part.result.broken)

    def without_missing(self) -> FetchReport:
        """The same where what is missing is no failure."""
        return FetchReport(tuple(replace(part, result=part.result._replace(missing=())) for part in self.parts))

    def without_missing_below(self, paths: Collection[bytes]) -> FetchReport:
        """The same where what is missing there is told otherwise."""

        def kept(part: Fetched) -> Fetched:
            missing = tuple(one for one in part.result.missing if not any(is_below(one.path, path) for path in paths))
            return replace(part, result=part.result._replace(missing=missing))

        return FetchReport(tuple(map(kept, self.parts)))

    def after(self, earlier: FetchReport) -> FetchReport:
        """The state now, with what came before counted in."""
        came = NOTHING._replace(objects=earlier.objects, bytes_received=earlier.bytes_received)
        return FetchReport((*self.parts, Fetched((), came)))


def fetch_in_turn(
    remotes: Remotes, names: Sequence[str], run: Callable[[Sequence[Remote]], FetchResult], reporter: Reporter
) -> Fetched:
    """*run* a fetch from one remote after the other until nothing is missing.

    A remote that fails is told of once, and the next one is asked; what came before it failed stays.
    Raises the first failure where something is missing in the end, for it may be there.
    """
    total = NOTHING
    failures: list[StorageError] = []
    damaged: dict[bytes, DamagedItem] = {}
    last: FetchResult | None = None
    for number, name in enumerate(names):
        try:
            last = run((remotes.get(name),))
        except StorageError as error:
            failures.append(error)
            if number + 1 < len(names):
                reporter.note(f"{error.message}; asking {names[number + 1]} instead")
            continue
        total = last._replace(
            objects=total.objects + last.objects, bytes_received=total.bytes_received + last.bytes_received
        )
        damaged.update((item.oid, item) for item in last.damaged)
        if not (last.missing or last.damaged):
            break
        if number + 1 < len(names):
            lacking = len(last.missing) + len(last.damaged)
            reporter.note(f"{name} does not give {lacking:,} of the objects; asking {names[number + 1]} for them")
    if last is None or (failures and (last.missing or last.damaged)):
        raise failures[0]
    # Wrong bytes on one remote stay damage, though the next one may simply lack them.
    bad = {item.oid: damaged[item.oid] for item in last.missing if item.oid in damaged}
    missing = tuple(item for item in last.missing if item.oid not in bad)
    known = (bad[item.oid]._replace(path=item.path) for item in last.missing if item.oid in bad)
    return Fetched(tuple(names), total._replace(missing=missing, damaged=(*last.damaged, *known)))
