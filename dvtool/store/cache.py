"""The cache: the store on the user's own disk. Reading; `dvtool.store.cachewriter` writes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.disk.durable import make_dirs
from dvtool.disk.lock import FileLock
from dvtool.disk.lock import Waiting
from dvtool.disk.signature import StatSignature
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.digest import is_adopted
from dvtool.model.paths import show
from dvtool.store.foreign import Proofs
from dvtool.store.localpacks import LocalPacks
from dvtool.store.localpacks import PackKey
from dvtool.store.localpacks import Place
from dvtool.store.names import STORE_FILE
from dvtool.store.names import loose_name

LOOSE_FROM = 128 << 10
"""Blobs of so many bytes and more lie loose, one file each; smaller ones travel in packs."""
_FEW = 16
"""So few objects are looked up in a record; for more it is gone through."""


class Settings(NamedTuple):
    """How a cache is kept.

    ``durable``: sync what a pointer will name. ``loose_all``: keep every blob but the empty one
    loose, which hardlinks and symlinks need. ``group_shared``: files and folders are writable
    (folders) and readable by the group, whatever the umask.
    """

    durable: bool = True
    loose_all: bool = False
    group_shared: bool = False


DEFAULTS = Settings()
WAIT = Waiting()


class Cache:
    """Objects on the local disk below *root*, by their digest.

    Nothing is created before something is written. Reads verify; what is damaged raises
    `IntegrityError`, what is absent `MissingData`. One thread may use it.

    ``lock``: writers hold it shared, deletion exclusive. Readers take it, shared, only for the look
    that proves an object absent. ``waiting``: how long, and who is told.
    """

    def __init__(self, root: bytes, settings: Settings = DEFAULTS, waiting: Waiting = WAIT) -> None:
        self.root = root
        self.settings = settings
        self.waiting = waiting
        # Who cannot open it would go on without one: so the group may, whatever the umask.
        shared = settings.group_shared
        self.lock = FileLock(
            os.path.join(root, b"lock"), mode=0o664 if shared else 0o666, exact_mode=shared, waiting=waiting
        )
        self.packs = LocalPacks(root, self.lock)
        self._loose_shards: dict[int, set[bytes]] = {}
        self._proofs = Proofs()
        self._fresh: dict[bytes, StatSignature] = {}
        self._checked = False
        self._last_record: tuple[tuple[PackKey, int], dict[ObjectId, bytes]] | None = None

    def _check_version(self) -> None:
        if self._checked:
            return
        if os.path.lexists(os.path.join(self.root, os.fsencode(STORE_FILE))):
            # Reading it takes modules that a clean `status` does not need: 6 ms.
            from dvtool.store.storefile import read_store_file

            read_store_file(self.root)
        self._checked = True

    def create(self) -> None:
        """Make the folders and the store file where they are missing."""
        from dvtool.store.storefile import ensure_store_file

        for folder in (b"data", b"meta", b"index", b"objects", b"tmp"):
            self.make_folder(os.path.join(self.root, folder))
        ensure_store_file(self.root)
        self._checked = True

    def make_folder(self, path: bytes) -> None:
        """Create a folder of the cache with its parents, shared with the group if so set."""
        if not self.settings.group_shared:
            make_dirs(path)
        elif not os.path.isdir(path):
            if len(path) > len(self.root):
                self.make_folder(os.path.dirname(path))
            make_dirs(path)
            # The group of the cache writes into its folders, whoever made them: that is what was asked for.
            # Where another of the group was faster, it is theirs to do.
            with contextlib.suppress(PermissionError):
                os.chmod(path, 0o2775)  # noqa: S103

    @property
    def tmp(self) -> bytes:
        """Where unfinished files lie."""
        return os.path.join(self.root, b"tmp")

    def loose_path(self, oid: bytes) -> bytes:
        """Where the loose blob lies, if it does."""
        return os.path.join(self.root, os.fsencode(loose_name(oid)))

    def has_loose(self, oid: bytes) -> bool:
        """True when the blob lies loose. Each folder is listed once; own additions are `added_loose`."""
        if is_adopted(oid):
            return False
        shard = self._loose_shards.get(oid[0])
        if shard is not None and not shard:
            return False
        if shard is None:
            self._check_version()
            try:
                shard = set(os.listdir(os.path.join(self.root, b"objects", b"%02x" % oid[0])))
            except (FileNotFoundError, NotADirectoryError):
                shard = set()
            self._loose_shards[oid[0]] = shard
        return oid.hex().encode("ascii") in shard

    def linked_object(self, target: bytes) -> tuple[ObjectId, int] | None:
        """Address and size of the loose blob that a symbolic link to *target* stands for; None for any other."""
        folder = os.path.join(os.path.abspath(self.root), b"objects", b"")
        name = os.path.basename(target)
        if not target.startswith(folder) or len(name) != 64:
            return None
        try:
            oid = ObjectId(bytes.fromhex(name.decode("ascii")))
            size = os.stat(target).st_size
        except (ValueError, OSError):
            return None
        return (oid, size) if target == os.path.abspath(self.loose_path(oid)) else None

    def added_loose(self, oid: bytes) -> None:
        """A loose blob was published by this process."""
        self.has_loose(oid)
        self._proofs.forget_loose(oid)
        self._loose_shards[oid[0]].add(oid.hex().encode("ascii"))

    def added_large(self, oid: bytes, signature: StatSignature) -> None:
        """As `added_loose`; what was hashed on its way in need not be read again while its file stays as it is."""
        self.added_loose(oid)
        self._fresh[oid] = signature

    def is_fresh(self, oid: bytes, signature: StatSignature) -> bool:
        """Whether this process has hashed and written the loose blob itself, and nobody touched its file since."""
        return self._fresh.get(oid) == signature

    def was_written(self, oid: bytes) -> bool:
        """Whether this process wrote the loose blob; `is_fresh` says whether it is still what was written."""
        return oid in self._fresh

    def removed_loose(self, oid: bytes) -> None:
        """A loose blob was taken away by this process."""
        self._loose_shards.pop(oid[0], None)
        self._fresh.pop(oid, None)

    def forget(self) -> None:
        """Look at the disk again at the next use."""
        self.packs.forget()
        self._loose_shards.clear()

    def has_blob(self, oid: bytes) -> bool:
        """True when the cache holds the bytes of a file, as far as structure tells."""
        return self.packs.find(oid, DATA) is not None or self.has_loose(oid)

    def has_meta(self, oid: bytes, kind: int) -> bool:
        """True when the cache holds a tree page, recipe or alias."""
        place = self.packs.find(oid, META)
        return place is not None and place.kind == kind

    def has_sound_blob(self, oid: bytes) -> bool:
        """`has_blob`, for who relies on it: what belongs to another user is read and proved before."""
        return self._is_in_sound_pack(oid, DATA) or (self.has_loose(oid) and self.is_sound_loose(oid))

    def has_sound_page(self, oid: bytes) -> bool:
        """The same for a tree page."""
        return self._is_in_sound_pack(oid, META)

    def is_sound_loose(self, oid: bytes) -> bool:
        """Whether the loose blob, which is there, is our own or proves right."""
        return self._proofs.is_sound_loose(self.loose_path(oid), oid)

    def _is_in_sound_pack(self, oid: bytes, pack_class: int) -> bool:
        while (place := self.packs.find(oid, pack_class)) is not None:
            if self._proofs.is_sound_pack(self.packs.path(place.pack), place.pack):
                return True
            self.packs.mark_bad(place.pack, place.offset)
        return False

    def read_meta(self, oid: ObjectId, kind: int) -> bytes:
        """A tree page, recipe or alias. Trees are verified against their digest; others name another object.

        Raises `MissingData`, `IntegrityError`.
        """
        self._check_version()
        place = self.packs.find(oid, META)
        if place is None or place.kind != kind:
            raise MissingData(f"{as_digest(oid)} is not in the cache")
        return self._read_place(oid, place)

    def read_blob(self, oid: ObjectId) -> bytes:
        """The bytes of a file, whole in memory. Raises `MissingData`, `IntegrityError`."""
        self._check_version()
        place = self.packs.find(oid, DATA)
        if place is not None:
            return self._read_place(oid, place)
        if not self.has_loose(oid):
            raise MissingData(f"{as_digest(oid)} is not in the cache")
        path = self.loose_path(oid)
        with open(path, "rb") as file:
            data = file.read()
        if object_id(data) != oid:
            raise IntegrityError(f"{show(path)}: the bytes are not what their name says", path=path)
        return data

    def _read_place(self, oid: ObjectId, place: Place) -> bytes:
        try:
            return self.packs.read(oid, place)
        except FileNotFoundError:
            return self._read_moved(oid, place)
        except (IntegrityError, FormatError) as error:
            self.packs.mark_bad(place.pack, place.offset)
            other = self.packs.find(oid, place.pack.pack_class)
            if other is None:
                raise IntegrityError(
                    f"{error.message} (wanted: blake3:{oid.hex()})",
                    path=error.path,
                    hint=error.hint or "`dvtool pull` fetches it again",
                ) from error
            return self._read_place(oid, other)

    def _read_moved(self, oid: ObjectId, place: Place) -> bytes:
        """After a pack vanished. The lock ends a race that a reader could lose again and again."""
        was_kept = self.lock.held
        with self.packs.kept():
            if was_kept:
                # Nobody may have merged it: it is simply gone.
                self.packs.removed(place.pack)
            else:
                self.packs.forget()
            other = self.packs.find(oid, place.pack.pack_class)
            if other is None:
                raise MissingData(f"{as_digest(oid)} is not in the cache")
            return self._read_place(oid, other)

    def in_pack_order(self, oids: Iterable[ObjectId]) -> tuple[list[tuple[Place, ObjectId]], list[ObjectId]]:
        """Packed blobs sorted so that each record is read once, and those that lie loose or nowhere.

        One that lies in both counts as packed, unless every blob is to be loose: then it is to be linked.
        """
        packed: list[tuple[Place, ObjectId]] = []
        other: list[ObjectId] = []
        find = self.packs.find
        prefers_loose = self.settings.loose_all
        for oid in oids:
            place = find(oid, DATA)
            if place is None or (prefers_loose and self.has_loose(oid)):
                other.append(oid)
            else:
                packed.append((place, oid))
        packed.sort()
        return packed, other

    def _find_again(self, gone: list[tuple[Place, ObjectId]]) -> tuple[list[tuple[Place, ObjectId]], list[ObjectId]]:
        """New places, in order, after a pack vanished: another process has merged it. And what has none."""
        self.packs.forget()
        found: list[tuple[Place, ObjectId]] = []
        lost: list[ObjectId] = []
        for place, oid in gone:
            other = self.packs.find(oid, place.pack.pack_class)
            if other is None:
                lost.append(oid)
            else:
                found.append((other, oid))
        found.sort()
        return found, lost

    def _objects_at(self, place: Place) -> dict[ObjectId, bytes]:
        """What the record holds. Raises as `LocalPacks.read_record`.

        The last one is at hand: many small outputs of stages lie in one, and are asked for one by one.
        """
        where = (place.pack, place.offset)
        if self._last_record is None or self._last_record[0] != where:
            objects = self.packs.read_record(place.pack, place.offset)
            self._last_record = where, {object_id(data): data for data in objects}
        return self._last_record[1]

    def read_packed(self, packed: list[tuple[Place, ObjectId]]) -> Iterator[tuple[ObjectId, bytes | IntegrityError]]:
        """The verified bytes of each, record by record; for a damaged one the error instead."""
        at = 0
        count = len(packed)
        while at < count:
            first = packed[at][0]
            start = end = at
            wanted: set[ObjectId] = set()
            while end < count and packed[end][0].offset == first.offset and packed[end][0].pack == first.pack:
                wanted.add(packed[end][1])
                end += 1
            at = end
            try:
                objects = self._objects_at(first)
            except FileNotFoundError:
                packed, lost = self._find_again(packed[start:])
                at, count = 0, len(packed)
                objects, wanted = {}, set(lost)
            except (IntegrityError, FormatError, OSError):
                objects = {}
            for oid in [oid for oid in wanted if oid in objects] if len(wanted) < _FEW else list(objects):
                if oid in wanted:
                    wanted.discard(oid)
                    yield oid, objects[oid]
            sizes = self.packs.keys()
            for oid in wanted:
                if first.pack in sizes:
                    self.packs.mark_bad(first.pack, first.offset)
                try:
                    yield oid, self.read_blob(oid)
                except MissingData:
                    path = self.packs.path(first.pack)
                    yield (
                        oid,
                        IntegrityError(
                            f"{show(path)}: the record at {first.offset} is damaged and held blake3:{oid.hex()}",
                            path=path,
                        ),
                    )
                except IntegrityError as error:
                    yield oid, error
