"""What this clone remembers about pushes: uploads that no index covers yet, and roots found complete.

Private notes that decide nothing: whatever they say is looked at on the remote before it counts.
Losing them costs time.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field

from xxhash import xxh3_64_hexdigest

from dvtool.disk.durable import discard
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_all
from dvtool.disk.durable import write_file
from dvtool.formats.index import IndexedPack
from dvtool.store.names import parse_pack_name

_MAX_BYTES = 64 << 20


class Journal:
    """Keys that pushes of this clone to one store began to upload; one file a push, so that two do not mix.

    A context manager that closes the file; what it says stays until `covered`."""

    def __init__(self, folder: bytes, store_id: str, token: str) -> None:
        self._prefix = b"upload-" + store_id.encode("ascii") + b"-"
        self._folder = folder
        self._path = os.path.join(folder, self._prefix + token.encode("ascii"))
        self._fd = -1
        self._read: list[bytes] = []

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def earlier(self) -> dict[str, int]:
        """Keys and sizes that earlier pushes, or others under way, have noted."""
        found: dict[str, int] = {}
        try:
            names = os.listdir(self._folder)
        except OSError:
            return found
        for name in names:
            if not name.startswith(self._prefix):
                continue
            path = os.path.join(self._folder, name)
            try:
                with open(path, encoding="ascii", errors="replace") as file:
                    lines = file.read(_MAX_BYTES).splitlines()
            except OSError:
                continue
            self._read.append(path)
            for line in lines:
                key, _, size = line.partition(" ")
                if size.isdigit():
                    found[key] = int(size)
        return found

    def note(self, key: str, size: int) -> None:
        """This key is about to be uploaded."""
        try:
            if self._fd < 0:
                make_dirs(self._folder)
                self._fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            write_all(self._fd, f"{key} {size}\n".encode("ascii"))
        except OSError:
            return  # without the note a killed push only finds its packs by listing

    def covered(self) -> None:
        """An index covers everything that was noted or read."""
        self.close()
        discard(None, self._path)
        for path in self._read:
            discard(None, path)
        self._read.clear()

    def close(self) -> None:
        """Close the file; what it says stays."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class KnownRemotes:
    """Which store this clone has found behind each URL."""

    def __init__(self, folder: bytes) -> None:
        self._folder = folder

    def store_id(self, url: str) -> str | None:
        """The store that was there at the last push; None when there was none."""
        try:
            with open(self._path(url), encoding="ascii", errors="replace") as file:
                return file.read(64).strip() or None
        except OSError:
            return None

    def remember(self, url: str, store_id: str) -> None:
        """This store is there now."""
        if self.store_id(url) == store_id:
            return
        try:
            make_dirs(self._folder)
            write_file(self._path(url), store_id.encode("ascii") + b"\n", mode=0o600, durable=False)
        except OSError:
            return  # then an unmounted share is told from a new place by nobody

    def _path(self, url: str) -> bytes:
        name = xxh3_64_hexdigest(url.encode("utf-8", "surrogateescape"))
        return os.path.join(self._folder, b"remote-" + name.encode("ascii"))


@dataclass(frozen=True, slots=True)
class Done:
    """One finished push: its roots (kind and hex digest), the packs it relied on (key and size), its records."""

    roots: frozenset[str]
    packs: tuple[tuple[str, int], ...]
    records: dict[str, str] = field(default_factory=dict)
    """The key of the root record for each commit."""
    directories: dict[str, str] = field(default_factory=dict)
    """The top page (hex) of each directory that was pushed whole, by its path (hex)."""

    def remote_packs(self) -> list[IndexedPack] | None:
        """The packs as values; None when a note is not one."""
        packs = []
        for key, size in self.packs:
            parsed = parse_pack_name(key)
            if parsed is None:
                return None
            packs.append(IndexedPack(parsed[1], parsed[2], parsed[0], size))
        return packs


class DoneMemo:
    """The last finished pushes to one store, the newest first."""

    LIMIT = 16
    MOST_PACKS = 4_096

    def __init__(self, folder: bytes, store_id: str) -> None:
        self._path = os.path.join(folder, b"complete-" + store_id.encode("ascii"))
        self._folder = folder
        self.entries: list[Done] = self._load()

    def _load(self) -> list[Done]:
        try:
            with open(self._path, "rb") as file:
                data = file.read(_MAX_BYTES)
            checksum, _, body = data.partition(b"\n")
            if xxh3_64_hexdigest(body).encode("ascii") != checksum:
                return []
            return [
                Done(
                    frozenset(entry["roots"]),
                    tuple((key, int(size)) for key, size in entry["packs"]),
                    dict(entry["records"]),
                    dict(entry["directories"]),
                )
                for entry in json.loads(body)
            ]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def covering(self, roots: frozenset[str]) -> Done | None:
        """A push that had all of *roots*."""
        return next((entry for entry in self.entries if roots <= entry.roots), None)

    def remember(self, done: Done) -> None:
        """Put *done* first, in place of those that say no more than it does."""
        if len(done.packs) > self.MOST_PACKS:
            return
        kept = [entry for entry in self.entries if not entry.roots <= done.roots]
        self.entries = [done, *kept][: self.LIMIT]
        body = json.dumps([asdict(entry) | {"roots": sorted(entry.roots)} for entry in self.entries]).encode("ascii")
        try:
            make_dirs(self._folder)
            write_file(self._path, xxh3_64_hexdigest(body).encode("ascii") + b"\n" + body, mode=0o600, durable=False)
        except OSError:
            return  # the next push walks its trees again
