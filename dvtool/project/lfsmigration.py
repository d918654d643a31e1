"""What `migrate` writes for files that Git LFS keeps: a pointer of ours for each, and they leave Git."""

from __future__ import annotations

import os

from dvtool.errors import FormatError
from dvtool.errors import UsageError
from dvtool.formats.config import parse_key
from dvtool.formats.config import set_value
from dvtool.formats.lfspointer import decode_lfs_pointer
from dvtool.formats.lfspointer import without_lfs
from dvtool.formats.pointer import encode_pointer
from dvtool.git.ignore import managed_line
from dvtool.git.ignore import with_lines
from dvtool.git.lfsfiles import Filtered
from dvtool.git.lfsfiles import filtered_files
from dvtool.git.lfsplace import lfs_url
from dvtool.git.listing import matching_files
from dvtool.git.run import GitRepo
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.paths import POINTER_SUFFIX
from dvtool.model.paths import check_path
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.project.dvcfiles import read_dvc_file
from dvtool.project.init import IGNORE_FILE
from dvtool.project.init import first_files
from dvtool.project.layout import Layout
from dvtool.project.migration import CONFIG
from dvtool.project.migration import Converted
from dvtool.project.migration import Migration

_ATTRIBUTES = b".gitattributes"
_GITIGNORE = b".gitignore"
REMOTE = "lfs"
"""What the server of Git LFS is called."""


def plan_lfs_migration(layout: Layout, git: GitRepo) -> Migration:
    """Everything that is to be written. Raises `UsageError` where nothing is in Git LFS, `FormatError`."""
    below = layout.prefix.rstrip(b"/")
    found = filtered_files(git, below)
    files: dict[bytes, bytes | None] = {}
    converted: list[Converted] = []
    ignored: dict[bytes, list[bytes]] = {}
    for each in found:
        path = layout.from_git(each.path)
        pointer = _pointer(path, each)
        if pointer is None:
            continue
        target = path + POINTER_SUFFIX
        files[target] = encode_pointer(pointer)
        converted.append(Converted("pointer", path, target))
        ignored.setdefault(split(path)[0], []).append(managed_line(split(path)[1]))
        if _size(layout, path) == len(each.data) and _read(layout, path) == each.data:
            # Not fetched yet: what stands there is the text that Git has.
            files[path] = None
    if not converted:
        raise UsageError("no file here is in Git LFS", path=layout.root)
    for folder, lines in ignored.items():
        old = _read(layout, join(folder, _GITIGNORE)) or b""
        files[join(folder, _GITIGNORE)] = with_lines(old, lines)
    for name in matching_files(git, [_ATTRIBUTES], below):
        path = layout.from_git(name)
        old = _read(layout, path) or b""
        if (new := without_lfs(old)) != old:
            files[path] = new or None
            converted.append(Converted("ignore", path, join(split(path)[0], _GITIGNORE)))
    notes = _settings(layout, git, files)
    left = tuple(each.source for each in converted if each.what == "pointer")
    return Migration("Git LFS", files, tuple(converted), notes=tuple(notes), tracked=left, untracked=left)


def _pointer(path: bytes, file: Filtered) -> Pointer | None:
    found = decode_lfs_pointer(file.data)
    if found is None:
        return None
    check_path(path, "Git's index")
    if found.extended:
        raise FormatError(
            f"{show(path)} is stored through an extension of Git LFS, which dvtool does not run",
            path=path,
            hint="`git lfs ext` names it; store the file without it first",
        )
    digest = Digest(Algorithm.SHA256, found.digest)
    return Pointer(split(path)[1], Kind.FILE, digest, found.size, 1, file.executable)


def _settings(layout: Layout, git: GitRepo, files: dict[bytes, bytes | None]) -> list[str]:
    if _read(layout, CONFIG) is not None:
        return []
    first = first_files(has_git=True)
    text, where, notes = first[CONFIG], show(CONFIG), []
    url = lfs_url(git)
    if url is None:
        notes.append("no server of Git LFS is known: what is not in .git/lfs on this disk cannot be fetched")
    else:
        settings = {"core.remote": REMOTE, f"remote.{REMOTE}.url": url, f"remote.{REMOTE}.adopts": "lfs"}
        for key, value in settings.items():
            text = set_value(text, parse_key(key), value, where)
        notes.append(f"remote {REMOTE!r} is read only: `dvtool remote add -d NAME URL` says where to push")
    files[CONFIG] = text
    if not os.path.lexists(os.path.join(layout.root, IGNORE_FILE)):
        files[IGNORE_FILE] = first[IGNORE_FILE]
    return notes


def _size(layout: Layout, path: bytes) -> int | None:
    try:
        return os.lstat(os.path.join(layout.root, path)).st_size
    except OSError:
        return None


def _read(layout: Layout, path: bytes) -> bytes | None:
    return read_dvc_file(layout.root, path)
