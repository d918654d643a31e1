"""Local copies of a remote's index files, each proved right once when it is fetched."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Collection
from collections.abc import Iterable

from dvtool.disk.durable import create_only
from dvtool.disk.durable import discard
from dvtool.disk.folders import make_folders
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.index import HEAD_BYTES
from dvtool.formats.index import IndexReader
from dvtool.formats.index import encode_index
from dvtool.formats.index import packs_in
from dvtool.hashing.digests import object_id
from dvtool.hashing.digests import pack_id
from dvtool.model.paths import show
from dvtool.model.ports import Remote
from dvtool.store.names import CATALOG
from dvtool.store.names import INDEX
from dvtool.transfer.catalog import list_indexes
from dvtool.transfer.catalog import write_catalog
from dvtool.transfer.parallel import Workers
from dvtool.transfer.presence import key_of
from dvtool.transfer.reread import read_right

_LISTINGS = 4
_WRITES = 3
_NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)


class IndexCopies:
    """Index files of one store, in *folder*. An index decides nothing, so one that is wrong is passed over."""

    def __init__(self, remote: Remote, folder: bytes, workers: Workers) -> None:
        self._remote = remote
        self._folder = folder
        self._workers = workers
        self._readers: dict[str, IndexReader] = {}
        self._bad: set[str] = set()
        self._has_catalog = False
        self.notes: list[str] = []
        """One line for each index file that was passed over because it is damaged."""

    @property
    def readers(self) -> list[IndexReader]:
        """The index files that were there at the last `refresh`, and those added since."""
        return [*self._readers.values()]

    def named_readers(self) -> dict[str, IndexReader]:
        """The same by their names on the remote."""
        return self._readers

    def refresh(self) -> None:
        """List the index files and fetch those without a copy; copies of files that are gone go too."""
        for _ in range(_LISTINGS):
            names = self._list()
            fetched = dict(zip(names, self._workers.map(self._get, names)))
            self._readers = {name: reader for name, reader in fetched.items() if reader is not None}
            if all(name in self._readers or name in self._bad for name in names):
                break  # else one was merged into another while we read: look again
        self._prune()

    @property
    def damaged(self) -> frozenset[str]:
        """Names of index files that are on the remote and were passed over."""
        return frozenset(self._bad)

    def renew_catalog(self) -> None:
        """Bring the catalog up to date, where the last listing showed one."""
        if self._has_catalog:
            write_catalog(self._remote)

    def _list(self) -> list[str]:
        names = list_indexes(self._remote)
        self._has_catalog = CATALOG.removeprefix(INDEX) in names
        return sorted(name for name in names if _NAME.fullmatch(name))

    def _get(self, name: str) -> IndexReader | None:
        if name in self._bad:
            return None
        known = self._readers.get(name) or self._open(name)
        if known is not None:
            return known
        where = f"remote {self._remote.name}: {INDEX}{name}"
        try:
            data, reader = read_right(self._remote, INDEX + name, lambda data: (data, _proved(data, name, where)))
        except MissingData:
            return None
        except (FormatError, IntegrityError) as error:
            self._bad.add(name)
            self.notes.append(f"index file passed over: {error.message}")
            return None
        self._keep(name, data)
        return reader

    def _open(self, name: str) -> IndexReader | None:
        path = self._path(name)
        try:
            with open(path, "rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if object_id(memoryview(data)).hex() != name:
                raise IntegrityError(f"{show(path)}: the bytes are not what the name says")
            reader = IndexReader(data, show(path))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, FormatError, IntegrityError):
            discard(None, path)
            return None
        return reader

    def _keep(self, name: str, data: bytes) -> None:
        try:
            make_folders(self._folder)
            create_only(self._path(name), data, mode=0o444, durable=False)
        except OSError:
            return  # a copy only saves time; the cache may be read-only

    def _path(self, name: str) -> bytes:
        return os.path.join(self._folder, name.encode("ascii"))

    def _prune(self) -> None:
        try:
            here = os.listdir(self._folder)
        except OSError:
            return
        for name in here:
            if name.decode("ascii", "replace") not in self._readers:
                discard(None, os.path.join(self._folder, name))

    def pack_count(self) -> int:
        """About how many packs the store has, by the copies that are here: nothing is asked for."""
        if self._readers:
            return sum(len(reader.packs) for reader in self._readers.values())
        count = 0
        try:
            for name in os.listdir(self._folder):
                with open(os.path.join(self._folder, name), "rb") as file:
                    count += packs_in(file.read(HEAD_BYTES))
        except OSError:
            return count
        return count

    def pass_over(self, names: Iterable[str]) -> None:
        """Do without these index files from now on, though there may be a right copy here."""
        for name in names:
            self._readers.pop(name, None)
            discard(None, self._path(name))

    def publish(self, data: bytes) -> str:
        """Write an index file to the remote, read it back, and count it; its name."""
        name = object_id(data).hex()
        if name not in self._readers:
            self._write(name, data)
            self._keep(name, data)
            self._readers[name] = IndexReader(data, f"remote {self._remote.name}: {INDEX}{name}")
        return name

    def _write(self, name: str, data: bytes) -> None:
        for _ in range(_WRITES):
            self._remote.put(INDEX + name, data)
            try:
                if self._remote.get(INDEX + name) == data:
                    return
            except MissingData:
                continue  # somebody has merged it into another already
        raise StorageError(f"remote {self._remote.name}: {INDEX}{name} is not there after it was written")

    def drop_packs(self, keys: Collection[str]) -> None:
        """Replace each index file that names a pack of *keys* by one that does not, then delete it."""
        for name, reader in [*self._readers.items()]:
            if any(key_of(pack) in keys for pack in reader.packs):
                rows = [(pack, table) for pack, table in zip(reader.packs, reader.tables()) if key_of(pack) not in keys]
                if rows:
                    self.publish(encode_index(rows))
                self.drop([name])

    def drop(self, names: list[str]) -> None:
        """Delete index files whose content a merged one holds."""
        for name in names:
            self._remote.delete(INDEX + name)
            self._readers.pop(name, None)
            discard(None, self._path(name))


def _proved(data: bytes, name: str, where: str) -> IndexReader:
    """The index, each of whose tables gives its pack the name that it has."""
    if object_id(data).hex() != name:
        raise IntegrityError(f"{where}: the bytes are not what the name says")
    reader = IndexReader(data, where)
    reader.verify()
    for pack, table in zip(reader.packs, reader.tables()):
        if pack_id(pack.pack_class, table) != pack.id or len(pack.suffix.strip(b"\0")) == 0:
            raise IntegrityError(f"{where}: pack {pack.id.hex()} does not hold what the index says")
    return reader
