"""Carries out what a push has decided to send: file bytes first, then the trees and recipes that name them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import groupby

from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.errors import storage_error
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TABLE_ENTRY_BYTES
from dvtool.formats.pack import TREE
from dvtool.formats.records import ChunkerSettings
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.store.chunker import FIXED_PIECES
from dvtool.store.localpacks import PackKey
from dvtool.store.localpacks import Place
from dvtool.store.packfile import Table
from dvtool.store.packwriter import PackWriter
from dvtool.transfer.cutting import Cutter
from dvtool.transfer.outgoing import Outgoing
from dvtool.transfer.pushplan import PiecesOf
from dvtool.transfer.pushplan import Survey
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.session import Session


def send(
    session: Session, store: RemoteStore, found: Survey, outgoing: Outgoing, chunker: ChunkerSettings
) -> set[ObjectId]:
    """Upload everything in ``found.send``; returns the objects whose bytes in the cache are wrong.

    All packs are on the remote when this returns; no index covers the last of them yet.
    """
    return _Sender(session, store, found, outgoing, chunker).run()


class _Sender:
    def __init__(
        self, session: Session, store: RemoteStore, found: Survey, outgoing: Outgoing, chunker: ChunkerSettings
    ) -> None:
        self._session = session
        self._cache = session.cache
        self._store = store
        self._found = found
        self._outgoing = outgoing
        self._chunker = chunker
        self._damaged: set[ObjectId] = set()
        self._recipes: list[tuple[ObjectId, bytes]] = []

    def run(self) -> set[ObjectId]:
        to_send = self._found.send
        writer = self._outgoing.writer(DATA)
        self._packs(DATA, writer)
        self._loose(to_send.loose, writer)
        for each in to_send.pieces:
            self._pieces(each, writer)
        self._cut(writer)
        self._end(DATA, writer)
        writer = self._outgoing.writer(META)
        self._packs(META, writer)
        for key, data in self._recipes:
            writer.add_alone(key, RECIPE, data)
        self._end(META, writer)
        return self._damaged

    def _packs(self, pack_class: int, writer: PackWriter) -> None:
        """Packs that are wanted whole go as they are; nothing that was not asked for leaves the machine."""
        parts: list[tuple[Place, ObjectId]] = []
        packs = self._cache.packs
        for key, table in self._found.send.whole.items():
            if key.pack_class == pack_class:
                self._outgoing.send_local(packs.path(key), pack_class, key.id, packs.keys()[key], table)
        for key, members in self._found.send.packed.items():
            if key.pack_class != pack_class:
                continue
            try:
                table = packs.table(key)
            except (DvtoolError, OSError):
                table = b""
            if len(table) == len(members) * TABLE_ENTRY_BYTES:
                self._outgoing.send_local(packs.path(key), pack_class, key.id, packs.keys()[key], table)
            else:
                parts += members
        self._parts(parts, writer)

    def _parts(self, members: list[tuple[Place, ObjectId]], writer: PackWriter) -> None:
        members.sort()
        members = self._whole_records(members, writer)
        plain = [item for item in members if item[0].kind in (BYTES, TREE)]
        for oid, data in self._cache.read_packed(plain):
            if isinstance(data, IntegrityError):
                self._is_damaged(oid, data)
                continue
            writer.add(oid, BYTES if plain[0][0].kind == BYTES else TREE, data)
            self._outgoing.start_made()
        for place, oid in members:
            if place.kind not in (BYTES, TREE):
                try:
                    writer.add_alone(oid, place.kind, self._cache.read_meta(oid, place.kind))
                except DvtoolError as error:
                    self._is_damaged(oid, error)

    def _whole_records(self, members: list[tuple[Place, ObjectId]], writer: PackWriter) -> list[tuple[Place, ObjectId]]:
        """Copy the records that are wanted whole as they are; what is left.

        One former version of a file in a pack of 64 MiB is enough that the pack cannot go as it
        is: unpacking, hashing and packing its 50,000 other objects again took 1.1 s.
        """
        left: list[tuple[Place, ObjectId]] = []
        for (key, offset), group in groupby(members, lambda item: (item[0].pack, item[0].offset)):
            wanted = list(group)
            record = self._whole_record(key, offset, len(wanted)) if wanted[0][0].kind in (BYTES, TREE) else b""
            if record:
                writer.add_record(record, [(oid, place.kind, place.size) for place, oid in wanted])
                self._outgoing.start_made()
            else:
                left += wanted
        return left

    def _whole_record(self, key: PackKey, offset: int, wanted: int) -> bytes:
        try:
            record, objects = self._cache.packs.open(key).raw_record(offset)
        except (DvtoolError, OSError):
            return b""
        return record if objects == wanted else b""

    def _loose(self, blobs: Iterable[ObjectId], writer: PackWriter) -> None:
        for oid in blobs:
            try:
                data = self._cache.read_blob(oid)
            except IntegrityError as error:
                self._is_damaged(oid, error)
                continue
            except OSError as error:
                raise storage_error(error, "read", self._cache.loose_path(oid)) from error
            writer.add(oid, BYTES, data)
            self._outgoing.start_made()

    def _pieces(self, wanted: PiecesOf, writer: PackWriter) -> None:
        path = self._cache.loose_path(wanted.blob)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                for offset, piece in wanted.pieces:
                    data = os.pread(fd, piece.length, offset)
                    if object_id(data) != piece.digest:
                        self._is_damaged(wanted.blob, _wrong_bytes(path))
                        return
                    writer.add_alone(ObjectId(piece.digest), BYTES, data)
                    self._outgoing.start_made()
            finally:
                os.close(fd)
        except OSError as error:
            raise storage_error(error, "read", path) from error

    def _cut(self, writer: PackWriter) -> None:
        cutter = Cutter(self._store, self._found, writer, self._outgoing.start_made)
        for oid, (size, at_content) in self._found.send.to_cut.items():
            path = self._cache.loose_path(oid)
            try:
                with open(path, "rb", buffering=0) as file:
                    cut = cutter.cut(file, self._chunker if at_content else FIXED_PIECES)
            except OSError as error:
                raise storage_error(error, "read", path) from error
            if (cut.oid, cut.size) != (oid, size):
                self._is_damaged(oid, _wrong_bytes(path))
                continue
            for key, data in cut.recipe_objects():
                self._session.writer.put_keyed(key, RECIPE, data)
                self._recipes.append((key, data))

    def _members(self, key: PackKey) -> list[tuple[Place, ObjectId]]:
        table = self._found.send.whole.get(key)
        if table is None:
            return self._found.send.packed[key]
        return [
            (Place(key, entry.offset, entry.size, entry.kind), ObjectId(entry.digest))
            for entry in Table(table).entries()
        ]

    def _is_damaged(self, oid: ObjectId, error: DvtoolError) -> None:
        self._damaged.add(oid)
        self._session.damage.append(error)

    def _end(self, pack_class: int, writer: PackWriter) -> None:
        self._outgoing.finish_writer(writer)
        self._outgoing.flush()
        damaged: list[PackKey] = []
        while self._outgoing.damaged:
            damaged.append(self._outgoing.damaged.pop())
        if damaged:
            again = self._outgoing.writer(pack_class)
            for key in damaged:
                self._parts(self._members(key), again)
            self._outgoing.finish_writer(again)
            self._outgoing.flush()


def _wrong_bytes(path: bytes) -> IntegrityError:
    return IntegrityError(f"{show(path)}: the bytes are not what their name says", path=path)
