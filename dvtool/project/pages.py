"""Where tree pages come from: the cache, then the remotes, asked only when a page is missing."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.parts import open_cache
from dvtool.project.remotes import Remotes
from dvtool.project.routes import Routes
from dvtool.store.cache import Cache

if TYPE_CHECKING:
    from dvtool.store.cachewriter import CacheWriter
    from dvtool.transfer.pages import RemoteTrees


class PageSource:
    """Reads tree pages; one that is not in the cache is fetched from the first remote that has it.

    With *writer*, pages just put there but not yet committed are found as well.
    """

    def __init__(self, project: Project, writer: CacheWriter | None = None, reporter: Reporter = SILENT) -> None:
        self._project = project
        self._writer = writer
        self._cache: Cache = open_cache(project)
        self._reporter = reporter
        self._stack = ExitStack()
        self._remotes = Remotes(project)
        self._order: tuple[str, ...] | None = None
        self._trees: dict[str, RemoteTrees] = {}
        self._failed: dict[str, DvtoolError] = {}

    def __enter__(self) -> PageSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stack.__exit__(kind, error, trace)
        finally:
            self._remotes.__exit__(kind, error, trace)

    def get(self, oid: ObjectId) -> bytes:
        """The bytes of a page. Raises `MissingData` with the next step, `IntegrityError`, `StorageError`."""
        if self._writer is not None and (page := self._writer.pending_page(oid)) is not None:
            return page
        try:
            return self._cache.read_meta(oid, TREE)
        except MissingData:
            return self._from_remotes(oid)

    def _from_remotes(self, oid: ObjectId) -> bytes:
        """In turn. One that fails is told of once, and is not asked again."""
        if self._order is None:
            self._order = Routes(self._project.config).reading_order()
        if not self._order:
            raise MissingData(
                f"the listing blake3:{oid.hex()} is not in the cache, and there is no remote to fetch it from",
                hint="dvtool remote add -d NAME URL, then dvtool fetch",
            )
        missing: MissingData | None = None
        for name in self._order:
            try:
                if name not in self._failed:
                    return self._trees_of(name).get_page(oid)
            except MissingData as error:
                missing = missing or error
            except (StorageError, ConfigError, UnsafeInput) as error:
                self._failed[name] = error
                if len(self._order) > 1:
                    self._reporter.note(f"{error.message}; asking other remotes instead")
        if self._failed:
            raise next(iter(self._failed.values()))
        assert missing is not None
        raise missing

    def _trees_of(self, name: str) -> RemoteTrees:
        if name not in self._trees:
            from dvtool.transfer.pages import RemoteTrees

            trees = RemoteTrees(self._cache, [self._remotes.get(name)], reporter=self._reporter)
            self._trees[name] = self._stack.enter_context(trees)
        return self._trees[name]


def fetch_below(project: Project, pages: Iterable[ObjectId], reporter: Reporter = SILENT) -> None:
    """Bring pages that the cache lacks, and those below them, from the remotes. Raises as `PageSource.get`."""
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
