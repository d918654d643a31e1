"""The run cache of a remote: entries are sent in files that are never written twice, and fetched whole."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping

from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.formats.runbundle import join_entries
from dvtool.hashing.digests import object_id
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.localpacks import TIER_BYTES
from dvtool.store.localpacks import TIER_FILES
from dvtool.store.names import RUNS
from dvtool.transfer.reread import read_right
from dvtool.transfer.runcopies import RunCopies
from dvtool.transfer.runcopies import is_bundle_name

_LISTINGS = 4
_MOST_BYTES = 1 << 30
"""No remote makes a clone fetch more."""


def fetch_runs(remote: Remote, copies: RunCopies, reporter: Reporter = SILENT) -> int:
    """Bring what the remote has of it here; how many files came. Damaged ones are passed over, and told of.

    Raises `StorageError`, `AccessDenied`. A remote that lists nothing has no run cache.
    """
    if not remote.capabilities.listing:
        return 0
    came, names = 0, {}
    bad: set[str] = set()
    for _ in range(_LISTINGS):
        names = _list(remote)
        if sum(names.values()) > _MOST_BYTES:
            reporter.note(f"remote {remote.name}: its run cache is longer than {_MOST_BYTES:,} bytes: not fetched")
            return came
        missing = names.keys() - copies.bundles().keys() - bad
        if not missing:
            break  # else somebody merged one into another while we read: look again
        for name in sorted(missing):
            try:
                copies.add(name, read_right(remote, RUNS + name, lambda data: _proved(data, name, remote)))  # noqa: B023
                came += 1
            except MissingData:
                continue
            except IntegrityError as error:
                bad.add(name)
                reporter.note(f"passed over: {error.message}")
    copies.prune(names)
    return came


def push_runs(remote: Remote, copies: RunCopies, lines: Collection[bytes], reporter: Reporter = SILENT) -> None:
    """Send entries, none of which the remote has as far as *copies* tell. Raises `StorageError`, `AccessDenied`.

    Where the remote has come to many files, they are merged.
    """
    capabilities = remote.capabilities
    if not lines or not capabilities.write:
        return
    names = _list(remote) if capabilities.listing else {}
    if copies.bundles().keys() - names.keys():
        # Merged or gone meanwhile; what was to be sent may still be missing there.
        fetch_runs(remote, copies, reporter)
    name, data = _publish(remote, copies, join_entries(lines))
    if capabilities.listing and capabilities.delete:
        _merge(remote, copies, {**names, name: len(data)}, reporter)


def is_right_bundle(remote: Remote, key: str) -> bool:
    """Whether a file of entries is what its name says, or gone. Raises `StorageError`."""
    try:
        return object_id(remote.get(key)).hex() == key.removeprefix(RUNS)
    except MissingData:
        return True


def drop_bundles(remote: Remote, keys: Iterable[str]) -> None:
    """Delete those that still prove wrong. Raises `StorageError`."""
    for key in keys:
        if key.startswith(RUNS) and not is_right_bundle(remote, key):
            remote.delete(key)


def _merge(remote: Remote, copies: RunCopies, names: Mapping[str, int], reporter: Reporter) -> None:
    for tier, largest in enumerate(TIER_BYTES[:-1]):
        smallest = TIER_BYTES[tier - 1] if tier else 0
        members = [name for name, size in names.items() if smallest < size <= largest]
        if len(members) <= TIER_FILES:
            continue
        fetch_runs(remote, copies, reporter)
        here = {name: copies.bundles()[name] for name in members if name in copies.bundles()}
        merged, _ = _publish(remote, copies, join_entries(line for bundle in here.values() for line in bundle.lines()))
        for name in here.keys() - {merged}:
            remote.delete(RUNS + name)
        copies.prune(copies.bundles().keys() - (here.keys() - {merged}))


def _publish(remote: Remote, copies: RunCopies, data: bytes) -> tuple[str, bytes]:
    name = object_id(data).hex()
    remote.put(RUNS + name, data)
    copies.add(name, data)
    return name, data


def _list(remote: Remote) -> dict[str, int]:
    """Names and sizes."""
    found = ((item.key.removeprefix(RUNS), item.size) for item in remote.list(RUNS))
    return {name: size for name, size in found if is_bundle_name(name)}


def _proved(data: bytes, name: str, remote: Remote) -> bytes:
    if object_id(data).hex() != name:
        raise IntegrityError(f"remote {remote.name}: {RUNS}{name}: the bytes are not what the name says")
    return data
