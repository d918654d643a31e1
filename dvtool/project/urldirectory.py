"""Directories on servers, and prefixes of object stores: what is in them, and bringing that."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from blake3 import blake3

from dvtool.disk.space import require_space
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.model.digest import ObjectId
from dvtool.model.paths import show
from dvtool.model.ports import Remote
from dvtool.model.ports import RemoteItem
from dvtool.model.ports import Reporter
from dvtool.model.tree import Entry
from dvtool.model.tree import directory_entry
from dvtool.model.tree import file_entry
from dvtool.remote.redact import redact
from dvtool.state.aliases import Aliases
from dvtool.state.aliases import KnownFile
from dvtool.store.adopted import build_tree
from dvtool.store.cache import Cache
from dvtool.store.cachewriter import CacheWriter
from dvtool.transfer.parallel import Workers
from dvtool.transfer.parallel import threads_for
from dvtool.transfer.progress import transferring
from dvtool.transfer.values import Bringing
from dvtool.transfer.values import Value

_TAG = 500
_AT_ONCE = 500
_SETTLED_SECONDS = 3600


class Listed(NamedTuple):
    """A file of a directory: its path there, as the server writes it, and what tells its version from others.

    ``is_sure``: no other version can have the same tag.
    """

    key: str
    size: int
    tag: str
    is_sure: bool


@dataclass(frozen=True, slots=True)
class UrlDirectory:
    """A directory at a URL, which ends in ``/``: *remote* has its files as keys, in the order of their names."""

    url: str
    remote: Remote
    files: tuple[Listed, ...]
    nonce: bytes

    @classmethod
    def look(cls, url: str, remote: Remote, now: float) -> UrlDirectory | None:
        """None where no file is below it. *now*: Unix seconds.

        Raises `UnsafeInput` for names that no directory here may have.
        """
        found = (Listed(item.key, item.size, tag_of(item), _is_sure(item, now)) for item in remote.list(""))
        files = tuple(sorted(found, key=lambda file: os.fsencode(file.key)))
        _check(files, url)
        return cls(url, remote, files, os.urandom(16)) if files else None

    @property
    def etag(self) -> str:
        """Another one when any name, size or tag is another: see ``docs/formats/pointer.md``."""
        hasher = blake3()
        for file in self.files:
            hasher.update(b"%b\0%d\0%b\0" % (os.fsencode(file.key), file.size, file.tag.encode()))
        return f"blake3:{hasher.hexdigest()}"

    @property
    def name(self) -> bytes:
        """What it is called."""
        return name_of(self.url)

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    def bring(self, cache: Cache, aliases: Aliases, jobs: int, reporter: Reporter) -> tuple[Entry, int]:
        """Bring it into *cache*: what it is, and how many bytes came. What *aliases* have seen there and *cache* has is
        not sent again.

        Raises `StorageError` for a failure, and where something there changed meanwhile.
        """
        values = [
            Value(file.key, file.size, stated)
            for file, stated, known in self._known(aliases)
            if known is None or known.size != file.size or not cache.has_blob(known.oid)
        ]
        received = self._receive(values, cache, aliases, jobs, reporter) if values else 0
        again = UrlDirectory.look(self.url, self.remote, 0)
        if again is None or again.etag != self.etag:
            raise changed_meanwhile(self.url)
        with CacheWriter(cache, what=f"reading {redact(self.url)}", on_wait=reporter.note) as writer:
            tree = build_tree(self._entries(aliases), writer.put_tree)
            writer.commit()
        cache.forget()
        return directory_entry(self.name, tree), received

    def _receive(self, values: list[Value], cache: Cache, aliases: Aliases, jobs: int, reporter: Reporter) -> int:
        total = sum(value.size for value in values)
        doing = f"reading {redact(self.url)}"
        require_space(cache.root, total, doing.replace("reading", "read", 1))
        with Workers(threads_for([self.remote], jobs)) as workers:
            work = Bringing(cache, aliases, self.remote, workers)
            with transferring(reporter, doing, [self.remote], total) as progress:
                work.run(values, progress, what=doing)
        cache.forget()
        if work.gone:
            raise changed_meanwhile(self.url)
        return work.received

    def _entries(self, aliases: Aliases) -> Iterator[tuple[bytes, Entry]]:
        for file, _, known in self._known(aliases):
            if known is None:
                raise StorageError(f"{redact(self.url)}{file.key} was not kept", hint="run the command again")
            path = os.fsencode(file.key)
            yield path, file_entry(path.rpartition(b"/")[2], known.oid, file.size, executable=False)

    def _known(self, aliases: Aliases) -> Iterator[tuple[Listed, ObjectId, KnownFile | None]]:
        """Each file, the name that the aliases have for this version of it, and what that is."""
        for start in range(0, len(self.files), _AT_ONCE):
            some = self.files[start : start + _AT_ONCE]
            stated = [self._stated(file) for file in some]
            known = aliases.files(stated)
            yield from ((file, each, known.get(each)) for file, each in zip(some, stated))

    def _stated(self, file: Listed) -> ObjectId:
        fields = (self.url.encode(), os.fsencode(file.key), b"%d" % file.size, file.tag.encode())
        return ObjectId(blake3(b"\0".join((*fields, b"" if file.is_sure else self.nonce))).digest())


def tag_of(item: RemoteItem) -> str:
    """What tells this version of a file from others: the server's entity tag, else size and time; never empty."""
    stated = item.etag
    if stated and len(stated) < _TAG and not any(ord(char) < 32 or ord(char) == 127 for char in stated):
        return stated
    return f"{item.size} {item.modified or 0:.6f}"


def _is_sure(item: RemoteItem, now: float) -> bool:
    """A time in whole seconds tells versions apart once that second is over: by both clocks, an hour is safe."""
    return bool(item.etag) or (item.modified or 0) % 1 != 0 or (item.modified or 0) < now - _SETTLED_SECONDS


def name_of(url: str) -> bytes:
    """The last name in a URL."""
    return os.fsencode(url.partition("?")[0].rstrip("/").rpartition("/")[2])


def changed_meanwhile(url: str) -> StorageError:
    """Nothing is recorded then: it would be a mixture."""
    return StorageError(f"{redact(url)} changed while it was read", hint="run the command again")


def _check(files: Iterable[Listed], url: str) -> None:
    """Raise `UnsafeInput` for a name that is both a file and a directory, or stands twice: object stores have such."""
    folders: set[str] = set()
    names: set[str] = set()
    for file in files:
        if file.key in names:
            raise UnsafeInput(f"{redact(url)}: {show(os.fsencode(file.key))} is there twice", hint="rename one of them")
        names.add(file.key)
        above = file.key.rpartition("/")[0]
        while above and above not in folders:
            folders.add(above)
            above = above.rpartition("/")[0]
    if both := min(folders & names, default=""):
        raise UnsafeInput(
            f"{redact(url)}: {show(os.fsencode(both))} is a file and a directory at once",
            hint="rename one of them there",
        )
