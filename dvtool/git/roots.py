"""The dvtool projects of one Git repository: there may be several, side by side or inside each other."""

from __future__ import annotations

import os

from dvtool.git.run import GitRepo

MARKER = b".dvtool/config"


def project_roots(repo: GitRepo) -> list[bytes]:
    """The directories, relative to the top (empty: the top itself), where a project begins that Git knows and that
    stands in this work tree; sorted."""
    return roots_of_markers(repo, _markers(repo))


def roots_of_markers(repo: GitRepo, markers: list[bytes]) -> list[bytes]:
    """The same where the committed settings of each are known already."""
    found = {path.removesuffix(MARKER).rstrip(b"/") for path in markers}
    return sorted(root for root in found if os.path.isdir(os.path.join(repo.worktree, root, b".dvtool")))


def roots_left_out(repo: GitRepo) -> list[bytes]:
    """The projects that are in the index and, by a sparse checkout, not in this work tree; the innermost first."""
    found = {path.removesuffix(MARKER).rstrip(b"/") for path in _markers(repo)}
    return sorted(found - set(project_roots(repo)), key=len, reverse=True)


def _markers(repo: GitRepo) -> list[bytes]:
    listed = repo.run("ls-files", "-z", "--cached", "--", b":(top,glob)**/" + MARKER).stdout.split(b"\0")
    return [path for path in listed if path]


def root_of(path: bytes, roots: list[bytes]) -> bytes | None:
    """The project that a path belongs to: the nearest root at or above it."""
    known = set(roots)
    while path:
        path = path.rpartition(b"/")[0]
        if path in known:
            return path
    return None
