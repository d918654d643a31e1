"""Bringing two versions of a pointer or a lock together. Missing listings are fetched; no file is written here."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.pack import TREE
from dvtool.formats.pointer import decode_pointer
from dvtool.formats.pointer import encode_pointer
from dvtool.git.ignoremerge import is_ignore_file
from dvtool.git.ignoremerge import merge_patterns
from dvtool.model.digest import ObjectId
from dvtool.model.paths import LOCK_NAME
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Pointer
from dvtool.model.pointer import Source
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import Entry
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.open import Project
from dvtool.project.pages import PageSource
from dvtool.project.parts import open_cache
from dvtool.project.parts import settled_items
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.workspace.pointermerge import entry_of
from dvtool.workspace.pointermerge import merge_pointers
from dvtool.workspace.pointers import Tracked


class Sides(NamedTuple):
    """Three versions of a file; None where there was none."""

    base: bytes | None
    ours: bytes | None
    theirs: bytes | None


class Side(NamedTuple):
    """What one side has: ``entry``, or for the run of a stage ``outs`` by path and the parameters ``params``."""

    entry: Entry | None = None
    outs: tuple[tuple[bytes, str], ...] = ()
    params: tuple[tuple[str, str], ...] = ()


class Conflict(NamedTuple):
    """What both sides changed, each otherwise.

    ``source``: the pointer or lock; ``path``: the tracked path, or one inside it; of a lock empty, with ``stage``.
    ``setting``: what else in the pointer. None is nothing there; ``kept`` says which side stands there now.
    """

    source: bytes
    path: bytes
    stage: str
    setting: str
    base: Side | None
    ours: Side | None
    theirs: Side | None

    @property
    def kept(self) -> str:
        return "theirs" if self.ours is None and not self.setting else "ours"


class Merged(NamedTuple):
    """The text of both together, ours where that could not be; None: no such file, or an ignore file that Git merges
    better."""

    text: bytes | None
    conflicts: tuple[Conflict, ...] = ()


class Merging:
    """A context manager; what was merged is in the cache, and kept there, once it is left without an error.

    ``unread``: why a listing could not be had.
    """

    def __init__(self, project: Project, reporter: Reporter = SILENT, *, is_offline: bool = False) -> None:
        self._project = project
        self._is_offline = is_offline
        self._reporter = reporter
        self._cache: Cache = open_cache(project)
        self._stack = ExitStack()
        self._writer: CacheWriter | None = None
        self._pages: PageSource | None = None
        self._made: list[Tracked] = []
        self.unread: DvtoolError | None = None

    def __enter__(self) -> Merging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._writer is not None:
                self._writer.commit()
                keep_in_shared_cache(self._project, self._cache, self._made)
        finally:
            self._stack.__exit__(kind, error, trace)

    def merge(self, path: bytes, sides: Sides) -> Merged:
        """What the pointer, lock or ignore file at *path*, relative to the root, becomes.

        Raises `FormatError` and `UnsafeInput` for a version that cannot be read, `MissingData` and what else
        `PageSource` raises where a listing cannot be had.
        """
        if is_ignore_file(path):
            return Merged(merge_patterns(sides.base or b"", sides.ours or b"", sides.theirs or b""))
        if sides.ours is None or sides.theirs is None:
            return _one_sided(path, sides)
        if split(path)[1] == LOCK_NAME:
            return _merge_locks(path, sides, sides.ours, sides.theirs)
        where = show(path)
        ours = decode_pointer(sides.ours, f"{where}, ours,")
        theirs = decode_pointer(sides.theirs, f"{where}, theirs,")
        base = _readable(sides.base, where)
        known = [None if one is None else self.settled(path, one) for one in (base, ours, theirs)]
        assert known[1] is not None
        assert known[2] is not None
        merged = merge_pointers(self.page, self.put, known[0], known[1], known[2])
        pointer = merged.pointer
        for stated, settled in ((theirs, known[2]), (ours, known[1])):
            # Adopted data stays stated as it was where all of it is one side's.
            if entry_of(pointer) == entry_of(settled):
                pointer = pointer._replace(digest=stated.digest, size=stated.size, files=stated.files)
        tracked = Tracked(path, pointer)
        self._made.append(tracked)
        conflicts = [
            Conflict(path, join(tracked.path, one.path) if one.path else tracked.path, "", "", *map(_side, one[1:]))
            for one in merged.conflicts
        ]
        conflicts += [
            Conflict(
                path, tracked.path, "", name, _settings(base, name), _settings(ours, name), _settings(theirs, name)
            )
            for name in merged.settings
        ]
        return Merged(encode_pointer(pointer), tuple(conflicts))

    def settled(self, path: bytes, pointer: Pointer) -> Pointer:
        """A pointer to adopted data by what is known of it."""
        return settled_items(self._project, (Tracked(path, pointer),))[0].pointer

    def page(self, oid: ObjectId) -> bytes:
        """A page of a listing, from the cache or, unless offline, a remote. Raises as `PageSource.get`."""
        if self._is_offline:
            pending = self._open_writer().pending_page(oid)
            return self._cache.read_meta(oid, TREE) if pending is None else pending
        if self._pages is None:
            self._pages = self._stack.enter_context(PageSource(self._project, self._open_writer(), self._reporter))
        try:
            return self._pages.get(oid)
        except (MissingData, StorageError) as error:
            self.unread = error
            raise

    def put(self, page: bytes) -> ObjectId:
        """Store a page."""
        return self._open_writer().put_tree(page)

    def keep(self, item: Tracked) -> None:
        """What *item* stands for is needed from now on."""
        self._made.append(item)

    def _open_writer(self) -> CacheWriter:
        if self._writer is None:
            writer = CacheWriter(self._cache, what="a merge", on_wait=self._reporter.note)
            self._writer = self._stack.enter_context(writer)
            self._writer.keep_pages()
        return self._writer


def _one_sided(path: bytes, sides: Sides) -> Merged:
    """One side took the file away: what the other one made of it stays until somebody decides."""
    text = sides.ours if sides.ours is not None else sides.theirs
    if split(path)[1] == LOCK_NAME:
        return Merged(text, (Conflict(path, b"", "", "", *(None if one is None else Side() for one in sides)),))
    pointers = [_readable(one, show(path)) for one in sides]
    some = next((one for one in (pointers[1], pointers[2], pointers[0]) if one is not None), None)
    if some is None:
        raise FormatError(f"{show(path)}: none of its versions can be read", path=path)
    tracked = Tracked(path, some).path
    return Merged(text, (Conflict(path, tracked, "", "", *(_pointer_side(one) for one in pointers)),))


def _merge_locks(path: bytes, sides: Sides, ours_text: bytes, theirs_text: bytes) -> Merged:
    from dvtool.formats.lock import LockedStage
    from dvtool.formats.lock import decode_lock
    from dvtool.formats.lock import encode_lock
    from dvtool.formats.lock import value_text
    from dvtool.formats.lockmerge import merge_locks

    def run_of(stage: LockedStage | None) -> Side | None:
        if stage is None:
            return None
        outs = tuple((out, str(content.digest)) for out, content in sorted(stage.outs.items()))
        values = ((key, value_text(value)) for of_file in stage.params.values() for key, value in of_file.items())
        return Side(None, outs, tuple(sorted(values)))

    where = show(path)
    ours, theirs = decode_lock(ours_text, f"{where}, ours,"), decode_lock(theirs_text, f"{where}, theirs,")
    try:
        base = decode_lock(sides.base or b"", where) if sides.base else {}
    except FormatError:
        base = {}
    merged = merge_locks(base, ours, theirs)
    conflicts = (
        Conflict(path, b"", one.name, "", run_of(one.base), run_of(one.ours), run_of(one.theirs))
        for one in merged.conflicts
    )
    return Merged(encode_lock(merged.lock), tuple(conflicts))


def _readable(text: bytes | None, where: str) -> Pointer | None:
    """A base that an older merge left with conflict markers, say, is as good as none."""
    try:
        return decode_pointer(text, where) if text else None
    except FormatError:
        return None


def _pointer_side(pointer: Pointer | None) -> Side | None:
    return None if pointer is None else Side(entry_of(pointer))


def _side(entry: Entry | None) -> Side | None:
    return None if entry is None else Side(entry)


def _settings(pointer: Pointer | None, name: str) -> Side | None:
    value = "" if pointer is None else getattr(pointer, name)
    if isinstance(value, Source):
        value = value.commit or value.etag or value.url
    text = show(value) if isinstance(value, bytes) else str(value or "").strip()
    return Side(params=((name, text),)) if text else None
