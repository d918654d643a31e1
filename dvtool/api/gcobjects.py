"""The objects that a collection takes, as a list that millions of them fit into."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.formats.pack import ALIAS
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.project.lastnames import LastName
from dvtool.store.collect import DeadObject
from dvtool.store.unnamed import Marks

KINDS = {BYTES: "file", TREE: "listing", RECIPE: "recipe", ALIAS: "alias"}
_OID_BYTES = 32


class GcObject(NamedTuple):
    """An object that goes. ``kind``: "file", "listing" of a directory, or "recipe" of a large file.

    ``path`` and ``commit`` say where it stood last, ``top`` the tracked path it belonged to; empty
    where no commit that is known here has named it. ``size``: plain bytes.
    """

    digest: str
    kind: str
    size: int
    path: bytes
    top: bytes
    commit: str


class GcObjects:
    """Iterates as `GcObject`, named ones first. Compact: about 60 bytes an object, and its path."""

    def __init__(self) -> None:
        self._oids = bytearray()
        self._kinds = bytearray()
        self._sizes = array("Q")
        self._names = bytearray()
        self._ends = array("Q")
        self._owners = array("L")
        self._owner_numbers: dict[tuple[bytes, str], int] = {}

    def __len__(self) -> int:
        return len(self._sizes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GcObjects) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[GcObject]:
        owners = list(self._owner_numbers)
        start = 0
        for number, (kind, size, end, owner) in enumerate(zip(self._kinds, self._sizes, self._ends, self._owners)):
            oid = ObjectId(bytes(self._oids[number * _OID_BYTES : (number + 1) * _OID_BYTES]))
            top, commit = owners[owner]
            yield GcObject(str(as_digest(oid)), KINDS[kind], size, bytes(self._names[start:end]), top, commit)
            start = end

    @property
    def size(self) -> int:
        """Plain bytes of all."""
        return sum(self._sizes)

    def add(self, oid: ObjectId, kind: int, size: int, path: bytes, top: bytes, commit: str) -> None:
        self._oids += oid
        self._kinds.append(kind)
        self._sizes.append(size)
        self._names += path
        self._ends.append(len(self._names))
        self._owners.append(self._owner_numbers.setdefault((top, commit), len(self._owner_numbers)))


def gc_objects(dead: Iterable[DeadObject], named: Iterable[LastName]) -> GcObjects:
    """*named*, then the rest of *dead*, each digest once as a file or listing."""
    found = GcObjects()
    told = Marks()
    for each in named:
        told.add(each.oid)
        found.add(each.oid, each.kind, each.size, each.path, each.top, each.commit)
    for oid, kind, size in dead:
        if kind == RECIPE or oid not in told:
            if kind != RECIPE:
                told.add(oid)
            found.add(oid, kind, size, b"", b"", "")
    return found
