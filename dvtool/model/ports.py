"""Ports: what the core asks of the world, as small Protocols."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from typing import runtime_checkable


class Reporter(Protocol):
    """Hears how long work goes on and what the user should know. The core never prints."""

    def begin(self, phase: str, *, total: int | None = None, unit: str = "files") -> None:
        """A phase starts ("hashing", "uploading"); ``unit`` is "files", "objects" or "bytes"."""

    def advance(self, amount: int) -> None:
        """So much more of the current phase is done."""

    def end(self) -> None:
        """The current phase is over."""

    def note(self, text: str) -> None:
        """One line that the user should see now (a wait for a lock, a degraded feature)."""


class Silent:
    """A reporter that hears nothing."""

    def begin(self, phase: str, *, total: int | None = None, unit: str = "files") -> None: ...

    def advance(self, amount: int) -> None: ...

    def end(self) -> None: ...

    def note(self, text: str) -> None: ...


SILENT: Reporter = Silent()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a remote can do; the transfer engine asks this instead of the driver's type.

    ``create_only``: a put can be refused by the server when the key exists. ``ranges``: parts
    of a value can be read. ``listing``: keys can be listed. ``listing_delay``: seconds until a
    listing by another client is sure to show a finished put. ``server_time``: modification
    times are the server's own. ``server_copy``: a value can be copied without passing through
    here. ``delete``, ``write``: values can be removed, written. ``unfinished``: what uploads that
    did not end have left can be listed and removed (`Unfinishing`). ``concurrency``: requests at
    once that the remote bears well; more are tried while they bring more.
    """

    create_only: bool = True
    ranges: bool = True
    listing: bool = True
    listing_delay: float = 0.0
    server_time: bool = True
    server_copy: bool = False
    delete: bool = True
    write: bool = True
    unfinished: bool = False
    concurrency: int = 8


@dataclass(frozen=True, slots=True)
class RemoteItem:
    """One listed key: its size in bytes, when it was written (Unix seconds), its entity tag."""

    key: str
    size: int
    modified: float | None = None
    etag: str | None = None


WHOLE_BYTES = 128 << 20
"""The longest value that is brought without a length: index files and records are shorter by their formats."""


class Remote(Protocol):
    """A flat space of immutable values under ASCII keys with ``/`` in them.

    Every method may be called from several threads at once. Keys are relative to the
    remote's own URL. Failures are `dvtool.errors`: `MissingData` when the key (and only the
    key) is absent, `AccessDenied`, `StorageError` for all else; an error is never reported
    as "absent" or "empty". No method answers from a listing cache.
    """

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str:
        """The URL as it may be shown: without secrets."""

    @property
    def capabilities(self) -> Capabilities: ...

    def list(self, prefix: str) -> Iterator[RemoteItem]:
        """Every key that starts with *prefix* (a directory path ending in ``/``), recursively.

        Either the whole listing arrives or an error is raised. An absent prefix is empty.
        """

    def stat(self, key: str) -> RemoteItem | None:
        """Size and times of one key as the server knows them now; None when it is absent."""

    def get(self, key: str, start: int = 0, length: int | None = None) -> bytes:
        """The value, or *length* bytes of it from *start*.

        A short answer raises `StorageError`, and so does a value of over `WHOLE_BYTES` without *length*.
        """

    def get_file(self, key: str, path: bytes, size: int) -> None:
        """Write the value, *size* bytes, into the existing or new local file *path*.

        The caller verifies content; a wrong length raises `StorageError`. After any failure the
        file holds a beginning of the value and nothing else, so that a retry can go on from there.
        """

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> bool:
        """Write a value whole or not at all. False: *create_only* was asked and the key exists."""

    def put_file(self, key: str, path: bytes) -> None:
        """Upload a local file as the value, whole or not at all."""

    def delete(self, key: str) -> None:
        """Remove a key; an absent key is no error."""

    def prepare(self) -> None:
        """Start in the background what is slow to start (imports, sessions). Optional; never raises."""

    def close(self) -> None:
        """Release connections. Calls under way in other threads end at once with `StorageError`."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What an upload that did not end has left on a remote. ``started``: Unix seconds, by the server's clock.

    ``size`` is None where the server does not say. ``handle`` is the driver's own.
    """

    key: str
    size: int | None
    started: float
    handle: str


@runtime_checkable
class Unfinishing(Protocol):
    """A remote that can tell and remove what uploads have left that did not end. An optional part of the port."""

    def unfinished(self) -> Iterator[Unfinished]:
        """All of it, also what belongs to uploads under way. Raises as `Remote.list`."""

    def discard(self, left: Unfinished) -> None:
        """Remove it; if it is gone already, that is no error."""


@runtime_checkable
class Gathering(Protocol):
    """A remote that brings many small values in one call for less than in many. An optional part of the port."""

    def get_each(self, sizes: Sequence[tuple[str, int]]) -> Sequence[bytes | None]:
        """So many bytes from the start of each key. None: `Remote.get` is to be asked, and says why if it fails.

        Raises `StorageError` where the line fails; then all may be asked for again.
        """


@runtime_checkable
class Expecting(Protocol):
    """A remote that wants to hear the sizes of values before it is asked for them. An optional part of the port."""

    def expect(self, sizes: Mapping[str, int]) -> None:
        """Keys, and the sizes that somebody states of them."""


@runtime_checkable
class Foldered(Protocol):
    """A remote whose keys lie in directories. An optional part of the port."""

    def prune(self, prefix: str) -> None:
        """Remove the directory of *prefix* and those below it, as far as they are empty."""
