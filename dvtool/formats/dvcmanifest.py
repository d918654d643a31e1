"""``.dir`` manifests of DVC: the files of one directory with their MD5, as JSON. See ``docs/formats/dvc.md``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.formats.dvcentry import ManifestFile
from dvtool.model.paths import check_name

_MD5 = re.compile(r"[0-9a-fA-F]{32}", re.ASCII)


def decode_manifest(data: bytes, where: str = "a .dir manifest") -> list[ManifestFile]:
    """The files sorted by path. Raises `FormatError`, `UnsafeInput` for a path that reaches outside.

    A file that is a directory of another one as well, and a path that stands there twice, are refused.
    """
    try:
        rows = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise FormatError(f"{where}: not the JSON of a manifest", path=where) from None
    if not isinstance(rows, list):
        raise FormatError(f"{where}: a manifest is a list", path=where)
    files = [_file(row, where) for row in rows]
    files.sort()
    folders: set[bytes] = set()
    before = b""
    for file in files:
        if file.path == before:
            raise FormatError(f"{where}: one path stands there twice", path=where)
        before = file.path
        at = file.path.rfind(b"/")
        while at > 0 and file.path[:at] not in folders:
            folders.add(file.path[:at])
            at = file.path.rfind(b"/", 0, at)
    if not folders.isdisjoint(file.path for file in files):
        raise FormatError(f"{where}: a file stands where a folder is", path=where)
    return files


def encode_manifest(files: Iterable[ManifestFile]) -> bytes:
    """The bytes whose MD5 names the directory: as DVC writes them, for paths that are valid there."""
    rows = [
        {"md5": file.digest.hex(), "relpath": file.path.decode("utf-8", "surrogateescape")}
        for file in sorted_as_dvc(files)
    ]
    return json.dumps(rows, sort_keys=True).encode("utf-8")


def sorted_as_dvc(files: Iterable[ManifestFile]) -> list[ManifestFile]:
    """By path as text, code point by code point."""
    return sorted(files, key=lambda file: file.path.decode("utf-8", "surrogateescape"))


def _file(row: Any, where: str) -> ManifestFile:
    relpath, md5 = (row.get("relpath"), row.get("md5")) if isinstance(row, dict) else (None, None)
    if type(relpath) is not str or type(md5) is not str:
        raise FormatError(f"{where}: an entry has no relpath or no md5", path=where)
    if not _MD5.fullmatch(md5):
        raise UnsafeInput(f"{where}: {md5[:80]!r} is no MD5", path=where)
    try:
        path = relpath.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise UnsafeInput(f"{where}: {relpath[:80]!r} is no path", path=where) from None
    for name in path.split(b"/"):
        check_name(name, where)
    return ManifestFile(path, bytes.fromhex(md5))
