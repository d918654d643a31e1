"""Bringing back what the cache has lost: from the files of the worktree whose hash matches, then from remotes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import closing

from dvtool.disk.beneath import open_dir
from dvtool.disk.beneath import open_file
from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.formats.pack import BYTES
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import Reporter
from dvtool.project.cacheroots import keep_in_shared_cache
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.project.parts import open_tracked
from dvtool.project.parts import open_worktree
from dvtool.store.cache import Cache
from dvtool.transfer.fetch import fetch
from dvtool.transfer.session import Session
from dvtool.transfer.types import Wanted
from dvtool.transfer.walk import Need
from dvtool.transfer.walk import Walk
from dvtool.workspace.sinks import HashSink
from dvtool.workspace.sinks import hash_large
from dvtool.workspace.worktree import Worktree


def heal_cache(project: Project, wanted: Sequence[Wanted], reporter: Reporter) -> None:
    """Bring back what *wanted* needs and the cache lacks, as far as it can be had. Nothing is replaced.

    Every byte is hashed before it gets a name. A remote that cannot be asked is told of in a note.
    Raises `StorageError` for a failing disk, `Locked`.
    """
    heal_from_worktree(project, wanted, reporter)
    cache = open_cache(project)
    if _is_lacking(cache, wanted) and _from_remotes(project, cache, wanted, reporter):
        # Pages that came from a remote name files that only the worktree has.
        heal_from_worktree(project, wanted, reporter)
    keep_in_shared_cache(project, open_cache(project), open_tracked(project))


def _is_lacking(cache: Cache, wanted: Sequence[Wanted]) -> bool:
    return bool(fetch(cache, [], wanted).missing)


def _from_remotes(project: Project, cache: Cache, wanted: Sequence[Wanted], reporter: Reporter) -> int:
    """How many objects no remote had."""
    left = 0
    for name in project.config.remotes():
        try:
            with closing(open_remote_of(project, name)) as remote:
                result = fetch(cache, [remote], wanted, reporter=reporter)
        except StorageError as error:
            reporter.note(f"remote {name} was not asked: {error.message}")
            continue
        left = len(result.missing) + len(result.damaged)
        if not left:
            return 0
    return left


def heal_from_worktree(project: Project, wanted: Sequence[Wanted], reporter: Reporter) -> None:
    """Store again what the cache lacks and the worktree holds. Raises as `heal_cache`."""
    cache = open_cache(project)
    with (
        open_worktree(project, cache) as worktree,
        Session(cache, [], reporter=reporter, what="fsck --repair") as session,
    ):
        _Healer(worktree, session, reporter).heal(wanted)
        session.keep()


class _Healer:
    def __init__(self, worktree: Worktree, session: Session, reporter: Reporter) -> None:
        self._worktree = worktree
        self._session = session
        self._reporter = reporter
        self._sink = HashSink()
        self._tops: list[bytes] = []

    def heal(self, wanted: Sequence[Wanted]) -> None:
        walk = Walk(self._pages)
        cache = self._session.cache
        self._tops = [each.path for each in wanted if each.directory]
        for need in walk.needs(wanted):
            if need.kind == BYTES and not cache.has_blob(need.oid):
                self._take_file(need)

    def _pages(self, oids: Sequence[ObjectId]) -> Mapping[ObjectId, bytes | DvtoolError]:
        pages = dict(self._session.load_pages(oids))
        for oid in oids:
            if isinstance(pages[oid], DvtoolError):
                page = self._worktree.memo.leaf(oid) or self._sink.pages.get(oid) or self._made_again(oid)
                if page is not None:
                    self._session.writer.put_tree(page)
                    pages[oid] = page
        return pages

    def _made_again(self, oid: ObjectId) -> bytes | None:
        """The page as the worktree's directories give it, if they stand as they were."""
        while self._tops:
            top = self._tops.pop()
            try:
                self._worktree.snapshot(self._sink, self._reporter).directory(top)
            except (DvtoolError, OSError):
                continue
            if (page := self._sink.pages.get(oid) or self._worktree.memo.leaf(oid)) is not None:
                return page
        return None

    def _take_file(self, need: Need) -> None:
        parent, name = split(need.path)
        try:
            directory = open_dir(self._worktree.root_fd, parent)
        except (OSError, UnsafeInput):
            return
        try:
            self._take(directory, name, need)
        except (UnsafeInput, FileNotFoundError, IsADirectoryError, PermissionError):
            return
        finally:
            os.close(directory)

    def _take(self, directory: int, name: bytes, need: Need) -> None:
        fd = open_file(directory, name, shown=need.path)
        with open(fd, "rb") as file:
            if os.fstat(fd).st_size != need.size:
                return
            writer = self._session.writer
            if writer.is_small(need.size):
                data = file.read(need.size + 1)
                if object_id(data) == need.oid:
                    writer.put_small(data, need.oid)
                return
        oid, _ = hash_large(directory, name, need.path)
        if oid == need.oid:
            writer.put_file(directory, name, need.path)
            self._reporter.note(f"{show(need.path)}: stored again from the worktree")
