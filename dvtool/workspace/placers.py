"""New files of a checkout, written by helper processes: the kernel creates files for several at once."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from typing import Any

from dvtool.disk.crew import Crew
from dvtool.disk.signature import StatSignature
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import storage_error
from dvtool.model.digest import ObjectId
from dvtool.model.tree import Entry
from dvtool.model.tree import file_entry
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.localpacks import PackKey
from dvtool.store.localpacks import Place
from dvtool.workspace.placing import Directories
from dvtool.workspace.placing import Placer

JOB_FILES = 512
"""So many files are one job, 0.03 s of work; a record is never split between two."""


NewFile = tuple[bytes, bool, int]
"""A file to be created where nothing stands: path, whether it is executable, size."""
FlatPlace = tuple[int, bytes, int, int, int]
"""A `Place` in plain values, which is what a helper can be told."""
Bytes = tuple[bytes, FlatPlace | None, list[NewFile]]
"""One object, where it is packed (None: it lies loose), and the files that it becomes."""


class Placers:
    """The helpers of one checkout."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    def submit(self, work: list[Bytes]) -> int:
        """Create all files of *work*, which is in the order of the packs; a ticket."""
        return self._crew.submit(work)

    def is_ready(self, ticket: int) -> bool:
        """Whether `result` would return at once."""
        return self._crew.is_ready(ticket)

    def result(self, ticket: int) -> tuple[list[StatSignature | None], set[str]]:
        """The signature of each file, in order, and the link types used; None for one that stands as before."""
        found, used = self._crew.result(ticket)
        return [one and StatSignature._make(one) for one in found], set(used)

    def close(self) -> None:
        """End the helpers."""
        self._crew.close()


def start_placers(cache: Cache, root_fd: int, links: tuple[str, ...], began_ns: int, count: int) -> Placers | None:
    """*count* helpers that create files below *root_fd*; None where no process can be started."""
    setup = (cache.root, tuple(cache.settings), root_fd, links, began_ns)
    try:
        return Placers(Crew("dvtool.workspace.placers:serve", setup, count, inherited=(root_fd,)))
    except OSError:
        return None


def flat(place: Place) -> FlatPlace:
    """A place in plain values."""
    (pack_class, pack_id), offset, size, kind = place
    return pack_class, pack_id, offset, size, kind


@contextmanager
def serve(setup: Any) -> Iterator[Callable[[Any], Any]]:
    """A helper's work: `Placers.submit` on the other side."""
    root, settings, root_fd, links, began_ns = setup
    cache = Cache(root, Settings(*settings))
    with closing(Directories(root_fd)) as directories:
        placer = Placer(directories, cache, tuple(links), began_ns)
        yield lambda job: _create(cache, placer, job)


def _create(cache: Cache, placer: Placer, work: list[Bytes]) -> tuple[list[tuple[int, ...] | None], list[str]]:
    done: dict[bytes, tuple[int, ...] | None] = {}
    packed: list[tuple[Place, ObjectId]] = []
    files: dict[bytes, list[NewFile]] = {}
    for oid, place, wanted in work:
        if place is not None:
            packed.append((Place(PackKey(*place[:2]), *place[2:]), ObjectId(oid)))
            files[oid] = wanted
        else:
            for path, executable, size in wanted:
                done[path] = _one(placer, path, file_entry(b"", oid, size, executable), None)
    for oid, data in cache.read_packed(packed):
        if not isinstance(data, IntegrityError):
            for path, executable, size in files[oid]:
                if len(data) == size:
                    done[path] = _one(placer, path, file_entry(b"", oid, size, executable), data)
    return [done.get(path) for _, _, wanted in work for path, _, _ in wanted], sorted(placer.used)


def _one(placer: Placer, path: bytes, entry: Entry, data: bytes | None) -> tuple[int, ...] | None:
    """Create one file; None for what the process that asked shall try itself, and say what is wrong with it."""
    try:
        if data is None:
            return tuple(placer.put(path, entry, None, None))
        return tuple(placer.create(path, entry, data))
    except (FileExistsError, FileNotFoundError, NotADirectoryError, DvtoolError):
        return None
    except OSError as error:
        raise storage_error(error, "write", error.filename or path) from error
