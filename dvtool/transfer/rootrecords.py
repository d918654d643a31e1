"""Root records: what a push promises to keep."""

from __future__ import annotations

import os
from collections.abc import Sequence

from xxhash import xxh3_128_hexdigest

from dvtool.formats.index import IndexedPack
from dvtool.formats.records import MAX_PACK_KEYS
from dvtool.formats.records import Root
from dvtool.formats.records import RootRecord
from dvtool.formats.records import decode_root_record
from dvtool.formats.records import encode_root_record
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.store.names import ROOTS
from dvtool.transfer.presence import key_of
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.types import PushContext

YOUNG_SECONDS = 7 * 86_400
"""A record younger than this stands for a new push of the same commit."""
_CLOCK_ERROR = 86_400
_NO_COMMIT = "0" * 40


def root_name(root: Root) -> str:
    """A root in one word."""
    return f"{'d' if root.directory else 'f'}{root.oid.hex()}"


def commit_name(commits: Sequence[str]) -> str:
    """What stands for a push in the names of its records: its first commit."""
    return commits[0] if commits else _NO_COMMIT


def promise_name(commits: Sequence[str]) -> str:
    """All commits of a push in one word: a record that names fewer does not stand for it."""
    if len(commits) < 2:
        return commit_name(commits)
    return xxh3_128_hexdigest(" ".join(sorted(commits)).encode("ascii"))


def is_young(item: RemoteItem | None, now: float) -> bool:
    """Whether a record is there and keeps its packs for long enough without being written again."""
    if item is None or item.modified is None:
        return False
    return -_CLOCK_ERROR < now - item.modified < YOUNG_SECONDS


def is_proved(store: RemoteStore, records: Sequence[str], packs: Sequence[IndexedPack]) -> bool:
    """The second look: the dead lists, then the packs and the records. In this order nothing is lost.

    A list goes after all that it names. So what a list that was not there any more has named is seen to be gone.
    """
    gone = store.presence.look(packs)
    there = all(item is not None for item in store.workers.map(store.remote.stat, records))
    return there and not gone and not any(map(store.presence.is_released, records))


def write_records(
    remote: Remote, context: PushContext, roots: Sequence[Root], packs: Sequence[IndexedPack]
) -> list[str]:
    """Write what this push promises under new names, the roots in the first; the keys.

    Without roots the packs alone are kept, for as long as a young record keeps them.
    """
    keys = []
    names = [key_of(pack) for pack in packs]
    for at in range(0, max(len(names), 1), MAX_PACK_KEYS):
        record = RootRecord(
            repository=context.repository_id,
            commits=tuple(context.commits),
            roots=() if at else tuple(dict.fromkeys(roots)),
            packs=tuple(names[at : at + MAX_PACK_KEYS]),
            author=context.author,
        )
        keys.append(write_record(remote, record))
    return keys


def write_record(remote: Remote, record: RootRecord) -> str:
    """Write one record under a new name; the key."""
    key = f"{ROOTS}{record.repository}/{commit_name(record.commits)}-{os.urandom(8).hex()}"
    data = encode_root_record(record)
    decode_root_record(data, key)  # a record that nobody can read would stop every collection
    remote.put(key, data)
    return key
