"""Every check against a user's own remote, in a corner of it that is emptied again."""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.ports import Capabilities
from dvtool.model.ports import Foldered
from dvtool.model.ports import Reporter
from dvtool.remote.address import Address
from dvtool.remote.conformance.bench import MIB
from dvtool.remote.conformance.bench import Bench
from dvtool.remote.conformance.bench import CheckFailed
from dvtool.remote.conformance.bench import refused
from dvtool.remote.conformance.checks import CHECKS
from dvtool.remote.conformance.checks import Check
from dvtool.remote.conformance.speed import Clock
from dvtool.remote.conformance.speed import Speed
from dvtool.remote.conformance.speed import measure
from dvtool.remote.conformance.speed import measure_reading
from dvtool.remote.failures import one_line
from dvtool.remote.table import open_bare
from dvtool.remote.table import open_remote

CORNER = "selftest/"
"""Below it lies whatever a trial writes. Nothing else of dvtool looks there."""

_TRIED = tuple(check for check in CHECKS if check.wants != "open_absent")
_LISTING_SECONDS = 60.0
_MANY = 3_000
_LEFT_BEHIND = 86_400.0
"""Seconds after which what an interrupted trial left is taken away by the next one."""


class State(Enum):
    """How a check ended."""

    WORKS = "works"
    FAILS = "fails"
    LACKS = "lacks"
    PASSED_OVER = "not tried"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check: ``why`` says what failed, or what is missing for it."""

    name: str
    title: str
    state: State
    why: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """``large``: bytes of a large value. ``many``: keys of the long listing; None: so many that they take a minute."""

    large: int = 20 * MIB
    many: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """``url`` without secrets. ``lacks``: what it cannot do, in words. ``listed``: keys of the long listing.
    ``left``: keys that could not be removed again."""

    remote: str
    url: str
    capabilities: Capabilities
    outcomes: tuple[Outcome, ...]
    lacks: tuple[str, ...]
    speed: Speed | None
    listed: int
    left: tuple[str, ...]

    @property
    def fails(self) -> bool:
        return any(outcome.state is State.FAILS for outcome in self.outcomes)


def try_remote(address: Address, asked: Asked, folder: bytes, clock: Clock, reporter: Reporter) -> Trial:
    """Run every check. *folder* is an empty local directory.

    Raises what the very first request meets: `AccessDenied`, `StorageError`, `ConfigError`.
    """
    reporter.begin("testing", total=len(_TRIED), unit="checks")
    try:
        with contextlib.closing(open_remote(address)) as probe:
            can = probe.capabilities
            if not can.write:
                return _try_reading(address, folder, clock, reporter)
        return _try_all(address, asked, folder, clock, reporter)
    finally:
        reporter.end()


def _try_all(address: Address, asked: Asked, folder: bytes, clock: Clock, reporter: Reporter) -> Trial:
    corner = f"{CORNER}{os.urandom(8).hex()}/"
    whole = _bench(address, asked, folder, corner)
    try:
        url, can = whole.remote.url, whole.remote.capabilities
        # The first request of all: whatever stands in the way is told as any other command tells it.
        whole.remote.put("speed/probe", b"x")
        _take_away_old(whole, corner)
        speed = measure(_part(whole, "speed/"), clock)
        many = asked.many or max(50, min(_MANY, int((speed.writes or 1.0) * _LISTING_SECONDS)))
        outcomes = []
        for check in _TRIED:
            bench = _part(whole, f"{check.name}/")
            bench.many = many
            outcomes.append(_outcome(check, bench))
            bench.close()
            reporter.advance(1)
    finally:
        left = _take_away(whole, corner)
        whole.close()
    return Trial(address.name, url, can, tuple(outcomes), lacking(can), speed, many, left)


def _try_reading(address: Address, folder: bytes, clock: Clock, reporter: Reporter) -> Trial:
    """A remote that only reads: with the one value that every store has."""
    key = "dvtool-store.json"
    bench = _bench(address, Asked(), folder, "")
    remote = bench.remote
    try:
        item = remote.stat(key)
        if item is None:
            raise MissingData(
                f"remote {remote.name}: there is no {key} at {remote.url}, and nothing can be written there",
                hint="push to that place through a URL that can be written, then test again",
            )
        data = remote.get(key)
        outcomes = []
        for check in _TRIED:
            reporter.advance(1)
            run = {"ranges": _read_ranges, "absent-keys": _read_absent, "refused-names": check.run}.get(check.name)
            if run is not None:
                outcomes.append(_outcome(check._replace(run=run), bench))
        speed = measure_reading(remote, key, len(data), bench.path(), clock)
        return Trial(
            address.name, remote.url, remote.capabilities, tuple(outcomes), lacking(remote.capabilities), speed, 0, ()
        )
    finally:
        bench.close()


def lacking(can: Capabilities) -> tuple[str, ...]:
    """What a remote cannot do, and what that means."""
    found = {
        "writing: it can only be pulled from": not can.write,
        "deleting: `gc --cloud` and repairs are refused, and a merged index stays beside its sources": not can.delete,
        "listing: pulls use the catalog, nothing can be collected": not can.listing,
        "puts that the server refuses when the key exists: two first pushes at the same moment may disagree": (
            can.write and not can.create_only
        ),
        "ranges: whole packs are downloaded, and an interrupted download begins anew": not can.ranges,
        "times of writing: `gc --cloud` is refused": not can.server_time,
        f"fresh listings: they are sure after {can.listing_delay:g} s only": can.listing_delay > 0,
    }
    return tuple(text for text, missing in found.items() if missing)


def _outcome(check: Check, bench: Bench) -> Outcome:
    try:
        if lacks := check.lacks(bench):
            state = State.PASSED_OVER if lacks == check.wants else State.LACKS
            return Outcome(check.name, check.title, state, lacks)
        check.run(bench)
    except CheckFailed as failed:
        return Outcome(check.name, check.title, State.FAILS, str(failed))
    except DvtoolError as error:
        return Outcome(check.name, check.title, State.FAILS, error.message)
    except Exception as error:  # noqa: BLE001 - finding such drivers is what this is for
        why = f"the driver lets a {type(error).__name__} through: {one_line(error)}"
        return Outcome(check.name, check.title, State.FAILS, why)
    return Outcome(check.name, check.title, State.WORKS)


def _read_ranges(bench: Bench) -> None:
    key = "dvtool-store.json"
    data = bench.remote.get(key)
    for start, length in ((0, 1), (3, 5), (len(data) - 2, 2)):
        if bench.remote.get(key, start, length) != data[start : start + length]:
            raise CheckFailed(f"get({start}, {length}) is not that part of the value")
    refused(StorageError, "a range beyond the end", bench.remote.get, key, len(data) - 1, 2)


def _read_absent(bench: Bench) -> None:
    absent = f"{CORNER}absent"
    if bench.remote.stat(absent) is not None:
        raise CheckFailed("stat of an absent key is not None")
    refused(MissingData, "get of an absent key", bench.remote.get, absent)
    refused(MissingData, "a range of an absent key", bench.remote.get, absent, 2, 3)


def _bench(address: Address, asked: Asked, folder: bytes, prefix: str) -> Bench:
    return Bench(
        open_client=lambda: open_remote(address),
        open_bare=lambda: open_bare(address),
        folder=folder,
        address=address,
        prefix=prefix,
        large=asked.large,
        is_ours=False,
    )


def _part(whole: Bench, below: str) -> Bench:
    return Bench(
        open_client=whole.open_client,
        open_bare=whole.open_bare,
        folder=whole.folder,
        address=whole.address,
        prefix=whole.prefix + below,
        large=whole.large,
        is_ours=False,
        written=whole.written,
    )


def _take_away(bench: Bench, corner: str) -> tuple[str, ...]:
    """Empty the corner; the keys that stay."""
    remote = bench.raw()
    if not remote.capabilities.delete:
        return tuple(sorted(bench.written))
    keys = set(bench.written)
    with contextlib.suppress(DvtoolError):
        if remote.capabilities.listing:
            # What is listed is there; what is not was never written, or has gone already.
            keys = {item.key for item in remote.list(corner)}
    left: list[str] = []

    def delete(key: str) -> None:
        try:
            remote.delete(key)
        except DvtoolError:
            left.append(key)

    with ThreadPoolExecutor(remote.capabilities.concurrency) as pool:
        for _ in pool.map(delete, sorted(keys)):
            pass
    bare = bench.open_bare()
    with contextlib.closing(bare), contextlib.suppress(DvtoolError):
        if isinstance(bare, Foldered):
            bare.prune(CORNER)
    return tuple(sorted(left))


def _take_away_old(bench: Bench, corner: str) -> None:
    """What trials that were killed have left, by the server's own clock."""
    remote = bench.raw()
    if not (remote.capabilities.listing and remote.capabilities.delete):
        return
    items = [*remote.list(CORNER)]
    now = max((item.modified for item in items if item.modified is not None), default=0.0)
    for item in items:
        if not item.key.startswith(corner) and item.modified is not None and item.modified < now - _LEFT_BEHIND:
            remote.delete(item.key)


__all__ = ["Asked", "Outcome", "State", "Trial", "lacking", "try_remote"]
