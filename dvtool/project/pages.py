"""Where tree pages come from: the cache, then the remotes, asked only when a page is missing."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from contextlib import closing
from types import TracebackType
from typing import TYPE_CHECKING

from dvtool.errors import ConfigError
from dvtool.errors import MissingData
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.parts import open_remote_of
from dvtool.store.cache import Cache

if TYPE_CHECKING:
    from dvtool.store.cachewriter import CacheWriter
    from dvtool.transfer.pages import RemoteTrees


class PageSource:
    """Reads tree pages; one that is not in the cache is fetched from the default remote, if there is one.

    With *writer*, pages just put there but not yet committed are found as well.
    """

    def __init__(self, project: Project, writer: CacheWriter | None = None, reporter: Reporter = SILENT) -> None:
        self._project = project
        self._writer = writer
        self._cache: Cache = open_cache(project)
        self._reporter = reporter
        self._stack = ExitStack()
        self._trees: RemoteTrees | None = None

    def __enter__(self) -> PageSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def get(self, oid: ObjectId) -> bytes:
        """The bytes of a page. Raises `MissingData` with the next step, `IntegrityError`, `StorageError`."""
        if self._writer is not None and (page := self._writer.pending_page(oid)) is not None:
            return page
        try:
            return self._cache.read_meta(oid, TREE)
        except MissingData:
            return self._remote_trees(oid).get_page(oid)

    def _remote_trees(self, oid: ObjectId) -> RemoteTrees:
        if self._trees is None:
            from dvtool.transfer.pages import RemoteTrees

            try:
                remote = self._stack.enter_context(closing(open_remote_of(self._project)))
            except ConfigError:
                raise MissingData(
                    f"the listing blake3:{oid.hex()} is not in the cache, and there is no remote to fetch it from",
                    hint="dvtool remote add -d NAME URL, then dvtool fetch",
                ) from None
            self._trees = self._stack.enter_context(RemoteTrees(self._cache, [remote], reporter=self._reporter))
        return self._trees


def fetch_below(project: Project, pages: Iterable[ObjectId], reporter: Reporter = SILENT) -> None:
    """Bring pages that the cache lacks, and those below them, from the default remote. Raises as `PageSource.get`."""
    from dvtool.formats.tree import Leaf
    from dvtool.formats.tree import decode_page
    from dvtool.model.tree import DIRECTORY

    todo = list(pages)
    seen = set(todo)
    with PageSource(project, reporter=reporter) as source:
        while todo:
            page = decode_page(source.get(todo.pop()))
            if isinstance(page, Leaf):
                below = [ObjectId(entry.raw) for entry in page.entries if entry.kind == DIRECTORY]
            else:
                below = [ObjectId(ref.raw) for ref in page.pages]
            todo += [oid for oid in below if oid not in seen]
            seen.update(below)
