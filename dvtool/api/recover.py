"""Finding and restoring what the cache holds without a name: replaced by force, or left by a killed command."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_root
from dvtool.errors import DvtoolError
from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.oplog import Place
from dvtool.formats.pack import DATA
from dvtool.formats.pack import TREE
from dvtool.formats.tree import Leaf
from dvtool.formats.tree import decode_page
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.project.cacheroots import roots_of_others
from dvtool.project.leftovers import Left
from dvtool.project.leftovers import leftovers
from dvtool.project.named import named_objects
from dvtool.project.open import Project
from dvtool.project.oplog import Recorder
from dvtool.project.oplog import begin
from dvtool.project.oplog import place_of
from dvtool.project.parts import open_cache
from dvtool.project.parts import relative_path
from dvtool.store.cache import Cache
from dvtool.store.trees import totals
from dvtool.store.unnamed import Marks
from dvtool.store.unnamed import mark_below
from dvtool.store.unnamed import orphans
from dvtool.workspace.kept import Kept
from dvtool.workspace.restoring import restore_entry

_DIGEST = re.compile(rb"(?:blake3:)?([0-9a-f]{6,64})")


class Recoverable(NamedTuple):
    """An object that can be restored. ``path``: where it stood, empty if unknown. ``when``: Unix seconds."""

    oid: ObjectId
    kind: str
    path: bytes
    size: int
    files: int
    executable: bool
    when: float
    why: str

    @property
    def digest(self) -> str:
        return str(as_digest(self.oid))

    @property
    def entry(self) -> Entry:
        if self.kind == "directory":
            return directory_entry(b"", TreeRef(self.oid, self.size, self.files))
        return file_entry(b"", self.oid, self.size, self.executable)


@dataclass(frozen=True, slots=True)
class RecoverRequest:
    """``what``: a path, or a digest (its first 6 digits or more); ``into``: everything, into that new
    directory. Neither: only list. ``output``: where to, instead of where it stood.
    """

    what: bytes | None = None
    output: bytes | None = None
    into: bytes | None = None


class Restored(NamedTuple):
    """One object that was written. ``missing``: how many of its files the cache does not hold intact."""

    path: bytes
    size: int
    missing: int


@dataclass(frozen=True, slots=True)
class RecoverResult:
    """``items``: what can be restored, newest first. ``is_shared``: old commits of other repositories may name some.

    ``left``: what else was left here by killed commands, collections and damage; only where all is listed.
    """

    items: tuple[Recoverable, ...]
    restored: tuple[Restored, ...] = ()
    is_shared: bool = False
    left: tuple[Left, ...] = ()
    errors: tuple[DvtoolError, ...] = ()


def recover(project: Project, request: RecoverRequest, reporter: Reporter = SILENT) -> RecoverResult:
    """List, or restore. Nothing that stands anywhere is replaced.

    Raises `UsageError` for what is not found or is there already, `StorageError`.
    """
    cache = open_cache(project)
    kept = _kept(project, cache)
    is_shared = project.config.path("cache.dir") is not None
    if request.what is not None:
        item, target = _choose(project, cache, kept, request.what, request.output)
        with begin(project, "recover") as operation:
            _note(project, operation, [(item, target)])
            restored, errors = _restore(cache, item, target, reporter)
        return RecoverResult((item,), (restored,), is_shared, errors=errors)
    items = _everything(project, cache, kept, reporter)
    if request.into is None:
        return RecoverResult(items, is_shared=is_shared, left=leftovers(project, cache))
    folder = os.path.normpath(os.path.join(project.environment.cwd, request.into))
    if os.path.lexists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise UsageError(f"{show(folder)} is there already, and nothing is replaced", path=folder)
    targets = [(item, os.path.join(folder, _name(item))) for item in items]
    with begin(project, "recover") as operation:
        _note(project, operation, targets)
        done = [_restore(cache, item, target, reporter) for item, target in targets]
    problems = tuple(error for _, errors in done for error in errors)
    return RecoverResult(items, tuple(one for one, _ in done), is_shared, errors=problems)


def raise_for(result: RecoverResult) -> None:
    """Raise the error that the command ends with, if something could not be restored whole."""
    if len(result.errors) == 1:
        raise result.errors[0]
    if result.errors:
        raise DvtoolError(f"{len(result.errors)} files could not be restored", causes=result.errors)


def _kept(project: Project, cache: Cache) -> list[Recoverable]:
    """What `--force` replaced, newest first, as far as the cache has it."""
    found: dict[tuple[bytes, ObjectId], Recoverable] = {}
    for path, oid, size, executable, when, why in Kept(project.layout.state_dir).read():
        if cache.has_blob(oid):
            found[path, oid] = Recoverable(oid, "file", path, size, 1, executable, when, why)
    return sorted(found.values(), key=lambda item: (-item.when, item.path))


def _everything(project: Project, cache: Cache, kept: list[Recoverable], reporter: Reporter) -> tuple[Recoverable, ...]:
    reporter.begin("looking for what no pointer names")
    known = {item.oid for item in kept}
    found = [
        Recoverable(
            orphan.oid,
            "directory" if orphan.is_directory else "file",
            b"",
            orphan.size,
            orphan.files,
            executable=False,
            when=orphan.when,
            why="no pointer names it",
        )
        for orphan in orphans(cache, _named(project, cache, reporter))
        if orphan.oid not in known
    ]
    reporter.end()
    return (*kept, *sorted(found, key=lambda item: (-item.when, item.oid)))


def _named(project: Project, cache: Cache, reporter: Reporter) -> Marks:
    """What this repository names, and what other workspaces have told a shared cache that they need."""
    marks = named_objects(project, cache)
    try:
        roots = list(roots_of_others(project, cache))
    except (FormatError, IntegrityError) as error:
        reporter.note(f"not known which of this other workspaces need: {error.message}")
        return marks
    for root in roots:
        marks.add(root.oid)
    mark_below(cache, [root.oid for root in roots if root.directory], marks)
    return marks


def _choose(
    project: Project, cache: Cache, kept: list[Recoverable], what: bytes, output: bytes | None
) -> tuple[Recoverable, bytes]:
    try:
        path = relative_path(project, what)
    except UsageError:
        path = b""
    by_path = next((item for item in kept if path and item.path == path), None)
    item = by_path or _by_digest(project, cache, kept, what)
    if output is not None:
        target = os.path.normpath(os.path.join(project.environment.cwd, output))
        if os.path.isdir(target):
            target = os.path.join(target, os.path.basename(item.path) or _name(item))
    elif item.path:
        _require_inside(project, split(item.path)[0])
        target = os.path.join(project.root, item.path)
    else:
        target = os.path.join(project.environment.cwd, _name(item))
    if os.path.lexists(target):
        raise UsageError(
            f"{show(target)} is there already, and nothing is replaced",
            path=target,
            hint=f"choose another place: dvtool recover {show(what)} -o PATH",
        )
    return item, target


def _require_inside(project: Project, directory: bytes) -> None:
    """Raise `UnsafeInput` where a link on the way would lead out of the project; makes what is missing."""
    try:
        root_fd = open_root(project.root)
        try:
            os.close(open_dir(root_fd, directory, create=True))
        finally:
            os.close(root_fd)
    except OSError as error:
        raise storage_error(error, "open", directory) from error


def _by_digest(project: Project, cache: Cache, kept: list[Recoverable], what: bytes) -> Recoverable:
    match = _DIGEST.fullmatch(what)
    found: dict[ObjectId, Recoverable] = {}
    if match is not None:
        digits = match[1].decode("ascii")
        if len(digits) == 64:
            whole = _whole(cache, ObjectId(bytes.fromhex(digits)))
            found = {whole.oid: whole} if whole is not None else {}
        else:
            everything = _everything(project, cache, kept, SILENT)
            found = {item.oid: item for item in reversed(everything) if item.oid.hex().startswith(digits)}
    if len(found) > 1:
        raise UsageError(f"{show(what)} is the beginning of {len(found)} digests", hint="give more digits")
    if not found:
        raise UsageError(
            f"nothing to recover is called {show(what)}", path=what, hint="`dvtool recover` lists what there is"
        )
    return next(iter(found.values()))


def _whole(cache: Cache, oid: ObjectId) -> Recoverable | None:
    """Any object of the cache, named or not."""
    if cache.has_meta(oid, TREE):
        page = decode_page(cache.read_meta(oid, TREE))
        if isinstance(page, Leaf):
            size, files = totals(page.entries)
        else:
            size, files = sum(ref.size for ref in page.pages), sum(ref.files for ref in page.pages)
        return Recoverable(oid, "directory", b"", size, files, executable=False, when=0.0, why="")
    if cache.has_blob(oid):
        place = cache.packs.find(oid, DATA)
        size = place.size if place is not None else os.stat(cache.loose_path(oid)).st_size
        return Recoverable(oid, "file", b"", size, 1, executable=False, when=0.0, why="")
    return None


def _note(project: Project, operation: Recorder, targets: Sequence[tuple[Recoverable, bytes]]) -> None:
    """Let the operation log know what is about to be made."""
    places = []
    for item, target in targets:
        where = place_of(project.layout, target)
        if where is not None and where[0] == "project":
            path = where[1]
            places.append(Place(path, None, item.entry._replace(name=split(path)[1])))
    outside = len(places) < len(targets)
    operation.record(places=places, lasting="what was restored outside of the project stays" if outside else "")


def _restore(
    cache: Cache, item: Recoverable, target: bytes, reporter: Reporter
) -> tuple[Restored, tuple[DvtoolError, ...]]:
    placed = restore_entry(cache, item.entry, target, reporter)
    errors = [problem.error for problem in placed.problems]
    errors += [MissingData(f"{as_digest(oid)} is not in the cache", path=target) for _, oid in placed.missing]
    return Restored(target, placed.bytes_written, len(errors)), tuple(errors)


def _name(item: Recoverable) -> bytes:
    tail = b"-" + os.path.basename(item.path) if item.path else b""
    return b"recovered-" + item.oid.hex()[:12].encode("ascii") + tail
