"""What lies in a cache: packs, loose files, index files, and what does not belong there."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field

from dvtool.disk.durable import PART_PREFIX
from dvtool.disk.durable import TEMPORARY_PREFIX
from dvtool.model.digest import ObjectId
from dvtool.store.localpacks import PackKey
from dvtool.store.names import STORE_FILE
from dvtool.store.names import parse_loose_name
from dvtool.store.names import parse_pack_name
from dvtool.store.salvage import QUARANTINE

_FOLDERS_OF_TEMPORARIES = (b"", b"tmp", b"index", b"roots")
_HOLDING = (b"data", b"meta", b"objects")
_WRITE_BITS = 0o222


@dataclass(slots=True)
class Listing:
    """Sizes in bytes. ``stray``: names below the folders of objects that are none; ``writable``: loose files."""

    packs: dict[PackKey, int] = field(default_factory=dict)
    loose: dict[ObjectId, int] = field(default_factory=dict)
    indexes: list[bytes] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=list)
    leftovers: list[bytes] = field(default_factory=list)
    stray: list[bytes] = field(default_factory=list)
    writable: list[ObjectId] = field(default_factory=list)
    quarantined: list[tuple[bytes, int]] = field(default_factory=list)
    has_store_file: bool = False


def list_cache(root: bytes) -> Listing:
    """Look at every name once. Nothing is opened. Raises ``OSError``."""
    found = Listing(has_store_file=os.path.lexists(os.path.join(root, os.fsencode(STORE_FILE))))
    for folder in _FOLDERS_OF_TEMPORARIES:
        for name, status in _entries(os.path.join(root, folder)):
            place = os.path.join(folder, name)
            if name.startswith((TEMPORARY_PREFIX, PART_PREFIX)):
                found.leftovers.append(place)
            elif folder == b"index":
                found.indexes.append(name)
            elif folder == b"roots" and stat.S_ISREG(status.st_mode):
                found.roots.append(name)
    for folder in _HOLDING:
        for shard, status in _entries(os.path.join(root, folder)):
            if stat.S_ISDIR(status.st_mode):
                _list_shard(root, os.path.join(folder, shard), found)
            else:
                found.stray.append(os.path.join(folder, shard))
    for name, status in _entries(os.path.join(root, QUARANTINE)):
        found.quarantined.append((os.path.join(QUARANTINE, name), status.st_size))
    return found


def _list_shard(root: bytes, folder: bytes, found: Listing) -> None:
    for name, status in _entries(os.path.join(root, folder)):
        place = os.path.join(folder, name)
        pack = parse_pack_name(os.fsdecode(place))
        oid = parse_loose_name(os.fsdecode(place))
        if not stat.S_ISREG(status.st_mode) or (oid is None and (pack is None or pack[2])):
            found.stray.append(place)
        elif pack is not None:
            found.packs[PackKey(pack[0], pack[1])] = status.st_size
        elif oid is not None:
            found.loose[oid] = status.st_size
            if status.st_mode & _WRITE_BITS:
                found.writable.append(oid)


def _entries(folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    try:
        with os.scandir(folder) as listing:
            names = sorted(entry.name for entry in listing)
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        try:
            yield name, os.lstat(os.path.join(folder, name))
        except FileNotFoundError:
            continue  # merged or published elsewhere meanwhile
