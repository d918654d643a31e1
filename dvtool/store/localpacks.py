"""The packs of a cache and the index files over them: which object lies where.

Index files save reading tables and decide nothing. What they claim counts only for packs
that exist now with the size they state; a pack that no index covers is read by its table.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
from collections import OrderedDict
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from dvtool.disk.durable import create_only
from dvtool.disk.durable import discard
from dvtool.disk.durable import fsync_dir
from dvtool.disk.durable import make_dirs
from dvtool.disk.lock import FileLock
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.formats.index import IndexedPack
from dvtool.formats.index import IndexReader
from dvtool.formats.index import encode_index
from dvtool.formats.pack import ALIAS
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import RecordDecoder
from dvtool.hashing.digests import object_id
from dvtool.hashing.digests import pack_id
from dvtool.model.digest import ObjectId
from dvtool.model.digest import is_adopted
from dvtool.model.paths import show
from dvtool.store.names import CLASS_FOLDER
from dvtool.store.names import pack_name
from dvtool.store.names import parse_pack_name
from dvtool.store.packfile import PackFile
from dvtool.store.packfile import Table

UNCOVERED_PACKS = 32
"""Over so many packs without an index, or so many objects in them, the next writer makes one."""
UNCOVERED_OBJECTS = 16_384
TIER_BYTES = (1 << 20, 8 << 20, 64 << 20)
TIER_FILES = 16
"""More index files of one tier are merged into one."""
_OPEN_PACKS = 128
_LOOKS = 20
"""A listing under the lock during which packs came or went is made again; on NFS a name may outlive its file."""
_BLOBS_IN_MEMORY = 1_000_000
_VERIFIED_BYTES = 1 << 20
_GONE = frozenset({errno.ENOENT, errno.ESTALE})


class PackKey(NamedTuple):
    """A pack in a cache."""

    pack_class: int
    id: bytes


class Place(NamedTuple):
    """Where an object lies: the record at ``offset`` of ``pack``; ``size`` are its plain bytes."""

    pack: PackKey
    offset: int
    size: int
    kind: int


class LocalPacks:
    """Finds and reads packed objects below *root*. Lists the directory once, at first use.

    While packs are merged elsewhere a listing can miss an object that is always there: its old pack
    is gone before the listing comes to it, its new one lies where it has looked already. So what is
    not found counts as absent only after a listing under *lock*, which keeps others from taking
    packs away.
    """

    def __init__(self, root: bytes, lock: FileLock | None = None) -> None:
        self._root = root
        self._lock = lock or FileLock(os.path.join(root, b"lock"))
        self._loaded = False
        self._is_proved = False
        self._sizes: dict[PackKey, int] = {}
        self._readers: list[tuple[bytes, IndexReader]] = []
        self._tables: dict[PackKey, Table] = {}
        self._open: OrderedDict[PackKey, PackFile] = OrderedDict()
        self._decoder = RecordDecoder()
        self._bad: set[tuple[PackKey, int]] = set()
        self.damage: list[str] = []
        """One line for each pack or index file that was passed over because it is damaged."""
        self._valid: list[tuple[IndexReader, list[PackKey | None]]] | None = None
        self._blobs: set[bytes] = set()
        self._blobs_of: object = None
        self._damaged: dict[PackKey, str] = {}
        self._damaged_indexes = False

    def path(self, key: PackKey) -> bytes:
        """The file of a pack."""
        return os.path.join(self._root, os.fsencode(pack_name(key.pack_class, key.id)))

    def keys(self) -> dict[PackKey, int]:
        """Every pack that is there, with its size in bytes."""
        self._load()
        return self._sizes

    def damaged(self) -> dict[PackKey, str]:
        """Packs that are there but count as absent because their table cannot be read, and why."""
        self._load()
        return self._damaged

    @property
    def has_damaged_index(self) -> bool:
        """True when an index file is passed over, so that its packs are read by their tables each time."""
        self._load()
        return self._damaged_indexes

    def forget(self) -> None:
        """List again at the next use: another process may have changed the cache."""
        self._loaded = False
        self._tables.clear()
        self._readers.clear()
        self._valid = None
        while self._open:
            self._open.popitem()[1].close()

    def _load(self) -> None:
        if self._loaded:
            return
        self._is_proved = self._lock.held > 0
        for _ in range(_LOOKS):
            self.forget()
            if self._look():
                break
        self._loaded = True

    def _look(self) -> bool:
        """List everything; False when that is to prove what is absent, and packs came or went meanwhile."""
        listed = set(self._list_packs())
        self._sizes = dict(self._with_size(listed))
        # Those who share the lock still set damaged packs aside, after what is right in them lies in new ones.
        is_steady = not self._is_proved or listed == set(self._list_packs())
        self._look_inside()
        return is_steady and (not self._is_proved or listed == self._sizes.keys() | self._damaged.keys())

    def _with_size(self, keys: Iterable[PackKey]) -> Iterable[tuple[PackKey, int]]:
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                yield key, os.lstat(self.path(key)).st_size

    def _look_inside(self) -> None:
        self._damaged.clear()
        self._damaged_indexes = False
        self._readers = list(self._open_indexes())
        self._valid = None
        covered = {
            PackKey(pack.pack_class, pack.id)
            for _, reader in self._readers
            for pack in reader.packs
            if self._sizes.get(PackKey(pack.pack_class, pack.id)) == pack.size
        }
        for key in [key for key in self._sizes if key not in covered]:
            self._load_table(key)

    def _list_packs(self) -> Iterable[PackKey]:
        for pack_class in (DATA, META):
            folder = os.path.join(self._root, os.fsencode(CLASS_FOLDER[pack_class]))
            for shard in _names(folder):
                if not os.path.isdir(os.path.join(folder, shard)):
                    continue
                for digits in _names(os.path.join(folder, shard)):
                    name = f"{CLASS_FOLDER[pack_class]}/{os.fsdecode(shard)}/{os.fsdecode(digits)}"
                    parsed = parse_pack_name(name)
                    if parsed is not None and not parsed[2]:
                        yield PackKey(pack_class, parsed[1])

    def _open_indexes(self) -> Iterable[tuple[bytes, IndexReader]]:
        folder = os.path.join(self._root, b"index")
        for name in sorted(_names(folder)):
            path = os.path.join(folder, name)
            if len(name) != 64:
                continue
            try:
                with open(path, "rb") as file:
                    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                reader = IndexReader(data, show(path))
                if len(data) <= _VERIFIED_BYTES:
                    reader.verify()
            except FileNotFoundError:
                continue
            except (OSError, ValueError, FormatError, IntegrityError) as error:
                self._damaged_indexes = True
                self._report(f"index file passed over: {error}")
                continue
            yield name, reader

    def _load_table(self, key: PackKey) -> None:
        try:
            self._tables[key] = Table(self.open(key).table(key.id))
        except OSError as error:
            if error.errno not in _GONE:
                raise
            self._sizes.pop(key)
        except (FormatError, IntegrityError) as error:
            self._sizes.pop(key, None)
            self._valid = None
            self._damaged[key] = error.message
            self._report(error.message)

    def _report(self, line: str) -> None:
        if line not in self.damage:
            self.damage.append(line)

    def open(self, key: PackKey) -> PackFile:
        """The pack, kept open for a while. Raises ``OSError``, `FormatError`."""
        pack = self._open.get(key)
        if pack is None:
            pack = PackFile(self.path(key))
            if pack.pack_class != key.pack_class:
                pack.close()
                raise FormatError(f"{show(self.path(key))}: a pack of another class than its name says")
            while len(self._open) >= _OPEN_PACKS:
                self._open.popitem(last=False)
            self._open[key] = pack
        else:
            self._open.move_to_end(key)
        return pack

    def find(self, oid: bytes, pack_class: int) -> Place | None:
        """A place of the object in a pack of that class that is there and not known to be bad."""
        if is_adopted(oid):
            return None
        if not self._loaded:
            self._load()
        for reader, keys in self._lookups():
            for number, offset, size, kind in reader.find(oid):
                key = keys[number]
                if key is not None and key.pack_class == pack_class and not (self._bad and (key, offset) in self._bad):
                    return Place(key, offset, size, kind)
        for key, table in self._tables.items():
            if key.pack_class == pack_class:
                entry = table.find(oid)
                if entry is not None and (key, entry.offset) not in self._bad:
                    return Place(key, entry.offset, entry.size, entry.kind)
        return None if self._is_proved else self._find_proved(oid, pack_class)

    def blobs(self) -> AbstractSet[bytes]:
        """Addresses of blobs that surely have a place; for one that is not among them, ask `find`.

        For whoever asks for very many: a look into it takes a tenth of a `find`. 100 MB at most.
        """
        if not self._loaded:
            self._load()
        lookups = self._lookups()
        if self._blobs_of is not lookups:
            self._blobs_of = lookups
            self._blobs = set()
            whole = [reader for reader, keys in lookups if None not in keys]
            if sum(reader.entry_count for reader in whole) <= _BLOBS_IN_MEMORY:
                self._blobs.update(*(reader.digests(BYTES) for reader in whole))
        return frozenset() if self._bad else self._blobs

    def _find_proved(self, oid: bytes, pack_class: int) -> Place | None:
        with self.kept():
            self._loaded = False
            self._load()
            self._is_proved = True
            return self.find(oid, pack_class)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Meanwhile nobody takes packs away, as far as there are locks. Raises `Locked`, ``OSError``."""
        # Without a lock file nobody has ever written here.
        if self._lock.held or not os.path.lexists(self._lock.path):
            yield
        else:
            with self._lock.acquire(shared=True):
                yield

    def _lookups(self) -> list[tuple[IndexReader, list[PackKey | None]]]:
        """Each index with the keys of its packs, None for one that is not there with that size."""
        if self._valid is None:
            sizes = self._sizes
            self._valid = []
            for _, reader in self._readers:
                keys = [PackKey(pack.pack_class, pack.id) for pack in reader.packs]
                there = [sizes.get(key) == pack.size for key, pack in zip(keys, reader.packs, strict=True)]
                self._valid.append((reader, [key if ok else None for key, ok in zip(keys, there, strict=True)]))
        return self._valid

    def read_record(self, key: PackKey, offset: int) -> list[bytes]:
        """The objects of one record, checksum verified. Raises ``OSError``, `FormatError`, `IntegrityError`."""
        try:
            return self.open(key).read_record(offset, self._decoder)
        except OSError as error:
            self._raise_if_gone(error, key)
            raise

    def _raise_if_gone(self, error: OSError, key: PackKey) -> None:
        """NFS: a file that was deleted on the server cannot be read to its end through an open descriptor."""
        if error.errno == errno.ESTALE:
            if (pack := self._open.pop(key, None)) is not None:
                pack.close()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.path(key)) from error

    def read(self, oid: ObjectId, place: Place) -> bytes:
        """The object, verified against its digest; a recipe or alias only against its record's checksum."""
        objects = self.read_record(place.pack, place.offset)
        if place.pack.pack_class == META and place.kind in (RECIPE, ALIAS) and len(objects) == 1:
            return objects[0]
        for data in objects:
            if len(data) == place.size and object_id(data) == oid:
                return data
        raise IntegrityError(
            f"{show(self.path(place.pack))}: the record at {place.offset} does not hold blake3:{oid.hex()}",
            path=self.path(place.pack),
        )

    def mark_bad(self, key: PackKey, offset: int) -> None:
        """Never offer objects from that record again."""
        self._bad.add((key, offset))

    def table(self, key: PackKey) -> bytes:
        """The proved table of a pack. Raises `FormatError`, `IntegrityError`, ``OSError``."""
        known = self._tables.get(key)
        return known.data if known is not None else self.open(key).table(key.id)

    def added(self, key: PackKey, size: int, table: bytes) -> None:
        """A pack was published by this process."""
        self._load()
        self._sizes[key] = size
        self._damaged.pop(key, None)
        self._valid = None
        self._tables[key] = Table(table)

    def removed(self, key: PackKey) -> None:
        """A pack was taken away by this process."""
        self._load()
        self._sizes.pop(key, None)
        self._valid = None
        self._tables.pop(key, None)
        self._bad = {place for place in self._bad if place[0] != key}
        if (pack := self._open.pop(key, None)) is not None:
            pack.close()

    def drop_stale_indexes(self) -> None:
        """Delete the index files all of whose packs are gone. Needs the exclusive lock."""
        self._load()
        kept: list[tuple[bytes, IndexReader]] = []
        for name, reader in self._readers:
            if any(self._sizes.get(PackKey(pack.pack_class, pack.id)) == pack.size for pack in reader.packs):
                kept.append((name, reader))
            else:
                discard(None, os.path.join(self._root, b"index", name))
        self._readers = kept
        self._valid = None

    def write_index_if_due(self) -> None:
        """Cover uncovered packs, then merge a tier that has grown too long. Needs the shared lock."""
        self._load()
        objects = sum(len(table) for table in self._tables.values())
        if len(self._tables) > UNCOVERED_PACKS or objects > UNCOVERED_OBJECTS:
            self._cover([(key, table.data) for key, table in self._tables.items()])
        for tier, largest in enumerate(TIER_BYTES[:-1]):
            smallest = TIER_BYTES[tier - 1] if tier else 0
            members = [item for item in self._readers if smallest < item[1].size <= largest]
            if len(members) > TIER_FILES:
                self._merge(members)

    def _cover(self, tables: Iterable[tuple[PackKey, bytes]]) -> None:
        rows = [(IndexedPack(key.id, bytes(4), key.pack_class, self._sizes[key]), table) for key, table in tables]
        data = encode_index(rows)
        self._publish_index(data)
        for pack, _ in rows:
            self._tables.pop(PackKey(pack.pack_class, pack.id), None)

    def _merge(self, members: list[tuple[bytes, IndexReader]]) -> None:
        rows: dict[IndexedPack, bytes] = {}
        for _, reader in members:
            try:
                tables = _proved_tables(reader)
            except (FormatError, IntegrityError) as error:
                # Its packs are uncovered from now on, and so read by their own tables.
                self.damage.append(f"index file thrown away: {error}")
                self._loaded = False
                continue
            rows.update(
                (pack, table)
                for pack, table in zip(reader.packs, tables)
                if self._sizes.get(PackKey(pack.pack_class, pack.id)) == pack.size
            )
        merged = self._publish_index(encode_index(rows.items()))
        for name, _ in members:
            if name != merged:
                discard(None, os.path.join(self._root, b"index", name))
        self._readers = [item for item in self._readers if item not in members]
        self._valid = None

    def _publish_index(self, data: bytes) -> bytes:
        folder = os.path.join(self._root, b"index")
        make_dirs(folder)
        name = object_id(data).hex().encode("ascii")
        create_only(os.path.join(folder, name), data, mode=0o444, durable=False)
        self._readers.append((name, IndexReader(data, show(os.path.join(folder, name)))))
        self._valid = None
        return name

    def rebuild_index(self) -> int:
        """Throw all index files away and make one from the packs' own tables. Returns the number of objects."""
        folder = os.path.join(self._root, b"index")
        for name in _names(folder):
            os.unlink(os.path.join(folder, name))
        self.forget()
        self._load()
        objects = sum(len(table) for table in self._tables.values())
        if self._tables:
            self._cover([(key, table.data) for key, table in self._tables.items()])
            fsync_dir(folder)
        return objects


def _proved_tables(reader: IndexReader) -> list[bytes]:
    tables = reader.tables()
    if any(pack_id(pack.pack_class, table) != pack.id for pack, table in zip(reader.packs, tables)):
        raise IntegrityError("its entries are not those of the packs that it names")
    return tables


def _names(folder: bytes) -> list[bytes]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
