"""Reading files of a worktree under two digests at once: BLAKE3, and those that adopted data is stated by."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

from dvtool.disk.beneath import open_file
from dvtool.disk.clone import read_blocks
from dvtool.disk.signature import signature_of
from dvtool.errors import StorageError
from dvtool.hashing.digests import digest_of
from dvtool.hashing.digests import new_hasher
from dvtool.hashing.digests import object_id
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.workspace.sinks import HashSink

_TRIES = 3


class Learned(NamedTuple):
    """One file that was read: ``stated`` is its digest as adopted data has it."""

    stated: ObjectId
    oid: ObjectId
    size: int


class LearningSink(HashSink):
    """As `HashSink`, and ``learned`` says what each file read is under the other algorithms."""

    def __init__(self, algorithms: Collection[Algorithm]) -> None:
        super().__init__()
        self._algorithms = tuple(algorithms)
        self.learned: list[Learned] = []

    def small(self, data: bytes) -> ObjectId:
        oid = object_id(data)
        for algorithm in self._algorithms:
            self.learned.append(Learned(digest_of(data, algorithm).oid, oid, len(data)))
        return oid

    def large(self, directory_fd: int, name: bytes, path: bytes) -> tuple[ObjectId, os.stat_result]:
        oid, learned, status = hash_under(directory_fd, name, path, self._algorithms)
        self.learned += learned
        return oid, status


def hash_under(
    directory_fd: int, name: bytes, path: bytes, algorithms: Collection[Algorithm]
) -> tuple[ObjectId, list[Learned], os.stat_result]:
    """Hash one file in blocks, never through a link. Raises `StorageError` when it keeps changing."""
    for _ in range(_TRIES):
        fd = open_file(directory_fd, name, shown=path)
        try:
            before = os.fstat(fd)
            hasher = new_hasher()
            others = {algorithm: new_hasher(algorithm) for algorithm in algorithms}
            hashers = (hasher, *others.values())

            def update(block: bytes | memoryview, hashers: tuple[object, ...] = hashers) -> None:
                for each in hashers:
                    each.update(block)  # type: ignore[attr-defined]

            total = read_blocks(fd, update)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        if signature_of(before) == signature_of(after) and total == after.st_size:
            oid = ObjectId(hasher.digest())
            stated = (Digest(algorithm, each.digest()).oid for algorithm, each in others.items())
            return oid, [Learned(one, oid, total) for one in stated], after
    raise StorageError(f"{show(path)} keeps changing while it is read", path=path, hint="run the command again later")
