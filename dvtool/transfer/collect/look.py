"""One look at a remote for a collection: what is there, and what of it is needed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from dvtool.errors import IntegrityError
from dvtool.formats.index import IndexedPack
from dvtool.formats.index import IndexReader
from dvtool.formats.index import encode_index
from dvtool.formats.records import Root
from dvtool.transfer.collect.marks import Marks
from dvtool.transfer.collect.marks import Standing
from dvtool.transfer.collect.pages import MetaPages
from dvtool.transfer.collect.plan import plan_candidates
from dvtool.transfer.collect.plan import plan_release
from dvtool.transfer.collect.types import MissingObject
from dvtool.transfer.collect.types import Selection
from dvtool.transfer.collect.types import Times
from dvtool.transfer.collect.view import View
from dvtool.transfer.collect.view import read_view
from dvtool.transfer.presence import key_of
from dvtool.transfer.remotestore import RemoteStore


@dataclass(frozen=True, slots=True)
class Look:
    """``packs``: every pack that is there, by key. ``released``: records that are to be released now."""

    view: View
    marks: Marks
    packs: dict[str, IndexedPack]
    released: tuple[str, ...]
    missing: tuple[MissingObject, ...]
    missing_count: int

    def packs_of(self, keys: Collection[str]) -> list[IndexedPack]:
        """Those of *keys* that are there."""
        return sorted(self.packs[key] for key in keys if key in self.packs)


def look(store: RemoteStore, pages: MetaPages, selection: Selection, times: Times, now: float) -> Look:
    """Read the remote and walk everything that is kept.

    Raises whatever leaves a doubt: `StorageError`, `FormatError`, `IntegrityError`, `MissingData`.
    """
    from dvtool.transfer.collect.walk import LiveWalk

    view = read_view(store.remote, store.workers, now)
    released = plan_release(view, selection, times)
    readers = _read_indexes(store, view)
    candidates = plan_candidates(view, released, times)
    doomed = view.doomed
    standings: dict[IndexedPack, Standing] = {}
    for pack in (pack for reader in readers for pack in reader.packs):
        key = key_of(pack)
        item = view.packs.get(key)
        if item is None:
            continue  # it was deleted, and the index file is older than that
        if item.size != pack.size:
            raise IntegrityError(
                f"remote {store.remote.name}: {key} has {item.size} bytes, but an index file says {pack.size}",
                path=key,
                hint=f"nothing was deleted; `dvtool fsck --remote {store.remote.name}` says what is wrong there",
            )
        standings[pack] = (
            Standing.DOOMED if key in doomed else Standing.CANDIDATE if key in candidates else Standing.KEPT
        )
    marks = Marks(readers, standings)
    walk = LiveWalk(pages, marks, selection.elsewhere)
    walk.run(_roots(view, released, selection))
    packs = {key_of(pack): pack for pack in standings}
    return Look(view, marks, packs, released, tuple(walk.missing), walk.missing_count)


def _roots(view: View, released: Collection[str], selection: Selection) -> dict[Root, str]:
    gone = view.released.union(released)
    roots = dict(selection.roots)
    for each in view.records:
        if each.key not in gone:
            for root in each.record.roots:
                roots.setdefault(root, each.key)
    return roots


def _read_indexes(store: RemoteStore, view: View) -> list[IndexReader]:
    """The index files, and one made here of the packs that none covers. An index in doubt stops the collection."""
    store.load_indexes()
    readers = store.index_readers
    covered = {key_of(pack) for reader in readers for pack in reader.packs}
    doomed = view.doomed
    uncovered = [(key, item.size) for key, item in view.packs.items() if key not in covered]
    store.read_tables(item for item in uncovered if item[0] not in doomed)
    if store.notes:
        raise IntegrityError(
            f"remote {store.remote.name}: {store.notes[0]}",
            hint=f"nothing was deleted; `dvtool fsck --remote {store.remote.name}` says what is wrong there",
        )
    # What a check has found damaged may be in a dead list: then its table need not be right.
    store.read_tables(item for item in uncovered if item[0] in doomed)
    rows = [(pack, table.data) for pack, table in store.uncovered().items() if key_of(pack) not in covered]
    if rows:
        readers = [*readers, IndexReader(encode_index(rows), "packs that no index covers")]
    return readers
