"""Tree pages wherever they are: for listing, and for partial work on directories that are not here."""

from __future__ import annotations

from collections.abc import Sequence

from dvtool.errors import DvtoolError
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.transfer.session import Session


class RemoteTrees:
    """Reads pages from the cache, else from the first of *remotes* that has them, and keeps those in the cache.

    A context manager: what was fetched is kept when it ends.
    """

    def __init__(self, cache: Cache, remotes: Sequence[Remote], *, jobs: int = 0, reporter: Reporter = SILENT) -> None:
        self._session = Session(cache, remotes, jobs=jobs, reporter=reporter, what="reading directories")

    def __enter__(self) -> RemoteTrees:
        self._session.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            if kind is None:
                self._session.keep()
        finally:
            self._session.__exit__(kind, error, trace)

    def get_page(self, oid: ObjectId) -> bytes:
        """The verified bytes of a page. Raises `MissingData`, `IntegrityError`, `StorageError`."""
        page = self._session.load_pages([oid])[oid]
        if isinstance(page, DvtoolError):
            raise page
        return page
