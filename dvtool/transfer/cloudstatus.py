"""What a remote lacks of tracked data."""

from __future__ import annotations

from collections.abc import Sequence

from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.transfer.pushplan import Survey
from dvtool.transfer.pushplan import survey
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.session import Session
from dvtool.transfer.types import MissingItem
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import Walk


def remote_status(
    cache: Cache, remote: Remote, wanted: Sequence[Wanted], *, jobs: int = 0, reporter: Reporter = SILENT
) -> tuple[MissingItem, ...]:
    """Files and directory pages of *wanted* that the remote does not hold in a pack that is there now.

    Writes nothing on the remote. Raises `StorageError`, `UsageError`.
    """
    with Session(cache, [remote], jobs=jobs, reporter=reporter, what="status") as session:
        store = RemoteStore(remote, cache.root, session.workers)
        session.use_stores([store] if store.open() else [])
        absent = _absent(_look(session, store, wanted))
        walk = Walk(session.load_pages)
        items = [MissingItem(need.path, need.oid, need.size) for need in walk.needs(wanted) if need.oid in absent]
        items += [MissingItem(failed.path, failed.oid) for failed in walk.failed]
        session.keep()
        return tuple(items)


def _look(session: Session, store: RemoteStore, wanted: Sequence[Wanted]) -> Survey:
    store.load_indexes()
    listed = False
    while True:
        found = survey(session, store, wanted)
        if not listed and not (found.send.nothing and found.complete):
            listed = True
            if store.find_uncovered():
                continue
        if not found.relied or not store.presence.look(found.relied):
            return found


def _absent(found: Survey) -> set[ObjectId]:
    send = found.send
    return set(send.in_packs()) | found.lost | set(send.loose) | set(send.to_cut) | {each.blob for each in send.pieces}
