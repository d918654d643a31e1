"""What one file of DVC says is tracked, without the definition beside it."""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.errors import FormatError
from dvtool.formats.dvcentry import MD5_TEXT
from dvtool.formats.dvcentry import is_url
from dvtool.formats.dvcentry import resolve
from dvtool.formats.dvcfile import DvcFile
from dvtool.formats.dvcfile import DvcOut
from dvtool.formats.dvcfile import decode_dvcfile
from dvtool.formats.dvclock import decode_dvclock
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.pointer import Source
from dvtool.workspace.pointers import Tracked

SUFFIX = b".dvc"
LOCK = b"dvc.lock"
OLD_STAGE_FILE = b"Dvcfile"


def is_dvc_file(path: bytes) -> bool:
    """Whether a file of that name says what DVC tracks."""
    name = split(path)[1]
    return name in (LOCK, OLD_STAGE_FILE) or (name.endswith(SUFFIX) and name != SUFFIX)


def dvc_items(path: bytes, data: bytes, where: str, uncached: set[bytes] | None = None) -> list[Tracked]:
    """What the file at *path* says is stored; outputs that Git keeps go to *uncached*.

    Of a lock the digests are right; its paths only where the stages run in the lock's own folder, which the definition
    alone says. Raises `FormatError`, `UnsafeInput`.
    """
    if split(path)[1] == LOCK:
        return list(_locked(path, data, where))
    file = decode_dvcfile(data, where, split(path)[0])
    if uncached is not None:
        uncached.update(out.path for out in file.outs if not out.cached)
    return [item for out in file.outs if out.cached and (item := _item(path, out, where, file)) is not None]


def _item(path: bytes, out: DvcOut, where: str, file: DvcFile) -> Tracked | None:
    if not out.digest:
        if out.is_versioned or out.files:
            raise FormatError(
                f"{where}: {show(out.path)} is stated by the versions that a cloud gave it (`version_aware` in DVC's "
                "settings), which dvtool does not read",
                path=path,
            )
        return None
    kind = Kind.DIRECTORY if out.is_directory else Kind.FILE
    files = (out.nfiles or 0) if out.is_directory else 1
    digest = digest_of(out.algorithm, out.digest)
    pointer = Pointer(split(out.path)[1], kind, digest, out.size or 0, files, out.executable, remote=out.remote)
    pointer = pointer._replace(source=source_of(file, digest, where))
    return Tracked(path, pointer, out.path, may_push=out.push)


def source_of(file: DvcFile, digest: Digest, where: str) -> Source | None:
    """Where an import of DVC's came from; None for data of the project's own, and for what has no counterpart here: a
    directory of this machine, a remote of DVC's."""
    if len(file.outs) != 1 or len(file.deps) != 1 or file.commands:
        return None
    dep = file.deps[0]
    if dep.source is not None:
        if not dep.source.commit or not dep.source.url:
            return None
        path = b"" if dep.entry.path in ("", ".") else resolve(b"", dep.entry.path, where)
        remote = dep.source.remote if isinstance(dep.source.remote, str) else ""
        return Source(digest, dep.source.url, dep.source.rev, dep.source.commit, path, remote)
    url = dep.entry.path
    if not is_url(url) or url.startswith("remote://") or not dep.entry.etag:
        return None
    return Source(digest, url=url, etag=dep.entry.etag)


def _locked(path: bytes, data: bytes, where: str) -> Iterator[Tracked]:
    for name, stage in decode_dvclock(data, where).items():
        for entry in stage.outs:
            if entry.digest and not is_url(entry.path) and not entry.path.startswith("/"):
                output = resolve(split(path)[0], entry.path, where)
                kind = Kind.DIRECTORY if entry.is_directory else Kind.FILE
                digest = digest_of(entry.algorithm, entry.digest)
                files = (entry.nfiles or 0) if entry.is_directory else 1
                pointer = Pointer(split(output)[1], kind, digest, entry.size or 0, files, entry.executable)
                yield Tracked(path, pointer, output, name)


def digest_of(algorithm: str, raw: bytes) -> Digest:
    """DVC's digest in our words. What DVC 2 wrote of a directory is in the older scheme with all that it lists."""
    return Digest(Algorithm.MD5TEXT if algorithm == MD5_TEXT else Algorithm.MD5, raw)
