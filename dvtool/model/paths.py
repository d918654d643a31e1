"""The path grammar: which names may stand in pointers and trees.

Applied where a file is parsed, so that nothing behind the parsers has to ask again. A name
is bytes, whatever the locale. Refused everywhere: empty, ``.``, ``..``, NUL, ``/``, and
every spelling that some file system takes for ``.git`` or ``.dvtool``: other case, trailing
dots and spaces, ``.git:stream`` and ``.git\\x`` (Windows), ``git~1`` (its short names), invisible
code points (dropped by HFS+, and by ext4 in folders that fold case). In paths that stand in
text files (pointers, stages) control characters and backslashes are refused as well: no line
of a ``.gitignore`` can name them.
"""

from __future__ import annotations

import re

from dvtool.errors import UnsafeInput

MAX_NAME_BYTES = 255
POINTER_SUFFIX = b".dvt"
LOCK_NAME = b"dvtool.lock"
DEFINITION_NAME = b"dvtool.yaml"
LOCK_JOURNAL = b"locks.journal"
"""In a state directory: stages that are finished and may not stand in their locks yet."""

_INVISIBLE = re.compile(
    "[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's default ignorable code points."""
_ORDINARY = re.compile(rb"[^./\0~\\\xc2\xcd\xd8\xe1\xe2\xe3\xef\xf0\xf3][^/\0~\\]{0,254}")
"""Nearly every name: nothing to look at, and no first byte of a dot or an invisible code point. 0.2 us."""
_ORDINARY_PATH = re.compile(rb"[0-9A-Za-z_@+=-][0-9A-Za-z_.@+=-]{0,254}(?:/[0-9A-Za-z_@+=-][0-9A-Za-z_.@+=-]{0,254})*")
"""Nearly every path in a text file, in one look."""
_SHORT_NAME = re.compile(r"(git|dvtoo|dvtool)~[0-9]+", re.ASCII)
_DRIVE = re.compile(rb"[A-Za-z]:")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f\\]")


def name_problem(name: bytes) -> str | None:
    """Why *name* may not be one component of a path; None when it may."""
    if _ORDINARY.fullmatch(name):
        return None
    if not name:
        return "is empty"
    if len(name) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes"
    if name in (b".", b".."):
        return "climbs out of its directory"
    if b"/" in name or b"\0" in name:
        return "holds a slash or a NUL byte"
    if _is_reserved(name):
        return "is a name that belongs to Git or dvtool, in some spelling"
    return None


def _is_reserved(name: bytes) -> bool:
    text = _INVISIBLE.sub("", name.decode("utf-8", "surrogateescape")).casefold()
    for part in text.split("\\"):
        stem = part.split(":", 1)[0].rstrip(". ")
        if stem in (".git", ".dvtool") or _SHORT_NAME.fullmatch(stem):
            return True
    return False


def check_name(name: bytes, where: str) -> None:
    """Raise `UnsafeInput` unless *name* may be one component; *where* names the file it came from."""
    problem = name_problem(name)
    if problem is not None:
        raise UnsafeInput(f"{where}: the name {show(name)} {problem}", path=where)


def check_path(path: bytes, where: str) -> None:
    """Raise `UnsafeInput` unless *path* is a relative path that may stand in a text file."""
    if _ORDINARY_PATH.fullmatch(path):
        return
    if path.startswith(b"/") or _DRIVE.match(path):
        raise UnsafeInput(f"{where}: {show(path)} is an absolute path", path=where)
    if _CONTROL.search(path):
        raise UnsafeInput(f"{where}: {show(path)} holds a control character or a backslash", path=where)
    for name in path.split(b"/"):
        check_name(name, where)


def show(path: bytes) -> str:
    """A path for people: valid UTF-8 as it is, everything a terminal might obey escaped."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def join(parent: bytes, name: bytes) -> bytes:
    """Join two relative paths; the empty path is the root."""
    return parent + b"/" + name if parent else name


def split(path: bytes) -> tuple[bytes, bytes]:
    """Parent (maybe empty) and last component of a relative path."""
    parent, _, name = path.rpartition(b"/")
    return parent, name


def is_below(path: bytes, parent: bytes) -> bool:
    """True when *path* is *parent* or lies below it."""
    return not parent or path == parent or path.startswith(parent + b"/")
