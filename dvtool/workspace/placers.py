"""New files of a checkout, written by helper processes: the kernel creates files for several at once."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from typing import Any
from typing import NamedTuple

from dvtool.disk.crew import Crew
from dvtool.disk.signature import StatSignature
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import storage_error
from dvtool.model.digest import ObjectId
from dvtool.model.tree import file_entry
from dvtool.store.cache import Cache
from dvtool.store.cache import Settings
from dvtool.store.localpacks import PackKey
from dvtool.store.localpacks import Place
from dvtool.workspace.placing import Directories
from dvtool.workspace.placing import Placer

JOB_FILES = 512
"""So many files are one job, 0.03 s of work; a record is never split between two."""


class NewFile(NamedTuple):
    """A file to be created where nothing stands."""

    path: bytes
    executable: bool
    size: int


class Bytes(NamedTuple):
    """One object and the files that it becomes; ``place`` None: it lies loose."""

    oid: bytes
    place: Place | None
    files: list[NewFile]


class Placers:
    """The helpers of one checkout."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    def submit(self, work: Iterable[Bytes]) -> int:
        """Create all files of *work*, which is in the order of the packs; a ticket."""
        return self._crew.submit([(oid, _flat(place), [tuple(file) for file in files]) for oid, place, files in work])

    def is_ready(self, ticket: int) -> bool:
        """Whether `result` would return at once."""
        return self._crew.is_ready(ticket)

    def result(self, ticket: int) -> tuple[list[StatSignature | None], set[str]]:
        """The signature of each file, in order, and the link types used; None for one that stands as before."""
        found, used = self._crew.result(ticket)
        return [None if one is None else StatSignature(*one) for one in found], set(used)

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


def _flat(place: Place | None) -> tuple[int, bytes, int, int, int] | None:
    return None if place is None else (*place.pack, place.offset, place.size, place.kind)


@contextmanager
def serve(setup: Any) -> Iterator[Callable[[Any], Any]]:
    """A helper's work: `Placers.submit` on the other side."""
    root, settings, root_fd, links, began_ns = setup
    cache = Cache(root, Settings(*settings))
    with closing(Directories(root_fd)) as directories:
        placer = Placer(directories, cache, tuple(links), began_ns)
        yield lambda job: _create(cache, placer, job)


def _create(cache: Cache, placer: Placer, job: Any) -> tuple[list[tuple[int, ...] | None], list[str]]:
    work = [
        Bytes(oid, place and Place(PackKey(*place[:2]), *place[2:]), [NewFile(*file) for file in files])
        for oid, place, files in job
    ]
    done: dict[bytes, StatSignature | None] = {}
    packed = [(one.place, ObjectId(one.oid)) for one in work if one.place is not None]
    files = {one.oid: one.files for one in work}
    for oid, data in cache.read_packed(packed):
        if not isinstance(data, IntegrityError):
            for file in files[oid]:
                if len(data) == file.size:
                    done[file.path] = _one(placer, file, oid, data)
    for one in work:
        if one.place is None:
            for file in one.files:
                done[file.path] = _one(placer, file, one.oid, None)
    signatures = [done.get(file.path) for one in work for file in one.files]
    return [signature and tuple(signature) for signature in signatures], sorted(placer.used)


def _one(placer: Placer, file: NewFile, oid: bytes, data: bytes | None) -> StatSignature | None:
    """Create one file; None for what the process that asked shall try itself, and say what is wrong with it."""
    entry = file_entry(b"", oid, file.size, file.executable)
    try:
        if data is None:
            return placer.put(file.path, entry, None, None)
        return placer.create(file.path, entry, data)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, DvtoolError):
        return None
    except OSError as error:
        raise storage_error(error, "write", error.filename or file.path) from error
