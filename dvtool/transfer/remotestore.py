"""A remote seen as a store: which object lies in which pack that is really there."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import NamedTuple

from dvtool.errors import AccessDenied
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.index import IndexedPack
from dvtool.formats.index import IndexReader
from dvtool.formats.index import encode_index
from dvtool.formats.pack import DATA
from dvtool.formats.pack import FOOTER_BYTES
from dvtool.formats.pack import META
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.pack import check_table
from dvtool.formats.pack import decode_footer
from dvtool.formats.records import ChunkerSettings
from dvtool.formats.records import StoreFile
from dvtool.formats.records import decode_store_file
from dvtool.formats.records import encode_store_file
from dvtool.hashing.digests import pack_id
from dvtool.model.digest import is_adopted
from dvtool.model.ports import Remote
from dvtool.remote.failures import TransientError
from dvtool.store.localpacks import TIER_BYTES
from dvtool.store.localpacks import TIER_FILES
from dvtool.store.names import INDEX
from dvtool.store.names import STORE_FILE
from dvtool.store.names import parse_pack_name
from dvtool.store.packfile import Table
from dvtool.transfer.indexcopies import IndexCopies
from dvtool.transfer.parallel import Workers
from dvtool.transfer.presence import Presence
from dvtool.transfer.presence import key_of
from dvtool.transfer.reread import read_right
from dvtool.transfer.reread import twice

_TAIL = 64 << 10
_STORE_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class RemotePlace(NamedTuple):
    """Where an object lies on a remote: the record at ``offset``; ``size`` are its plain bytes."""

    pack: IndexedPack
    offset: int
    size: int
    kind: int


class RemoteStore:
    """One remote. *cache_root* is where copies of its index files are kept.

    Nothing is contacted before `open` or `open_or_create`. One thread uses it; requests run in *workers*.
    """

    def __init__(self, remote: Remote, cache_root: bytes, workers: Workers) -> None:
        self.remote = remote
        self.workers = workers
        self.presence = Presence(remote, workers)
        self.store_file: StoreFile | None = None
        self._cache_root = cache_root
        self._copies: IndexCopies | None = None
        self._tables: dict[IndexedPack, Table] = {}
        self._passed_over: list[str] = []

    @property
    def notes(self) -> list[str]:
        """One line for each index file or pack that was passed over because it is damaged."""
        return self._passed_over + (self._copies.notes if self._copies else [])

    @property
    def id(self) -> str:
        """The random id of a store that was opened."""
        assert self.store_file is not None
        return self.store_file.store_id

    def open(self) -> bool:
        """Read the store file; False for a place that nothing was pushed to yet."""
        if self.store_file is None:
            try:
                read_right(self.remote, STORE_FILE, self._take)
            except MissingData as error:
                if not self.remote.capabilities.write:
                    raise StorageError(
                        f"remote {self.remote.name}: there is no store at {self.remote.url}",
                        hint=f"the URL must be that of the directory which holds {STORE_FILE}",
                    ) from error
                return False
        return True

    def open_or_create(self, store_id: str, chunker: ChunkerSettings) -> StoreFile:
        """Read the store file, or make this place a store; of two who do that at once one wins."""
        try:
            if not self.open():
                self._create(store_id, chunker)
        except (AccessDenied, TransientError):
            raise
        except StorageError:
            # A directory that does not exist yet cannot be read, but the first write may create it.
            self._create(store_id, chunker)
        assert self.store_file is not None
        return self.store_file

    def _create(self, store_id: str, chunker: ChunkerSettings) -> None:
        data = encode_store_file(StoreFile(store_id, chunker))
        if not self.remote.put(STORE_FILE, data, create_only=True):
            read_right(self.remote, STORE_FILE, self._take)
            return
        self._take(data)

    def _take(self, data: bytes) -> None:
        where = f"remote {self.remote.name}: {STORE_FILE}"
        store = decode_store_file(data, where)
        if not _STORE_ID.fullmatch(store.store_id):
            raise FormatError(f"{where}: not a valid store id")
        self.store_file = store
        folder = os.path.join(self._cache_root, b"remotes", store.store_id.encode("ascii"), b"index")
        self._copies = IndexCopies(self.remote, folder, self.workers)
        self.presence.pack_count = self._copies.pack_count

    def load_indexes(self) -> None:
        """List the index files now, or take their names from the catalog, and have a proven copy of each here."""
        if self._copies is not None:
            self._copies.refresh()

    def find(self, oid: bytes, pack_class: int) -> Iterator[RemotePlace]:
        """Every place of an object in a pack that is not known to be absent."""
        if self._copies is None or is_adopted(oid):
            return
        is_absent = self.presence.is_absent
        for reader in self._copies.readers:
            for number, offset, size, kind in reader.find(oid):
                pack = reader.packs[number]
                if pack.pack_class == pack_class and not is_absent(pack):
                    yield RemotePlace(pack, offset, size, kind)
        for pack, table in self._tables.items():
            if pack.pack_class == pack_class and not is_absent(pack):
                entry = table.find(oid)
                if entry is not None:
                    yield RemotePlace(pack, entry.offset, entry.size, entry.kind)

    def tables(self, most: int) -> Iterator[tuple[IndexedPack, bytes]]:
        """Packs that are not known to be absent with their tables, from index files of at most *most* entries."""
        for reader in self._copies.readers if self._copies is not None else ():
            if reader.entry_count <= most:
                for pack, table in zip(reader.packs, reader.tables()):
                    if not self.presence.is_absent(pack):
                        yield pack, table
        for pack, known in self._tables.items():
            if not self.presence.is_absent(pack):
                yield pack, known.data

    def indexes(self) -> Mapping[str, IndexReader]:
        """The index files that were found right, by their name below ``index/``."""
        return self._copies.named_readers() if self._copies is not None else {}

    def ever_held(self, oid: bytes) -> Iterator[IndexedPack]:
        """Every pack that an index says held the object, absent ones too."""
        for reader in self.indexes().values():
            yield from (reader.packs[place.pack] for place in reader.find(oid))

    def damaged_indexes(self) -> list[str]:
        """Keys of the index files that were passed over."""
        return [INDEX + name for name in self._copies.damaged] if self._copies is not None else []

    @property
    def index_readers(self) -> list[IndexReader]:
        """The index files that were there at the last `load_indexes`."""
        return self._copies.readers if self._copies is not None else []

    def drop_from_index(self, keys: Collection[str]) -> None:
        """Write the index files that name packs of these keys anew without them. Costs nothing but time if it fails."""
        if self._copies is not None:
            self._copies.refresh()
            self._copies.drop_packs(keys)
            self._copies.renew_catalog()

    def renew_indexes(self, names: Collection[str]) -> None:
        """Cover what damaged index files covered by a new one, made from the packs' own tables; then those go."""
        assert self._copies is not None
        self._copies.pass_over(names)
        self.find_uncovered()
        self.write_index()
        right = self._copies.named_readers()
        self._copies.drop([name for name in names if name not in right])

    @property
    def has_indexes(self) -> bool:
        """Whether any index file was found."""
        return self._copies is not None and bool(self._copies.readers)

    def find_uncovered(self) -> bool:
        """List all packs and read the table of each that no index covers: its objects can be found from here on.

        False when there was none that is not known already.
        """
        if self._copies is None or not self.remote.capabilities.listing:
            return False
        known = len(self._tables)
        covered = {key_of(pack) for reader in self._copies.readers for pack in reader.packs}
        self.read_tables(
            (item.key, item.size) for item in self.presence.list_packs((DATA, META)) if item.key not in covered
        )
        return len(self._tables) > known

    def read_tables(self, packs: Iterable[tuple[str, int]]) -> None:
        """Read the tables of packs (key and size) that no index covers; what is no whole pack is passed over."""
        known = {key_of(pack) for pack in self._tables}
        asked = [(key, size) for key, size in packs if key not in known]
        for pack, table in self.workers.map(self.read_table, asked):
            if pack is not None:
                self._tables[pack] = Table(table)

    def read_table(self, item: tuple[str, int]) -> tuple[IndexedPack | None, bytes]:
        key, size = item
        parsed = parse_pack_name(key)
        if parsed is None or not parsed[2]:
            return None, b""
        pack = IndexedPack(parsed[1], parsed[2], parsed[0], size)
        try:
            return pack, twice(lambda: proved_table(self.remote, pack))
        except MissingData:
            return None, b""
        except (FormatError, IntegrityError) as error:
            self._passed_over.append(f"pack passed over: {error.message}")
            return None, b""

    def added(self, pack: IndexedPack, table: bytes) -> None:
        """A pack was uploaded by this process; no index covers it yet."""
        self._tables[pack] = Table(table)

    def uncovered(self) -> Mapping[IndexedPack, Table]:
        """Packs that were found or uploaded and that no index covers."""
        return self._tables

    def write_index(self) -> None:
        """Cover the uncovered packs that are there, then merge a tier that has grown too long."""
        assert self._copies is not None
        rows = [(pack, table.data) for pack, table in self._tables.items() if not self.presence.is_absent(pack)]
        self._tables.clear()
        if rows:
            self._copies.publish(encode_index(rows))
        if self.remote.capabilities.delete and self.remote.capabilities.listing:
            self._merge_tiers(self._copies)
        self._copies.renew_catalog()

    def _merge_tiers(self, copies: IndexCopies) -> None:
        for tier, largest in enumerate(TIER_BYTES[:-1]):
            smallest = TIER_BYTES[tier - 1] if tier else 0
            members = {name: each for name, each in copies.named_readers().items() if smallest < each.size <= largest}
            if len(members) > TIER_FILES:
                merged = copies.publish(_merged(members.values()))
                copies.drop([name for name in members if name != merged])


def proved_table(remote: Remote, pack: IndexedPack) -> bytes:
    """The table at the end of a pack, proved by the pack's id.

    Raises `FormatError`, `IntegrityError`, `MissingData`, `StorageError`.
    """
    key, size = key_of(pack), pack.size
    where = f"remote {remote.name}: {key}"
    tail_at = max(0, size - _TAIL)
    tail = remote.get(key, tail_at, size - tail_at)
    foot = decode_footer(tail[-FOOTER_BYTES:], size, where)
    if foot.table_offset < tail_at:
        tail = remote.get(key, foot.table_offset, tail_at - foot.table_offset) + tail
        tail_at = foot.table_offset
    start = foot.table_offset - tail_at
    table = tail[start : start + foot.entries * TABLE_ENTRY_BYTES]
    check_table(table, foot, pack.pack_class, where)
    if pack_id(pack.pack_class, table) != pack.id:
        raise IntegrityError(f"{where}: the pack's table does not match the pack's name")
    return table


def _merged(readers: Iterable[IndexReader]) -> bytes:
    rows: dict[IndexedPack, bytes] = {}
    for reader in readers:
        rows.update(zip(reader.packs, reader.tables()))
    return encode_index(rows.items())
