"""The grammar of keys on a remote."""

from __future__ import annotations

import re

from dvtool.errors import UnsafeInput

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
