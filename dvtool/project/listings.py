"""Tree pages for verbs that show what they can: a remote that failed once is not asked again."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.pack import TREE
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.pages import PageSource
from dvtool.project.parts import open_cache


class Unread(NamedTuple):
    """A directory whose listing could not be read, and why."""

    path: bytes
    error: DvtoolError


class Listings:
    """A context manager that reads pages from the cache, then from the default remote."""

    def __init__(self, project: Project, reporter: Reporter = SILENT) -> None:
        self._cache = open_cache(project)
        self._source = PageSource(project, reporter=reporter)
        self._failure: StorageError | None = None

    def __enter__(self) -> Listings:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    def get(self, oid: ObjectId) -> bytes:
        """The bytes of a page. Raises `MissingData`, `IntegrityError`, `StorageError`."""
        if self._failure is not None and not self._cache.has_meta(oid, TREE):
            raise self._failure
        try:
            return self._source.get(oid)
        except StorageError as error:
            self._failure = error
            raise


def unread_error(unread: Sequence[Unread], what: str) -> DvtoolError:
    """The error for a verb that showed all but *unread*; *what* is "could not be listed"."""
    paths = list(dict.fromkeys(path for path, _ in unread))
    shown = ", ".join(show(path) or "this directory" for path in paths[:3])
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    causes = {error.message: error for _, error in unread if not isinstance(error, MissingData)}
    hint = next((error.hint for _, error in unread if error.hint), None)
    where = "in the cache" if causes or hint is not None else "in the cache or on the remote"
    return MissingData(
        f"{shown}{more} {what}: the listing is not {where}",
        path=paths[0],
        hint=hint or "a clone that has it uploads it with `dvtool push --all-branches --all-tags`",
        causes=tuple(causes.values()),
    )
