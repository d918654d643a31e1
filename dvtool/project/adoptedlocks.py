"""Locks that came from DVC: entries stated by MD5, in terms of what stands in the worktree.

The worktree is read once for it, and what each file is in the other digest is remembered.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple

from dvtool.disk.beneath import open_dir
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.formats.dvcentry import ManifestFile
from dvtool.formats.dvcmanifest import encode_manifest
from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.hashing.digests import digest_of
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.digest import ObjectId
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.model.tree import DIRECTORY
from dvtool.model.tree import FILE
from dvtool.model.tree import Entry
from dvtool.model.tree import TreeRef
from dvtool.project.adoption import Adoption
from dvtool.project.open import Project
from dvtool.store.trees import walk
from dvtool.transfer.adopt import Need
from dvtool.transfer.adopt import bring_local
from dvtool.workspace.learning import LearningSink
from dvtool.workspace.learning import hash_under
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.worktree import Worktree

_BLAKE3 = Algorithm.BLAKE3


class _Stated(NamedTuple):
    """A path, and what a lock says of it."""

    path: bytes
    content: Content


def settle_records(
    project: Project, worktree: Worktree, records: Mapping[str, LockedStage], reporter: Reporter = SILENT
) -> Mapping[str, LockedStage]:
    """The same records, each entry by BLAKE3 that is known by that, or that stands at its path now."""
    wanted = {each for record in records.values() for each in _adopted(record)}
    if not wanted:
        return records
    known: dict[_Stated, Content] = {}
    with Adoption(project, worktree.cache) as adoption:
        reporter.begin("looking")
        look = _Look(adoption, worktree, {each.content.digest.algorithm for each in wanted}, reporter)
        for each in sorted(wanted):
            with suppress(DvtoolError, OSError):
                if (found := look.settled(each)) is not None:
                    known[each] = found
        reporter.end()
    return {name: _replaced(record, known) for name, record in records.items()} if known else records


class Restating:
    """The worktree in the words of adopted digests, and back. A context manager."""

    def __init__(self, project: Project, worktree: Worktree, reporter: Reporter = SILENT) -> None:
        self._reporter = reporter
        self._adoption = Adoption(project, worktree.cache)
        self._look = _Look(self._adoption, worktree, (Algorithm.MD5, Algorithm.MD5TEXT), reporter)

    def __enter__(self) -> Restating:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._adoption.__exit__(kind, error, trace)

    def stated(self, path: bytes, algorithm: Algorithm) -> Content | None:
        """What stands at *path*, by that algorithm; without its mode, which DVC does not look at."""
        try:
            return self._look.restated(path, algorithm)
        except (DvtoolError, OSError):
            return None

    def settled(self, record: LockedStage) -> LockedStage | None:
        """The same with each output by BLAKE3; None where one of them is not known.

        What the other tool's cache on this disk has of them is brought into ours. Raises `StorageError`, `Locked`.
        """
        self._bring(record)
        known = {each: self._look.settled(each) for each in _adopted(record._replace(deps={}))}
        found = {each: content for each, content in known.items() if content is not None}
        return _replaced(record, found) if len(found) == len(known) else None

    def _bring(self, record: LockedStage) -> None:
        adoption = self._adoption
        needs: list[Need] = []
        for path, content in _adopted(record._replace(deps={})):
            stated = content.digest.oid
            if content.kind is Kind.DIRECTORY:
                with suppress(MissingData):
                    needs += adoption.needs(stated, path)
            else:
                needs.append(Need(stated, path))
        bring_local(adoption.cache, adoption.aliases, adoption.lacking(needs), adoption.stores, self._reporter)


def _adopted(record: LockedStage) -> Iterator[_Stated]:
    for name, content in record.deps.items():
        if content.digest.algorithm is not _BLAKE3:
            yield _Stated(name.encode("utf-8", "surrogateescape"), content)
    for path, content in record.outs.items():
        if content.digest.algorithm is not _BLAKE3:
            yield _Stated(path, content)


def _replaced(record: LockedStage, known: Mapping[_Stated, Content]) -> LockedStage:
    deps = {
        name: known.get(_Stated(name.encode("utf-8", "surrogateescape"), content), content)
        for name, content in record.deps.items()
    }
    outs = {path: known.get(_Stated(path, content), content) for path, content in record.outs.items()}
    return record._replace(deps=deps, outs=outs)


class _Look:
    """Looks at paths of one worktree; each is read once at most."""

    def __init__(
        self, adoption: Adoption, worktree: Worktree, algorithms: Iterable[Algorithm], reporter: Reporter
    ) -> None:
        self._adoption = adoption
        self._worktree = worktree
        self._sink = LearningSink(tuple(algorithms))
        self._snapshot = worktree.snapshot(self._sink, reporter)

    def settled(self, stated: _Stated) -> Content | None:
        """What *stated* is in BLAKE3; None where that is not known."""
        path, content = stated
        is_directory = content.kind is Kind.DIRECTORY
        now = self._worktree.current(self._snapshot, path, is_top=True)
        if (
            now is not None
            and now.kind == (DIRECTORY if is_directory else FILE)
            and self._digest_of(path, now, content.digest.algorithm) == content.digest
        ):
            return _content(now)
        pointer = Pointer(split(path)[1], content.kind, content.digest, content.size, content.files, content.executable)
        item = self._adoption.settle([Tracked(path, pointer, path)])[0]
        if item.lacking or item.pointer.digest.algorithm is not _BLAKE3:
            return None
        found = item.pointer
        return Content(found.kind, found.digest, found.size, found.files, found.executable)

    def restated(self, path: bytes, algorithm: Algorithm) -> Content | None:
        """What stands at *path* by *algorithm*; None where nothing does, or what DVC has no digest of."""
        now = self._worktree.current(self._snapshot, path, is_top=True)
        digest = None if now is None else self._digest_of(path, now, algorithm)
        if now is None or digest is None:
            return None
        return _content(now)._replace(digest=digest, executable=False)

    def _digest_of(self, path: bytes, now: Entry, algorithm: Algorithm) -> Digest | None:
        """What stands there, by the other algorithm."""
        if now.kind == FILE:
            raw = self._stated_file(path, now.oid, algorithm)
            return None if raw is None else Digest(algorithm, raw)
        tree = TreeRef(now.oid, now.size, now.files)
        files = []
        for inner, entry in walk(self._worktree.current_pages(self._sink), tree, b""):
            raw = self._stated_file(path + b"/" + inner, entry.oid, algorithm) if entry.kind == FILE else None
            if entry.kind == FILE and raw is not None:
                files.append(ManifestFile(inner, raw))
            elif entry.kind != DIRECTORY:
                # DVC follows links; what is behind one is not looked at here.
                return None
        if tree.files != len(files):
            return None
        # The manifest itself is hashed as it is, and its files by the algorithm.
        return Digest(algorithm, digest_of(encode_manifest(files), Algorithm.MD5).raw)

    def _stated_file(self, path: bytes, oid: ObjectId, algorithm: Algorithm) -> bytes | None:
        aliases = self._adoption.aliases
        for learned in self._sink.learned:
            aliases.put(*learned)
        self._sink.learned.clear()
        for stated in aliases.stated(oid):
            if stated[0] == algorithm.code:
                return stated[1:]
        # Read before by somebody who had no use for this digest.
        status = self._worktree.stat(path)
        if status is None or not stat.S_ISREG(status.st_mode):
            return None
        folder, name = split(path)
        fd = open_dir(self._worktree.root_fd, folder)
        try:
            _, found, _ = hash_under(fd, name, path, (algorithm,))
        finally:
            os.close(fd)
        for each in found:
            aliases.put(*each)
        return next((each.stated[1:] for each in found if each.oid == oid), None)


def _content(entry: Entry) -> Content:
    if entry.kind == DIRECTORY:
        return Content(Kind.DIRECTORY, entry.digest, entry.size, entry.files)
    return Content(Kind.FILE, entry.digest, entry.size, 1, entry.executable)
