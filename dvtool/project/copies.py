"""Which remotes are asked for copies before local bytes go, and whether enough of them hold everything."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.store.cache import Cache
from dvtool.transfer.copies import Asked
from dvtool.transfer.copies import CopyProofs
from dvtool.transfer.walk import Need

_SHOWN = 3


def proving_remotes(project: Project, names: Sequence[str], copies: int, owners: Iterable[str] = ("",)) -> list[str]:
    """The remotes to ask for so many *copies*: those named, else the one that what goes belongs to (*owners*,
    empty for the default one), or all where one is not enough.

    Raises `UsageError` where that are too few, `ConfigError`.
    """
    if copies < 1:
        raise UsageError("at least one copy is needed", hint="--min-copies 1")
    chosen = list(dict.fromkeys(names))
    if not chosen and copies == 1:
        chosen = list(dict.fromkeys(project.config.remote(owner or None).name for owner in owners))
    elif not chosen:
        chosen = list(project.config.remotes())
    if len(chosen) < copies:
        number = "1 remote is" if len(chosen) == 1 else f"{len(chosen)} remotes are"
        raise UsageError(
            f"{copies} copies are asked for, but only {number} looked at",
            hint="`dvtool remote add` adds one; -r NAME, given more than once, names those to ask",
        )
    return chosen


@dataclass(slots=True)
class _Lacking:
    objects: int = 0
    paths: dict[bytes, None] = field(default_factory=dict)


def prove(
    cache: Cache, remotes: Sequence[Remote], needs: Iterable[Need], *, copies: int, jobs: int, reporter: Reporter
) -> tuple[str, ...]:
    """The names of the remotes that each hold everything now, at least *copies* of them.

    Raises `MissingData` where they are too few, and the error of a remote that could not be asked
    where it might have been one of them.
    """
    lacking = {remote.name: _Lacking() for remote in remotes}
    paths: deque[bytes] = deque()

    def asked() -> Iterator[Asked]:
        for need in needs:
            paths.append(need.path)
            yield Asked(need.oid, need.kind, need.size)

    reporter.begin("asking the remotes", unit="objects")
    try:
        with CopyProofs(cache, remotes, jobs=jobs) as proofs:
            for _, holding in proofs.each(asked()):
                path = paths.popleft()
                for name, what in lacking.items():
                    if name not in holding:
                        what.objects += 1
                        if len(what.paths) < _SHOWN:
                            what.paths[path] = None
                reporter.advance(1)
    finally:
        reporter.end()
    whole = tuple(name for name, what in lacking.items() if not what.objects)
    if len(whole) >= copies:
        return whole
    if proofs.unreachable:
        raise _untold(proofs.unreachable)
    raise _too_few(lacking, whole, copies, proofs.same)


def _untold(errors: Sequence[DvtoolError]) -> DvtoolError:
    first = errors[0]
    first.message = f"nothing was dropped, for not every remote could be asked: {first.message}"
    return first


def _too_few(
    lacking: dict[str, _Lacking], whole: Sequence[str], copies: int, same: Sequence[tuple[str, str]]
) -> MissingData:
    causes = [MissingData(f"{second} is the same store as {first}: one copy, not two") for first, second in same]
    skipped = {second for _, second in same}
    poor = {name: what for name, what in lacking.items() if what.objects and name not in skipped}
    for name, what in poor.items():
        some = ", ".join(map(show, what.paths))
        causes.append(MissingData(f"{name} lacks {what.objects:,} of the objects, among them those of {some}"))
    hint = f"dvtool push -r {next(iter(poor))}" if poor else "`dvtool remote add` adds another remote"
    if len(causes) == 1 and copies == 1:
        return MissingData(f"nothing was dropped: {causes[0].message}", hint=hint)
    message = f"nothing was dropped: {len(whole)} of {copies} whole copies found on {', '.join(lacking)}"
    return MissingData(message, hint=hint, causes=tuple(causes))
