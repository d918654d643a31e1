"""The path grammar: which names may stand in pointers and trees.

Applied where a file is parsed, so that nothing behind the parsers has to ask again. A name
is bytes, whatever the locale. Refused everywhere: empty, ``.``, ``..``, NUL, ``/``, and
every spelling that some file system takes for ``.git`` or ``.dvtool``: other case, trailing
dots and spaces (Windows), ``git~1`` (its short names), ``.git:stream`` (NTFS), invisible
code points that HFS+ drops. In paths that stand in text files (pointers, stages) control
characters and backslashes are refused as well: no line of a ``.gitignore`` can name them.
"""

from __future__ import annotations

import re

from dvtool.errors import UnsafeInput

MAX_NAME_BYTES = 255
POINTER_SUFFIX = b".dvt"

_HFS_IGNORED = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_SHORT_NAME = re.compile(rb"(git|dvtoo|dvtool)~[0-9]+", re.IGNORECASE)
_DRIVE = re.compile(rb"[A-Za-z]:")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f\\]")


def name_problem(name: bytes) -> str | None:
    """Why *name* may not be one component of a path; None when it may."""
    if not name:
        return "is empty"
    if len(name) > MAX_NAME_BYTES:
        return f"is longer than {MAX_NAME_BYTES} bytes"
    if name == b"." or name == b"..":
        return "climbs out of its directory"
    if b"/" in name or b"\0" in name:
        return "holds a slash or a NUL byte"
    if (name[0] in b".\xe2\xef" or b"~" in name) and _is_reserved(name):
        return "is a name that belongs to Git or dvtool, in some spelling"
    return None


def _is_reserved(name: bytes) -> bool:
    if _SHORT_NAME.fullmatch(name.rstrip(b". ")):
        return True
    text = _HFS_IGNORED.sub("", name.decode("utf-8", "surrogateescape")).casefold()
    stem = text.split(":", 1)[0].rstrip(". ")
    return stem in (".git", ".dvtool")


def check_name(name: bytes, where: str) -> None:
    """Raise `UnsafeInput` unless *name* may be one component; *where* names the file it came from."""
    problem = name_problem(name)
    if problem is not None:
        raise UnsafeInput(f"{where}: the name {show(name)} {problem}", path=where)


def check_path(path: bytes, where: str) -> None:
    """Raise `UnsafeInput` unless *path* is a relative path that may stand in a text file."""
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
