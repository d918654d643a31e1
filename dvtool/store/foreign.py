"""Files of a shared cache that belong to somebody else, who could have changed them since they got their name."""

from __future__ import annotations

import os

from dvtool.errors import FormatError
from dvtool.errors import IntegrityError
from dvtool.hashing.digests import new_hasher
from dvtool.store.localpacks import PackKey

_BLOCK = 1 << 20


class Proofs:
    """Whether packs and loose blobs are sound. Those of another user are read whole, once."""

    def __init__(self) -> None:
        self._packs: dict[PackKey, bool] = {}
        self._loose: dict[bytes, bool] = {}

    def is_sound_pack(self, path: bytes, key: PackKey) -> bool:
        """False also where it cannot be read. Raises nothing."""
        known = self._packs.get(key)
        if known is None:
            known = self._packs[key] = _is_own(path) or is_right(path, key)
        return known

    def is_sound_loose(self, path: bytes, oid: bytes) -> bool:
        """As `is_sound_pack`."""
        known = self._loose.get(oid)
        if known is None:
            known = self._loose[oid] = _is_own(path) or _has_digest(path, oid)
        return known

    def forget_loose(self, oid: bytes) -> None:
        """Another file has the name now."""
        self._loose.pop(oid, None)


def _is_own(path: bytes) -> bool:
    """Nobody but its owner and root can change a read-only file; who replaces it in its folder becomes the owner."""
    try:
        return not hasattr(os, "getuid") or os.lstat(path).st_uid in (os.getuid(), 0)
    except OSError:
        return False


def is_right(path: bytes, key: PackKey) -> bool:
    """Whether a pack, read whole, is what its name says. Raises nothing."""
    from dvtool.store.packcheck import check_whole

    try:
        check_whole(path, key.pack_class, key.id, os.lstat(path).st_size)
    except (OSError, FormatError, IntegrityError):
        return False
    return True


def _has_digest(path: bytes, oid: bytes) -> bool:
    hasher = new_hasher()
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(fd, "rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                hasher.update(block)
    except OSError:
        return False
    return hasher.digest() == oid
