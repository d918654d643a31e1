"""Writing what readers of a plain web server need, who cannot list."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.project.open import Project
from dvtool.project.parts import open_remote_of
from dvtool.remote.failures import read_only
from dvtool.store.names import CATALOG
from dvtool.store.names import STORE_FILE
from dvtool.transfer.catalog import remove_catalog
from dvtool.transfer.catalog import write_catalog

__all__ = ["CatalogReport", "remote_catalog"]


@dataclass(frozen=True, slots=True)
class CatalogReport:
    """The ``indexes`` and ``dead_lists`` that the catalog names now; ``key`` is where it lies."""

    remote: str
    url: str
    key: str
    indexes: int
    dead_lists: int


def remote_catalog(project: Project, name: str | None = None, *, remove: bool = False) -> CatalogReport:
    """Write the catalog of a remote, the default one without *name*, or with *remove* take it away.

    From then on every push renews it. Raises `StorageError`, `ConfigError`, `UsageError` where nothing was
    pushed to yet.
    """
    with closing(open_remote_of(project, name)) as remote:
        if remove:
            remove_catalog(remote)
            return CatalogReport(remote.name, remote.url, CATALOG, 0, 0)
        if not remote.capabilities.write:
            raise read_only(remote.name, remote.url)
        if not remote.capabilities.listing:
            raise StorageError(f"remote {remote.name} cannot be listed, so nobody knows what belongs into a catalog")
        try:
            remote.get(STORE_FILE)
        except MissingData:
            raise UsageError(
                f"remote {remote.name}: nothing was pushed to {remote.url} yet", hint=f"dvtool push -r {remote.name}"
            ) from None
        found = write_catalog(remote)
        return CatalogReport(remote.name, remote.url, CATALOG, len(found.index), len(found.dead))
