"""The catalog of a remote: what lies in ``index/`` and ``dead/``, for readers that cannot list."""

from __future__ import annotations

from collections.abc import Iterable

from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.catalog import Catalog
from dvtool.formats.catalog import catalog_of
from dvtool.formats.catalog import decode_catalog
from dvtool.formats.catalog import encode_catalog
from dvtool.model.ports import Remote
from dvtool.store.names import CATALOG
from dvtool.store.names import DEAD
from dvtool.store.names import INDEX

_ROUNDS = 4
_MOST_INDEX_BYTES = 512 << 20
"""No writer makes a larger index file; it would have to be held in memory."""


def read_catalog(remote: Remote) -> Catalog:
    """Raises `StorageError` when there is none, `FormatError` and `IntegrityError`."""
    try:
        data = remote.get(CATALOG)
    except MissingData:
        raise StorageError(
            f"remote {remote.name} cannot be listed, and has no catalog to read instead",
            path=CATALOG,
            hint="where the same place can be written: `dvtool remote catalog NAME`, once; pushes keep it up to date",
        ) from None
    return decode_catalog(data, f"remote {remote.name}: {CATALOG}")


def list_indexes(remote: Remote) -> list[str]:
    """What lies below ``index/`` now."""
    if not remote.capabilities.listing:
        return [*read_catalog(remote).index]
    return [item.key.removeprefix(INDEX) for item in remote.list(INDEX) if item.size <= _MOST_INDEX_BYTES]


def remove_catalog(remote: Remote) -> None:
    """Take the catalog away; an absent one is no error. Raises `StorageError`."""
    remote.delete(CATALOG)


def write_catalog(remote: Remote) -> Catalog:
    """Make the catalog say what is there now, also where there is none yet. Raises `StorageError`."""
    found = _look(remote)
    for _ in range(_ROUNDS):
        remote.put(CATALOG, encode_catalog(found))
        # Of two who do this at once, the one that writes last must have seen what the other has added.
        written, found = found, _look(remote)
        if found == written:
            break
    return found


def renew_catalog(remote: Remote) -> None:
    """`write_catalog` where there is one already."""
    if remote.capabilities.listing and any(item.key == CATALOG for item in remote.list(INDEX)):
        write_catalog(remote)


def _look(remote: Remote) -> Catalog:
    return catalog_of(_below(remote, INDEX), _below(remote, DEAD))


def _below(remote: Remote, prefix: str) -> Iterable[str]:
    return [item.key.removeprefix(prefix) for item in remote.list(prefix)]
