"""What a check gets to work with, and how it says what is wrong."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from typing import TypeVar

from dvtool.errors import DvtoolError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.conformance.view import View

T = TypeVar("T")
Open = Callable[[], Remote]

MIB = 1 << 20
THREADS = 8


class CheckFailed(Exception):
    """The remote does not do what the port promises; the text says what was seen."""


@dataclass
class Bench:
    """One place on a remote, below *prefix*, and an empty local *folder*.

    ``open_client`` opens a new client of the remote at each call, ``open_bare`` one without
    retries, ``open_writer`` one that may write where the first only reads. ``address``: for
    clients in other processes; ``open_absent``: a client of a place that does not exist (bucket,
    root). ``large``: bytes of a large value; ``many``: keys of a long listing. ``is_ours``:
    nobody minds if something odd is left beside the prefix.
    """

    open_client: Open
    open_bare: Open
    folder: bytes
    open_writer: Open | None = None
    open_absent: Open | None = None
    address: Address | None = None
    prefix: str = ""
    large: int = 20 * MIB
    many: int = 3_000
    is_ours: bool = True
    written: set[str] = field(default_factory=set)
    _opened: list[Remote] = field(default_factory=list)
    _remote: Remote | None = None
    _writer: Remote | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def remote(self) -> Remote:
        """The client that most checks use."""
        if self._remote is None:
            self._remote = self.client()
        return self._remote

    @property
    def writer(self) -> Remote:
        """The client that prepares what is read: the same, unless that one only reads."""
        if self.open_writer is None:
            return self.remote
        if self._writer is None:
            self._writer = self._view(self.open_writer())
        return self._writer

    def client(self) -> Remote:
        """A new client; it is closed with the bench."""
        return self._view(self.open_client())

    def bare(self) -> Remote:
        """A new client that does not try again."""
        return self._view(self.open_bare())

    def raw(self) -> Remote:
        """A new client of the whole remote: for what must be refused."""
        self._opened.append(self.open_client())
        return self._opened[-1]

    def path(self) -> bytes:
        """A new name in the local folder."""
        return os.path.join(self.folder, b"%d" % next(self._numbers))

    def file(self, data: bytes) -> bytes:
        """The path of a new local file that holds *data*."""
        path = self.path()
        with open(path, "wb") as target:
            target.write(data)
        return path

    def close(self) -> None:
        """Close every client and remove the files."""
        for remote in self._opened:
            remote.close()
        self._opened.clear()
        self._remote = self._writer = None
        for entry in os.scandir(self.folder):
            os.unlink(entry.path)

    def _view(self, remote: Remote) -> Remote:
        self._opened.append(remote)
        return View(remote, self.prefix, self.written)


def expect(holds: object, otherwise: str) -> None:
    """Raise `CheckFailed`, saying *otherwise*, unless *holds* is true."""
    if not holds:
        raise CheckFailed(otherwise)


def refused(kind: type[DvtoolError], what: str, call: Callable[..., object], *args: object) -> None:
    """*call* with *args* must raise *kind*; *what* it does, for the message."""
    try:
        answer = call(*args)
    except kind:
        return
    except DvtoolError as error:
        raise CheckFailed(f"{what} must raise {kind.__name__}, not {type(error).__name__}: {error}") from error
    raise CheckFailed(f"{what} must raise {kind.__name__}, but answers {shown(answer)}")


def content(size: int, name: str = "") -> bytes:
    """*size* bytes in which no two blocks are equal."""
    return hashlib.shake_128(name.encode() + size.to_bytes(8, "little")).digest(size)


def keys(remote: Remote, prefix: str) -> list[str]:
    """What a listing shows, in order."""
    return sorted(item.key for item in remote.list(prefix))


def read(path: bytes) -> bytes:
    """A local file; empty if it is absent."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def shown(value: object) -> str:
    """A value for a message: short, bytes by their number."""
    if isinstance(value, bytes) and len(value) > 40:
        return f"{len(value)} bytes"
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
