"""Which packs of a remote are there now and not doomed."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator

from dvtool.errors import MissingData
from dvtool.formats.index import IndexedPack
from dvtool.formats.records import DeadList
from dvtool.formats.records import decode_dead_list
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.store.names import CLASS_FOLDER
from dvtool.store.names import DEAD
from dvtool.store.names import pack_name
from dvtool.store.names import parse_pack_name
from dvtool.transfer.catalog import read_catalog
from dvtool.transfer.parallel import Workers
from dvtool.transfer.reread import read_right

ASKED_ONE_BY_ONE = 16
"""More packs than that are always looked up in a listing."""
LISTED_AT_ONCE = 1_000
"""Keys in one answer to a listing, as S3 gives them."""


def key_of(pack: IndexedPack) -> str:
    """The key of a pack on its remote."""
    return pack_name(pack.pack_class, pack.id, pack.suffix)


class Presence:
    """What is known to be absent grows; nothing absent ever counts as present again, as no key is written twice."""

    def __init__(self, remote: Remote, workers: Workers) -> None:
        self._remote = remote
        self._workers = workers
        self._absent: set[IndexedPack] = set()
        self._doomed: set[tuple[int, bytes, bytes]] = set()
        self._released: set[str] = set()
        self._lists_read: set[str] = set()
        self.pack_count: Callable[[], int] | None = None
        """Estimates the packs of the store, where that can be known without asking."""
        self.newest = 0.0
        """The latest time that the server gave to anything that was listed or asked for."""

    def is_absent(self, pack: IndexedPack) -> bool:
        """True when the pack must not be relied on."""
        return pack in self._absent or ((pack.pack_class, pack.id, pack.suffix) in self._doomed)

    def is_released(self, record: str) -> bool:
        """True when a collection has named the root record: it must not be relied on."""
        return record in self._released

    def gone(self, pack: IndexedPack) -> None:
        """The pack was found to be absent or cut off."""
        self._absent.add(pack)

    def read_dead(self) -> None:
        """Read every dead list that is there now."""
        names = [key for key in self._dead_keys() if key not in self._lists_read]
        for dead in self._workers.map(self._read_list, names):
            self._doomed.update(parsed for parsed in map(parse_pack_name, dead.packs) if parsed is not None)
            self._released.update(dead.records)
        self._lists_read.update(names)

    def _dead_keys(self) -> list[str]:
        if not self._remote.capabilities.listing:
            return [DEAD + name for name in read_catalog(self._remote).dead]
        return [item.key for item in self.saw(self._remote.list(DEAD))]

    def _read_list(self, name: str) -> DeadList:
        try:
            where = f"remote {self._remote.name}: {name}"
            return read_right(self._remote, name, lambda data: decode_dead_list(data, where))
        except MissingData:
            return DeadList(())  # a finished collection deletes its list last: all that it names is gone already

    def look(self, packs: Collection[IndexedPack]) -> set[IndexedPack]:
        """Which of *packs* are doomed, or are not there now with their size.

        Dead lists are read before packs are looked at: the other order loses data.
        """
        self.read_dead()
        gone = {pack for pack in packs if self.is_absent(pack)}
        rest = [pack for pack in packs if pack not in gone]
        if not self._is_listing_cheaper(rest):
            sizes = self._ask([key_of(pack) for pack in rest])
        else:
            sizes = {item.key: item.size for item in self.list_packs({pack.pack_class for pack in rest})}
        gone.update(pack for pack in rest if sizes.get(key_of(pack)) != pack.size)
        self._absent |= gone
        return gone

    def _is_listing_cheaper(self, packs: Collection[IndexedPack]) -> bool:
        """Whether to list rather than to ask for each: a repeated push costs the same however long the history."""
        if not self._remote.capabilities.listing:
            return False
        if len(packs) > ASKED_ONE_BY_ONE:
            return True
        classes = len({pack.pack_class for pack in packs})
        known = self.pack_count() if self.pack_count is not None else 0
        return known > 0 and classes + known // LISTED_AT_ONCE < len(packs)

    def _ask(self, keys: list[str]) -> dict[str, int]:
        items = self._workers.map(self._remote.stat, keys)
        return {item.key: item.size for item in self.saw(item for item in items if item is not None)}

    def list_packs(self, classes: Iterable[int]) -> list[RemoteItem]:
        """Every pack of these classes that is there now."""
        folders = [f"{CLASS_FOLDER[pack_class]}/" for pack_class in classes]
        listings = self._workers.map(lambda folder: [*self._remote.list(folder)], folders)
        return [item for items in listings for item in self.saw(items) if parse_pack_name(item.key) is not None]

    def saw(self, items: Iterable[RemoteItem]) -> Iterator[RemoteItem]:
        """Pass *items* on and keep the latest of their times."""
        for item in items:
            if item.modified is not None and item.modified > self.newest:
                self.newest = item.modified
            yield item
