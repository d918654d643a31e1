"""The grammar of keys on a remote, and that of names which other people's files have there."""

from __future__ import annotations

import os
import re
from typing import Protocol
from typing import runtime_checkable

from dvtool.errors import UnsafeInput
from dvtool.model.paths import name_problem

# A component never begins with a dot: that excludes "..", and what file servers leave
# behind (.nfs0001, .fuse_hidden, .DS_Store) is never taken for a value.
_COMPONENT = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}"
_KEY = re.compile(rf"{_COMPONENT}(/{_COMPONENT})*", re.ASCII)
_PREFIX = re.compile(rf"({_COMPONENT}/)*", re.ASCII)
_KEY_BYTES = 512

TEMPORARY = "tmp/"
"""Where file-like remotes keep unfinished uploads; no key lies below it."""


def is_key(text: str) -> bool:
    """Whether *text* can name a value on a remote."""
    return len(text) <= _KEY_BYTES and _KEY.fullmatch(text) is not None and not text.startswith(TEMPORARY)


def check_key(key: str) -> str:
    """*key* itself; raises `UnsafeInput` when it is none."""
    if not is_key(key):
        raise UnsafeInput(f"{key[:80]!r} is not a key on a remote")
    return key


def check_prefix(prefix: str) -> str:
    """*prefix* itself: empty, or components that each end in ``/``; else raises `UnsafeInput`."""
    if len(prefix) > _KEY_BYTES or _PREFIX.fullmatch(prefix) is None:
        raise UnsafeInput(f"{prefix[:80]!r} is not a prefix of keys: it must end in /")
    return prefix


class Keys:
    """Which names on a server count: those of values that dvtool itself wrote. All others are passed over."""

    def key(self, key: str) -> str:
        """*key* itself; raises `UnsafeInput` when it is none."""
        return check_key(key)

    def prefix(self, prefix: str) -> str:
        """As `check_prefix`."""
        return check_prefix(prefix)

    def has(self, key: str) -> bool:
        """Whether a listed file is a value."""
        return is_key(key)

    def enters(self, folder: str) -> bool:
        """Whether a listed directory, its path with ``/`` behind it, may hold values."""
        return is_key(f"{folder}x")

    def other(self, key: str) -> None:
        """What is listed and is neither a file nor a directory."""


class AnyNames(Keys):
    """The files of other people: every name that may stand in a tracked directory. None is passed over in silence."""

    def key(self, key: str) -> str:
        for part in key.split("/"):
            try:
                problem = name_problem(os.fsencode(part))
            except UnicodeEncodeError:
                problem = "is no text"
            if problem is not None:
                raise UnsafeInput(
                    f"{_shown(key)}: the name {_shown(part)} {problem}",
                    path=key,
                    hint="rename it there, or leave it out",
                )
        return key

    def prefix(self, prefix: str) -> str:
        if prefix:
            self.key(prefix.removesuffix("/"))
        return prefix

    def has(self, key: str) -> bool:
        # Object stores have directories only as empty values of such names.
        return not (not key or key.endswith("/")) and bool(self.key(key))

    def enters(self, folder: str) -> bool:
        return bool(self.key(folder.removesuffix("/")))

    def other(self, key: str) -> None:
        raise UnsafeInput(
            f"{_shown(key)} is neither a file nor a directory (a link, or a device)",
            path=key,
            hint="name what it points to; `dvtool add DIRECTORY -o NAME` takes a local directory with its links",
        )


OWN = Keys()
ANY = AnyNames()


@runtime_checkable
class Keyed(Protocol):
    """A driver that reads any file there is below its URL once ``keys`` is `ANY`."""

    keys: Keys


def _shown(text: str) -> str:
    return ascii(text[:80])
