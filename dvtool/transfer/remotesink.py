"""Files that go to a remote as they are read, without a copy here: only what names their parts is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager

from dvtool.disk.beneath import open_file
from dvtool.disk.signature import signature_of
from dvtool.errors import StorageError
from dvtool.formats.pack import BYTES
from dvtool.formats.pack import DATA
from dvtool.formats.pack import META
from dvtool.formats.pack import RECIPE
from dvtool.formats.pack import TREE
from dvtool.formats.records import ChunkerSettings
from dvtool.formats.records import Root
from dvtool.hashing.digests import object_id
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Remote
from dvtool.model.ports import Reporter
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.store.chunker import FIXED_PIECES
from dvtool.transfer.cutting import Cutter
from dvtool.transfer.journal import Journal
from dvtool.transfer.outgoing import Outgoing
from dvtool.transfer.progress import transferring
from dvtool.transfer.pushplan import Survey
from dvtool.transfer.pushplan import rely
from dvtool.transfer.pushplan import survey
from dvtool.transfer.remotestore import RemoteStore
from dvtool.transfer.rootrecords import is_proved
from dvtool.transfer.rootrecords import write_records
from dvtool.transfer.sending import send
from dvtool.transfer.session import Session
from dvtool.transfer.types import PushContext
from dvtool.transfer.types import Wanted


@contextmanager
def remote_sink(
    cache: Cache,
    remote: Remote,
    context: PushContext,
    reporter: Reporter = SILENT,
    *,
    path_of: Callable[[bytes], bytes] = lambda path: path,
) -> Iterator[RemoteSink]:
    """Sends what a snapshot hands in; `RemoteSink.finish` proves that it arrived. Memory and disk are bounded.

    *path_of* tells what a file that is read will be called, which is what ``context.unchunked`` is asked about.
    Raises `StorageError` when the network or the disk fails: the next try sends what is not there by then.
    """
    with Session(cache, [remote], jobs=context.jobs, reporter=reporter, what="push") as session:
        store = RemoteStore(remote, cache.root, session.workers)
        store.open_or_create(os.urandom(16).hex(), ChunkerSettings())
        _learn(store)
        session.use_stores([store])
        with (
            transferring(reporter, "uploading", [remote]) as progress,
            Journal(context.journal_dir, store.id, os.urandom(8).hex()) as journal,
            Outgoing(store, journal, cache.tmp, progress) as outgoing,
        ):
            # It holds the cache's lock from here on: opened later, it would sweep away the packs that wait here.
            kept = session.writer
            yield RemoteSink(session, kept, store, context, journal, outgoing, path_of)


def _learn(store: RemoteStore) -> None:
    """What is there: a pack of which an index speaks may be gone, and one of a try that failed is in no index."""
    store.load_indexes()
    store.find_uncovered()
    store.presence.look({pack for reader in store.index_readers for pack in reader.packs})


class RemoteSink:
    """What a snapshot needs done with bytes, done by sending those that the remote lacks."""

    asks_store = False

    def __init__(
        self,
        session: Session,
        kept: CacheWriter,
        store: RemoteStore,
        context: PushContext,
        journal: Journal,
        outgoing: Outgoing,
        path_of: Callable[[bytes], bytes],
    ) -> None:
        assert store.store_file is not None
        self._session = session
        self._kept = kept
        self._store = store
        self._context = context
        self._journal = journal
        self._outgoing = outgoing
        self._path_of = path_of
        self._chunker = store.store_file.chunker
        self._found = Survey()
        self._handed_in: set[bytes] = set()
        self._writer = outgoing.writer(DATA)
        self._cutter = Cutter(store, self._found, self._writer, outgoing.start_made)
        self._recipes: dict[ObjectId, bytes] = {}

    def small(self, data: bytes) -> ObjectId:
        oid = object_id(data)
        if oid not in self._handed_in:
            self._handed_in.add(oid)
            if not rely(self._store, self._found, oid, DATA, BYTES):
                self._writer.add(oid, BYTES, data)
                self._outgoing.start_made()
        return oid

    def large(self, directory_fd: int, name: bytes, path: bytes) -> tuple[ObjectId, os.stat_result]:
        """Raises `StorageError` for a file that changes: what was sent of it is nobody's, and a collection takes it."""
        fd = open_file(directory_fd, name, shown=path)
        with open(fd, "rb", buffering=0) as file:
            before = os.fstat(fd)
            if before.st_size < CHUNKED_FROM:
                data = file.read(before.st_size)
                size = len(data)
                oid = self.small(data)
            else:
                at_content = self._context.cuts_at_content(self._path_of(path))
                cut = self._cutter.cut(file, self._chunker if at_content else FIXED_PIECES)
                oid, size = cut.oid, cut.size
                for key, recipe in cut.recipe_objects():
                    # The cache may have another one, of other pieces: this one goes with what was sent.
                    self._recipes[key] = recipe
                    self._kept.put_keyed(key, RECIPE, recipe)
            after = os.fstat(fd)
        if signature_of(before) != signature_of(after) or size != after.st_size:
            raise StorageError(
                f"{show(path)} changed while it was sent; no pointer was written",
                path=path,
                hint="run the command again when nothing writes to it",
            )
        return oid, after

    def page(self, data: bytes) -> ObjectId:
        """Kept in the cache: what lists a directory asks for its pages, not for its files."""
        return self._kept.put_tree(data)

    def holds(self, oid: bytes) -> bool:
        return oid in self._handed_in

    def holds_all(self, oids: Sequence[bytes]) -> bool:
        return self._handed_in.issuperset(oids)

    def holds_page(self, oid: bytes) -> bool:
        return self._session.cache.has_meta(oid, TREE)

    def finish(self, wanted: Wanted) -> int:
        """Send what is left, look every object of *wanted* up, and promise to keep it; the bytes of packs sent.

        Raises `StorageError`, also when packs vanish meanwhile.
        """
        store, outgoing = self._store, self._outgoing
        outgoing.finish_writer(self._writer)
        outgoing.flush()
        self._session.keep()
        self._session.cache.forget()
        self._send_recipes()
        found = survey(self._session, store, [wanted], cuts_at_content=self._context.cuts_at_content)
        if not found.complete:
            raise _incomplete(store, wanted)
        send(self._session, store, found, outgoing, self._chunker)
        store.write_index()
        self._journal.covered()
        packs = sorted(found.relied.union(outgoing.sent))
        records = write_records(store.remote, self._context, [Root(wanted.directory, wanted.oid)], packs)
        if not is_proved(store, records, packs):
            raise _incomplete(store, wanted)
        return outgoing.bytes_sent

    def _send_recipes(self) -> None:
        """The pieces are on the remote before the recipe that names them."""
        writer = self._outgoing.writer(META)
        for key, data in self._recipes.items():
            if not rely(self._store, self._found, key, META, RECIPE):
                writer.add_alone(key, RECIPE, data)
        self._outgoing.finish_writer(writer)
        self._outgoing.flush()


def _incomplete(store: RemoteStore, wanted: Wanted) -> StorageError:
    name = store.remote.name
    return StorageError(
        f"remote {name}: not all of {show(wanted.path)} is there after it was sent",
        path=wanted.path,
        hint=f"run the same command again; if that does not help: dvtool fsck --remote {name}",
    )
