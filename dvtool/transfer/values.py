"""Values of a remote that were not written by dvtool, into the cache: in parallel, the large ones in pieces, hashed on
the way, and what they are remembered."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from dvtool.errors import MissingData
from dvtool.hashing.digests import digest_of
from dvtool.hashing.digests import new_hasher
from dvtool.hashing.digests import object_id
from dvtool.model.digest import Digest
from dvtool.model.digest import ObjectId
from dvtool.model.ports import Gathering
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.state.aliases import Aliases
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.transfer.fetch import COMMIT_BYTES
from dvtool.transfer.parallel import Workers

_PIECE = 8 << 20
"""Values of so many bytes and more arrive in pieces."""
_AHEAD = 64 << 20
_AT_ONCE = 32
_GROUP_BYTES = 1 << 20


class Value(NamedTuple):
    """What is wanted: its key, its size, and the name (``stated``) under which the aliases remember what it is.

    ``proof``: the digest that its bytes must have; None where nobody knows one.
    """

    key: str
    size: int
    stated: ObjectId
    proof: Digest | None = None


class Bringing:
    """Takes values of *remote* into *cache*; what comes whole is kept whatever happens to the rest.

    ``gone``: what the remote does not have any more, or, where nobody knows a digest, not with that size.
    ``damaged``: what is not what its proof says.
    """

    def __init__(self, cache: Cache, aliases: Aliases, remote: Remote, workers: Workers) -> None:
        self._cache = cache
        self._aliases = aliases
        self._remote = remote
        self._workers = workers
        self._uncommitted = 0
        self.objects = self.received = 0
        self.damaged: list[Value] = []
        self.gone: list[Value] = []

    def run(self, values: Sequence[Value], progress: Reporter, *, what: str = "dvtool fetch") -> None:
        """Raises `StorageError` when the network or the disk fails."""
        with CacheWriter(self._cache, what=what, on_wait=progress.note) as writer:
            try:
                self._small(writer, [value for value in values if value.size < _PIECE], progress)
                for value in values:
                    if value.size >= _PIECE:
                        self._large(writer, value, progress)
            finally:
                # What has come whole stays, whatever happened to the rest.
                self._keep(writer)

    def _keep(self, writer: CacheWriter) -> None:
        writer.commit()
        self._aliases.save()
        self._uncommitted = 0

    def _small(self, writer: CacheWriter, values: Sequence[Value], progress: Reporter) -> None:
        def get(value: Value) -> bytes | None:
            try:
                return self._remote.get(value.key, 0, value.size) if value.size else b""
            except MissingData:
                return None

        def proved(value: Value, data: bytes | None) -> tuple[Value, bytes | None, ObjectId | None]:
            if data is None or (value.proof is None and len(data) != value.size):
                return value, None, None
            is_right = value.proof is None or digest_of(data, value.proof.algorithm) == value.proof
            return value, data, object_id(data) if is_right else None

        def get_each(some: Sequence[Value]) -> list[tuple[Value, bytes | None, ObjectId | None]]:
            found: Sequence[bytes | None] = [None] * len(some)
            if isinstance(self._remote, Gathering):
                found = self._remote.get_each([(value.key, value.size) for value in some])
            return [proved(value, get(value) if data is None else data) for value, data in zip(some, found)]

        groups = self._workers.map(get_each, _grouped(values, self._workers.count), cost=_size_of_all, budget=_AHEAD)
        for value, data, oid in chain.from_iterable(groups):
            if data is None:
                self.gone.append(value)
                continue
            self.received += len(data)
            if oid is None:
                self.damaged.append(value)
                continue
            writer.put_small(data, oid)
            self._arrived(value, oid, len(data))
            progress.advance(len(data))
            if self._uncommitted > COMMIT_BYTES:
                self._keep(writer)

    def _large(self, writer: CacheWriter, value: Value, progress: Reporter) -> None:
        other = None if value.proof is None else new_hasher(value.proof.algorithm)
        came = 0
        with writer.loose_temporary() as temporary:
            try:
                for piece in self._pieces(value):
                    temporary.write(piece)
                    came += len(piece)
                    if other is not None:
                        other.update(piece)
                    self.received += len(piece)
                    progress.advance(len(piece))
            except MissingData:
                self.gone.append(value)
                return
            if value.proof is None and came != value.size:
                self.gone.append(value)
                return
            if other is not None and value.proof is not None and other.digest() != value.proof.raw:
                self.damaged.append(value)
                return
            oid = temporary.digest()
            temporary.publish(oid)
        self._arrived(value, oid, value.size)
        self._keep(writer)

    def _pieces(self, value: Value) -> Iterator[bytes]:
        def get(start: int) -> bytes:
            return self._remote.get(value.key, start, min(_PIECE, value.size - start))

        starts = range(0, value.size, _PIECE)
        return self._workers.map(get, starts, cost=lambda _: _PIECE, budget=_AHEAD)

    def _arrived(self, value: Value, oid: ObjectId, size: int) -> None:
        self._aliases.put(value.stated, oid, size)
        self.objects += 1
        self._uncommitted += size


def _grouped(values: Sequence[Value], workers: int) -> Iterator[Sequence[Value]]:
    """What a worker asks for at once: of few there is one for each, of many as many as are quick together."""
    most = min(_AT_ONCE, len(values) // (4 * workers) + 1)
    group: list[Value] = []
    size = 0
    for value in values:
        if len(group) >= most or (group and size + value.size > _GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(value)
        size += value.size
    if group:
        yield group


def _size_of_all(values: Sequence[Value]) -> int:
    return sum(value.size for value in values)
