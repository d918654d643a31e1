"""Copies of a remote's run cache in a clone: looked up without asking the remote."""

from __future__ import annotations

import contextlib
import mmap
import os
import re
from collections.abc import Collection

from dvtool.disk.durable import discard
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.formats.runbundle import Bundle
from dvtool.hashing.digests import object_id

_NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)


class RunCopies:
    """The files in *folder*, each proved right once. What cannot be read or written is done without.

    A folder belongs to one remote of one clone, so that no remote can put in results for another's projects.
    """

    def __init__(self, folder: bytes) -> None:
        self._folder = folder
        self._bundles: dict[str, Bundle] | None = None

    def bundles(self) -> dict[str, Bundle]:
        """What is here, by name."""
        if self._bundles is None:
            found = {}
            for name in self._names():
                bundle = self._open(name)
                if bundle is not None:
                    found[name] = bundle
            self._bundles = found
        return self._bundles

    def has(self, key: str) -> bool:
        """Whether one of them has an entry of *key*."""
        return any(bundle.find(key) is not None for bundle in self.bundles().values())

    def add(self, name: str, data: bytes) -> None:
        """Keep a copy."""
        self.bundles()[name] = Bundle(data)
        with contextlib.suppress(OSError):
            make_dirs(self._folder, 0o700)
            write_file(self._path(name), data, durable=False)

    def prune(self, names: Collection[str]) -> None:
        """Forget all others."""
        for name in [*self.bundles().keys() - set(names)]:
            del self.bundles()[name]
            discard(None, self._path(name))

    def _names(self) -> list[str]:
        try:
            names = os.listdir(self._folder)
        except OSError:
            return []
        return sorted(name for name in map(os.fsdecode, names) if is_bundle_name(name))

    def _open(self, name: str) -> Bundle | None:
        path = self._path(name)
        try:
            with open(path, "rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            discard(None, path)
            return None
        if object_id(memoryview(data)).hex() != name:
            discard(None, path)
            return None
        return Bundle(data)

    def _path(self, name: str) -> bytes:
        return os.path.join(self._folder, name.encode("ascii"))


def is_bundle_name(name: str) -> bool:
    """Whether a file of entries may have that name."""
    return _NAME.fullmatch(name) is not None
