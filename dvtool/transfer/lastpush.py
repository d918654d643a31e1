"""Who promised last that a remote keeps something: from its root records."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.formats.records import Root
from dvtool.formats.records import RootRecord
from dvtool.formats.records import decode_root_record
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.store.names import ROOTS
from dvtool.transfer.parallel import Workers
from dvtool.transfer.parallel import threads_for

_MOST = 2_000
"""So many records are read, the newest first; each is a request."""


class LastPush(NamedTuple):
    """``author`` as in a commit, empty where Git could not say. ``when``: Unix seconds by the server's clock."""

    remote: str
    author: str
    commits: tuple[str, ...]
    when: float | None


def last_push(remote: Remote, repository: str, roots: Collection[Root], jobs: int = 0) -> LastPush | None:
    """The newest record of the repository that names one of *roots*; None where none does, or it was released.

    A record that cannot be read is passed over. Raises `StorageError`, also for a remote that cannot list.
    """
    if not remote.capabilities.listing:
        return None
    items = sorted(remote.list(f"{ROOTS}{repository}/"), key=lambda item: item.modified or 0.0, reverse=True)

    def read(item: RemoteItem) -> RootRecord | None:
        try:
            return decode_root_record(remote.get(item.key), item.key)
        except DvtoolError:
            return None

    with Workers(threads_for([remote], jobs)) as workers:
        recent = items[:_MOST]
        records = workers.map(read, recent)
        for item, record in zip(recent, records):
            if record is not None and not set(roots).isdisjoint(record.roots):
                records.close()
                return LastPush(remote.name, record.author, record.commits, item.modified)
    return None
