"""``dvc.lock`` as a lock of ours: every digest as DVC states it, so that nothing is read for it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import NamedTuple

from dvtool.errors import FormatError
from dvtool.formats.dvcentry import MD5_TEXT
from dvtool.formats.dvcentry import DvcEntry
from dvtool.formats.dvcentry import is_url
from dvtool.formats.dvcentry import resolve
from dvtool.formats.dvclock import DvcLockedStage
from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.formats.lock import LockedStage
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.pointer import Kind
from dvtool.pipeline.outputs import storing_of
from dvtool.pipeline.types import Stage


class ConvertedLock(NamedTuple):
    """``gone``: names in the lock that no definition has any more. ``unsized``: outputs whose size DVC did not note."""

    stages: Mapping[str, LockedStage]
    gone: tuple[str, ...] = ()
    unsized: tuple[bytes, ...] = ()


def convert_lock(stages: Iterable[Stage], locked: Mapping[str, DvcLockedStage], where: str) -> ConvertedLock:
    """Raises `FormatError`, `UnsafeInput` for a path that leads out of the project."""
    known = {stage.name: stage for stage in stages}
    found: dict[str, LockedStage] = {}
    unsized: list[bytes] = []
    for name, record in locked.items():
        if (stage := known.get(name)) is not None:
            found[name] = convert_stage(stage, record, where)
            sizes = {resolve(stage.wdir, entry.path, where): entry.size for entry in record.outs}
            unsized += [out.path for out in stage.outs if out.cache and sizes.get(out.path, 0) is None]
    return ConvertedLock(found, tuple(name for name in locked if name not in known), tuple(unsized))


def convert_stage(stage: Stage, record: DvcLockedStage, where: str) -> LockedStage:
    """What *record* says of *stage*; an entry without a digest is left out, as if it had not been there."""
    deps = {}
    for entry in record.deps:
        if is_url(entry.path) or entry.path.startswith("/"):
            raise FormatError(f"{where}: stage {stage.name} depends on {entry.path[:200]!r}, outside the project")
        path = resolve(stage.wdir, entry.path, where)
        if (content := content_of_entry(entry)) is not None:
            deps[path.decode("utf-8", "surrogateescape")] = content
    outs = {}
    for entry in record.outs:
        if (content := content_of_entry(entry)) is not None:
            outs[resolve(stage.wdir, entry.path, where)] = content
    params: dict[bytes, Mapping[str, Json]] = {
        resolve(stage.wdir, file, where): values for file, values in record.params.items()
    }
    return LockedStage(record.commands, (), deps, params, outs, storing_of(stage.outs))


def content_of_entry(entry: DvcEntry) -> Content | None:
    """None where DVC knew no bytes."""
    if not entry.digest:
        return None
    digest = digest_of_entry(entry.algorithm, entry.digest)
    if entry.is_directory:
        return Content(Kind.DIRECTORY, digest, entry.size or 0, entry.nfiles or 0)
    return Content(Kind.FILE, digest, entry.size or 0, 1, entry.executable)


def digest_of_entry(algorithm: str, raw: bytes) -> Digest:
    """DVC's digest in our words. A directory's manifest is no text that somebody may have edited: always MD5."""
    return Digest(Algorithm.MD5TEXT if algorithm == MD5_TEXT else Algorithm.MD5, raw)
