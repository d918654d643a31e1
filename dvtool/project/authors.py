"""Who changed a file, or one value in it, as far as Git knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.project.open import Project

_MOST_VERSIONS = 200
_MOST_BYTES = 8 << 20


class Authored(NamedTuple):
    """The commit that brought what is there now. ``commit`` is empty where that is not committed yet.

    ``time`` is ISO 8601 with its zone.
    """

    commit: str
    author: str = ""
    time: str = ""
    subject: str = ""


UNCOMMITTED = Authored("")


def last_change(
    project: Project, path: bytes, value_of: Callable[[bytes], object] | None = None, now: bytes | None = None
) -> Authored | None:
    """Who changed the file at *path* last; None where Git does not know it.

    *value_of* picks out of the file's text what is asked for, and *now* is that text in the worktree: then it is the
    commit that gave that part its present value, among the last 200 of the file.
    """
    if project.git is None:
        return None
    from dvtool.git.history import log_path
    from dvtool.git.revisions import head

    if head(project.git) is None:
        return None
    name = project.layout.to_git(path)
    versions = log_path(project.git, name, follow=False)[:_MOST_VERSIONS]
    if not versions:
        return None
    if value_of is None:
        newest = versions[0]
        if project.git.run("diff-index", "--quiet", "HEAD", "--", b":(top,literal)" + name, expect=(0, 1)).code:
            return UNCOMMITTED
        return Authored(newest.commit, newest.author, newest.time, newest.subject)
    if now is None:
        return UNCOMMITTED
    from dvtool.git.blobs import read_blobs

    wanted = _value(value_of, now)
    found = None
    blobs = [version.blob for version in versions if version.blob is not None]
    contents = read_blobs(project.git, blobs, limit=_MOST_BYTES)
    for version in versions:
        text = None if version.blob is None else next(contents)[1]
        if text is None or _value(value_of, text) != wanted:
            break
        found = version
    return UNCOMMITTED if found is None else Authored(found.commit, found.author, found.time, found.subject)


def _value(value_of: Callable[[bytes], object], text: bytes) -> object:
    try:
        return value_of(text)
    except DvtoolError:
        # A version that could not be read then had no value.
        return None
