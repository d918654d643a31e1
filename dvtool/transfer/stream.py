"""A stream that goes to a remote without a copy here: its digest is known last, and only the recipe needs it."""

from __future__ import annotations

import os
from typing import NamedTuple

from dvtool.errors import StorageError
from dvtool.errors import storage_error
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.records import ChunkerSettings
from dvtool.formats.records import Root
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.store.chunker import FIXED_PIECES
from dvtool.store.chunker import Reader
from dvtool.transfer.cutting import Cutter
from dvtool.transfer.journal import Journal
from dvtool.transfer.outgoing import Outgoing
from dvtool.transfer.progress import transferring
from dvtool.transfer.pushplan import Survey
from dvtool.transfer.pushplan import rely
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.rootrecords import is_proved
from dvtool.transfer.rootrecords import write_records
from dvtool.transfer.session import Session
from dvtool.transfer.types import PushContext


class StreamResult(NamedTuple):
    """What a stream became: the digest and size of the file that it is."""

    oid: ObjectId
    size: int
    bytes_sent: int


def push_stream(
    cache: Cache, remote: Remote, reader: Reader, context: PushContext, reporter: Reporter = SILENT
) -> StreamResult:
    """Send everything that *reader* gives and prove that it arrived; the cache keeps the recipe only.

    Bounded memory and disk, whatever the length. Raises `StorageError` when the network or the disk
    fails, or packs vanish meanwhile: then the stream has to be read again from its start.
    """
    with Session(cache, [remote], jobs=context.jobs, reporter=reporter, what="push") as session:
        store = RemoteStore(remote, cache.root, session.workers)
        chunker = store.open_or_create(os.urandom(16).hex(), ChunkerSettings()).chunker
        if not context.chunk:
            chunker = FIXED_PIECES
        store.load_indexes()
        store.presence.read_dead()
        found = Survey()
        with (
            transferring(reporter, "uploading", [remote]) as progress,
            Journal(context.journal_dir, store.id, os.urandom(8).hex()) as journal,
            Outgoing(store, journal, cache.tmp, progress) as outgoing,
        ):
            oid, size = _send(session, store, found, outgoing, reader, chunker)
            store.write_index()
            journal.covered()
        found.relied.update(outgoing.sent)
        packs = sorted(found.relied)
        session.keep()
        records = write_records(remote, context, [Root(directory=False, oid=oid)], packs)
        if not is_proved(store, records, packs):
            raise StorageError(
                f"remote {remote.name}: packs vanished while the stream was sent", hint="run the same command again"
            )
        return StreamResult(oid, size, outgoing.bytes_sent)


def _send(
    session: Session,
    store: RemoteStore,
    found: Survey,
    outgoing: Outgoing,
    reader: Reader,
    chunker: ChunkerSettings,
) -> tuple[ObjectId, int]:
    writer = outgoing.writer(DATA)
    beginning = _read_beginning(reader)
    if len(beginning) < CHUNKED_FROM:
        oid = object_id(beginning)
        if not rely(store, found, oid, DATA, BYTES):
            writer.add(oid, BYTES, beginning)
        outgoing.finish_writer(writer)
        outgoing.flush()
        return oid, len(beginning)
    cutter = Cutter(store, found, writer, outgoing.start_made)
    try:
        cut = cutter.cut(_Joined(beginning, reader), chunker)
    except OSError as error:
        raise storage_error(error, "read the stream") from error
    outgoing.finish_writer(writer)
    outgoing.flush()
    # The pieces are on the remote before the recipe that names them.
    writer = outgoing.writer(META)
    for key, data in cut.recipe_objects():
        session.writer.put_keyed(key, RECIPE, data)
        if not rely(store, found, key, META, RECIPE):
            writer.add_alone(key, RECIPE, data)
    outgoing.finish_writer(writer)
    outgoing.flush()
    return cut.oid, cut.size


def _read_beginning(reader: Reader) -> bytes:
    parts: list[bytes] = []
    missing = CHUNKED_FROM
    try:
        while missing and (data := reader.read(missing)):
            parts.append(data)
            missing -= len(data)
    except OSError as error:
        raise storage_error(error, "read the stream") from error
    return b"".join(parts)


class _Joined:
    """What was read already, and then the rest."""

    def __init__(self, beginning: bytes, rest: Reader) -> None:
        self._beginning = beginning
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        if self._beginning:
            data, self._beginning = self._beginning[:size], self._beginning[size:]
            return data
        return self._rest.read(size)
