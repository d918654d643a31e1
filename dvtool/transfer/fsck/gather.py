"""Healing a remote as a whole: doom what is damaged, bring here what only other remotes have, send what is lost."""

from __future__ import annotations

from collections.abc import Sequence

from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.transfer.fsck.doom import RemoteRepair
from dvtool.transfer.fsck.doom import doom
from dvtool.transfer.fsck.doom import renew_indexes
from dvtool.transfer.large import LargeBlobs
from dvtool.transfer.push import push
from dvtool.transfer.pushplan import Survey
from dvtool.transfer.pushplan import survey
from dvtool.transfer.receive import Item
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.runsync import drop_bundles
from dvtool.transfer.session import Session
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import Walk

_ROUNDS = 8
"""A directory that is brought back shows what it holds; so many times at most, one for each level that was lost."""


def execute_remote_repair(
    cache: Cache,
    remote: Remote,
    others: Sequence[Remote],
    plan: RemoteRepair,
    wanted: Sequence[Wanted],
    context: PushContext,
    reporter: Reporter = SILENT,
) -> list[str]:
    """Carry *plan* out but for its root records; the keys of packs that were doomed.

    Killed anywhere, the same call goes on. What is nowhere to be had stays missing: a note says how much.
    *others* that cannot be asked are told of in a note. Raises `StorageError` where *remote* or the disk fails.
    """
    plain = context._replace(commits=())
    doomed = doom(cache, remote, plan.packs, plain, reporter)
    for key in doomed:
        reporter.note(f"remote {remote.name}: {key} is damaged and counts as absent from now on")
    drop_bundles(remote, plan.runs)
    if plan.indexes or plan.stale:
        renew_indexes(cache, remote, plan.indexes, plain)
    if plan.send:
        gather(cache, remote, others, wanted, reporter)
        try:
            push(cache, remote, wanted, context, reporter)
        except (MissingData, IntegrityError) as error:
            reporter.note(error.message)
    return doomed


def gather(
    cache: Cache, remote: Remote, others: Sequence[Remote], wanted: Sequence[Wanted], reporter: Reporter = SILENT
) -> None:
    """Fetch from *others* what *remote* and the cache both lack of *wanted*, and nothing else.

    What cannot be had stays missing. Raises `StorageError` where *remote* fails.
    """
    before: set[ObjectId] = set()
    for _ in range(_ROUNDS):
        lost = _lost(cache, remote, wanted, reporter)
        if not lost or lost == before or not others:
            return
        before = lost
        try:
            with Session(cache, others, reporter=reporter, what="fsck --repair") as session:
                _receive(session, wanted, lost, reporter)
                session.keep()
        except StorageError as error:
            reporter.note(f"the other remotes could not be asked: {error.message}")
            return


def _lost(cache: Cache, remote: Remote, wanted: Sequence[Wanted], reporter: Reporter) -> set[ObjectId]:
    """What is neither on the remote nor here, as far as directories can be read."""
    with Session(cache, [remote], reporter=reporter, what="fsck --repair") as session:
        store = RemoteStore(remote, cache.root, session.workers)
        if not store.open():
            session.use_stores([])
            return _neither(survey(session, store, wanted))
        store.presence.read_dead()
        store.load_indexes()
        store.find_uncovered()
        store.presence.look([pack for reader in store.indexes().values() for pack in reader.packs])
        session.use_stores([store])
        found = survey(session, store, wanted)
        session.keep()
        return _neither(found)


def _neither(found: Survey) -> set[ObjectId]:
    return {*found.lost, *(item.oid for item in found.failed)}


def _receive(session: Session, wanted: Sequence[Wanted], lost: set[ObjectId], reporter: Reporter) -> None:
    small: list[Item] = []
    large: dict[ObjectId, int] = {}
    for need in Walk(session.load_pages).needs(wanted):
        if need.kind != BYTES or need.oid not in lost or session.cache.has_blob(need.oid):
            continue
        if need.size < CHUNKED_FROM:
            small.append(Item(need.oid, DATA, BYTES, need.size))
        else:
            large[need.oid] = need.size
    reporter.begin("fetching what was lost", total=sum(item.size or 0 for item in small) or None, unit="bytes")
    if small:
        session.receiver.receive(small, lambda item, data: _put(session, item, data))
    session.keep()
    if large:
        LargeBlobs(session, reporter).fetch(large)
    reporter.end()


def _put(session: Session, item: Item, data: bytes) -> None:
    session.writer.put_small(data, item.oid)
