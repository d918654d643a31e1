"""Pointers: the small text in Git that says which file or directory stands beside it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from dvtool.model.digest import Digest


class Kind(Enum):
    """What a pointer stands for."""

    FILE = "file"
    DIRECTORY = "directory"


class Source(NamedTuple):
    """Where the bytes of a pointer were brought from.

    ``digest``: what came; a pointer with another one was changed since.

    Of another repository: ``repo``, its URL; ``commit``, with ``rev``, the branch or tag that it was found by (empty:
    the default branch); ``path`` from the top of that repository; ``remote``: which of its remotes is read, empty for
    what its settings say. Of a file or directory on a server: ``url``, and ``etag``, the server's name for what came.
    """

    digest: Digest
    repo: str = ""
    rev: str = ""
    commit: str = ""
    path: bytes = b""
    remote: str = ""
    url: str = ""
    etag: str = ""


class Pointer(NamedTuple):
    """One tracked path.

    ``name``: the file or directory, a single component beside the pointer. ``digest``: of the
    file's bytes or of the directory's top tree page. ``size``: bytes in all. ``files``: files
    and links in a directory, 1 for a file. ``extra``: text behind the known lines (keys of
    later versions, comments), kept as it is. ``remote``: the one that its bytes belong to; empty
    for what the settings say. ``source``: of what was imported.
    """

    name: bytes
    kind: Kind
    digest: Digest
    size: int
    files: int = 1
    executable: bool = False
    extra: str = ""
    remote: str = ""
    source: Source | None = None

    def with_notes_of(self, old: Pointer) -> Pointer:
        """The same with what an older version says besides of what it stands for."""
        return self._replace(extra=old.extra, remote=old.remote, source=old.source)

    def same_content(self, other: Pointer) -> bool:
        """True when both stand for the same bytes and mode, whatever the name."""
        mine = (self.kind, self.digest, self.executable)
        return mine == (other.kind, other.digest, other.executable)
