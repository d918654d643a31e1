"""Taking stored objects off a remote: the only place that does. See ``docs/explanation/deleting-on-a-remote.md``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dvtool.errors import UnsafeInput
from dvtool.formats.records import DeadList
from dvtool.formats.records import is_record_key
from dvtool.model.ports import Remote
from dvtool.store.names import parse_pack_name
from dvtool.transfer.parallel import Workers


@dataclass(frozen=True, slots=True)
class Proof:
    """Why packs may go: all of it read from the remote, in the order lists, records, lists, packs.

    ``lists``: dead lists that were there before the records were read, and whose grace is over.
    ``alone``: keys of packs that hold a needed object of which no copy was made: they stay.
    """

    lists: dict[str, DeadList]
    alone: frozenset[str]


def delete_doomed(remote: Remote, workers: Workers, proof: Proof, drop_from_index: Callable[[set[str]], None]) -> None:
    """Delete what the lists of *proof* name, then the lists. Every key that a list names, not only those seen:
    one that a listing has left out would count as present again once the list is gone.

    Records go first: they must not be read without their packs. A list that names a pack in ``alone`` stays.
    Raises `StorageError`; the same call finishes the rest.
    """
    packs = {key for dead in proof.lists.values() for key in dead.packs} - proof.alone
    records = {key for dead in proof.lists.values() for key in dead.records}
    for key in packs:
        parsed = parse_pack_name(key)
        if parsed is None or not parsed[2]:
            raise UnsafeInput(f"remote {remote.name}: {key} in a dead list is no pack of a remote", path=key)
    for key in records:
        if not is_record_key(key):
            raise UnsafeInput(f"remote {remote.name}: {key} in a dead list is no root record", path=key)
    _delete(remote, workers, records)
    _delete(remote, workers, packs)
    drop_from_index(packs)
    _delete(remote, workers, {key for key, dead in proof.lists.items() if proof.alone.isdisjoint(dead.packs)})


def _delete(remote: Remote, workers: Workers, keys: set[str]) -> None:
    for _ in workers.map(remote.delete, sorted(keys)):
        pass
