"""Objects read from a remote pack by ranges of it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.formats.index import IndexedPack
from dvtool.formats.pack import ALIAS
from dvtool.formats.pack import FOOTER_BYTES
from dvtool.formats.pack import HEADER_BYTES
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import RECORD_HEAD_BYTES
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.pack import RecordDecoder
from dvtool.formats.pack import decode_record_head
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.ports import Remote
from dvtool.remote.failures import TransientError
from dvtool.store.packcheck import check_recipe_key
from dvtool.store.packwriter import RECORD_WANTED
from dvtool.transfer.presence import key_of

RANGE_BYTES = 8 << 20
"""Bytes asked for in one request, unless one object is larger."""
GAP = 512 << 10
"""Bytes that are read and thrown away rather than asking twice."""
_SHARED_RECORD = RECORD_HEAD_BYTES + 4 * 4_096 + RECORD_WANTED
"""The longest record of several objects; a longer one costs a second request."""


class Wish(NamedTuple):
    """One object wanted from a pack: ``offset`` is that of its record."""

    offset: int
    oid: ObjectId
    kind: int
    size: int


class RangeJob(NamedTuple):
    """One request: *length* bytes from *start* of a pack, and what is expected in them, by offset."""

    remote: Remote
    pack: IndexedPack
    start: int
    length: int
    wishes: tuple[Wish, ...]


class RangeResult(NamedTuple):
    """What a request brought: verified objects, those whose bytes were wrong, and whether the pack was gone."""

    job: RangeJob
    objects: list[tuple[Wish, bytes]]
    wrong: list[Wish]
    gone: bool = False


def cut_ranges(remote: Remote, pack: IndexedPack, wishes: Iterable[Wish]) -> Iterator[RangeJob]:
    """Requests for all of *wishes*, near ones together."""
    last = pack.size - FOOTER_BYTES - TABLE_ENTRY_BYTES
    start = end = -1
    group: list[Wish] = []
    for wish in sorted(wishes):
        own_end = min(wish.offset + max(RECORD_HEAD_BYTES + 4 + wish.size, _bound(wish)), last)
        if group and (wish.offset - end > GAP or max(end, own_end) - start > RANGE_BYTES):
            # The bound of a record is generous: the next one tells where this one ends at the latest.
            yield RangeJob(remote, pack, start, min(end, wish.offset) - start, tuple(group))
            group = []
        if not group:
            start = wish.offset
            end = own_end
        end = max(end, own_end)
        group.append(wish)
    if group:
        yield RangeJob(remote, pack, start, end - start, tuple(group))


def _bound(wish: Wish) -> int:
    return _SHARED_RECORD if wish.size < RECORD_WANTED and wish.kind not in (RECIPE, ALIAS) else 0


def read_range(job: RangeJob, *, trusting: bool = False) -> RangeResult:
    """Make the request and verify what came. Raises `StorageError` when the network fails.

    *trusting*: for an object alone in its record, checksum and length are enough. The caller hashes what it puts
    together from them, and asks again, for proof, if that comes out wrong.
    """
    if job.length < RECORD_HEAD_BYTES or job.start < HEADER_BYTES:
        return RangeResult(job, [], list(job.wishes))
    try:
        data = job.remote.get(key_of(job.pack), job.start, job.length)
    except MissingData:
        return RangeResult(job, [], [], gone=True)
    except TransientError:
        raise
    except StorageError:
        if is_there(job.remote, job.pack):
            raise
        return RangeResult(job, [], [], gone=True)
    objects: list[tuple[Wish, bytes]] = []
    wrong: list[Wish] = []
    decoder = RecordDecoder()
    at = 0
    while at < len(job.wishes):
        offset = job.wishes[at].offset
        end = at
        while end < len(job.wishes) and job.wishes[end].offset == offset:
            end += 1
        _read_record(job, data, job.wishes[at:end], decoder, objects, wrong, trusting=trusting)
        at = end
    return RangeResult(job, objects, wrong)


def is_there(remote: Remote, pack: IndexedPack) -> bool:
    """Whether the pack is on the remote now with its size."""
    item = remote.stat(key_of(pack))
    return item is not None and item.size == pack.size


def _read_record(
    job: RangeJob,
    data: bytes,
    wishes: tuple[Wish, ...],
    decoder: RecordDecoder,
    objects: list[tuple[Wish, bytes]],
    wrong: list[Wish],
    *,
    trusting: bool,
) -> None:
    where = f"remote {job.remote.name}: {key_of(job.pack)}"
    offset = wishes[0].offset
    at = offset - job.start
    try:
        total = decode_record_head(data, at, where).total
        if at + total > len(data):
            if offset + total > job.pack.size - FOOTER_BYTES:
                raise FormatError(f"{where}: the record at {offset} reaches past the table")
            data, at = job.remote.get(key_of(job.pack), offset, total), 0
        found = decoder.decode(data, at, where)
        if wishes[0].kind in (RECIPE, ALIAS):
            if len(found) != 1 or len(wishes) != 1:
                raise FormatError(f"{where}: the record at {offset} holds more than its key names")
            if wishes[0].kind == RECIPE:
                check_recipe_key(wishes[0].oid, found[0], where)
            objects.append((wishes[0], found[0]))
            return
    except TransientError:
        raise
    except (FormatError, IntegrityError, MissingData, StorageError):
        wrong += wishes
        return
    if trusting and len(found) == len(wishes) == 1 and len(found[0]) == wishes[0].size:
        objects.append((wishes[0], found[0]))
        return
    missing = {wish.oid: wish for wish in wishes}
    sizes = {wish.size for wish in wishes}
    for each in found:
        if len(each) in sizes and missing:
            oid = object_id(each)
            wish = missing.pop(oid, None)
            if wish is not None:
                objects.append((wish, each))
    wrong += missing.values()
