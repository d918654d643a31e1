"""Outputs of stages without a run: what stands in the worktree is stored, and the lock names it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.formats.lock import decode_lock
from dvtool.formats.lock import encode_lock
from dvtool.formats.pointer import decode_pointer
from dvtool.model.digest import as_digest
from dvtool.model.pointer import Kind
from tests.support.datarepo import DataRepo

AS_ALL = Storing()


def stored(repo: DataRepo, path: str) -> Content:
    """What stands at *path*, in the cache as after a run, ignored by Git and without a pointer."""
    repo.add(path)
    pointer_file = repo.at / f"{path}.dvt"
    pointer = decode_pointer(pointer_file.read_bytes(), path)
    pointer_file.unlink()
    return Content(pointer.kind, pointer.digest, pointer.size, pointer.files, pointer.executable)


def made_by(repo: DataRepo, stage: str, outs: Mapping[str, Storing], *, lock: str = "dvtool.lock") -> LockedStage:
    """Let *stage* have made *outs*, which stand there; the lock is written anew with it."""
    record(repo, {stage: None}, lock=lock)
    contents = {os.fsencode(path): _content(repo, path, how) for path, how in outs.items()}
    storing = {os.fsencode(path): how for path, how in outs.items() if how != AS_ALL}
    made = LockedStage((f"make {stage}",), outs=contents, storing=storing)
    record(repo, {stage: made}, lock=lock)
    return made


def record(repo: DataRepo, stages: Mapping[str, LockedStage | None], *, lock: str = "dvtool.lock") -> None:
    """Put stages into a lock, or take them out."""
    file = repo.at / lock
    file.parent.mkdir(parents=True, exist_ok=True)
    found: dict[str, LockedStage] = decode_lock(file.read_bytes(), lock) if file.exists() else {}
    for name, stage in stages.items():
        found.pop(name, None)
        if stage is not None:
            found[name] = stage
    file.write_bytes(encode_lock(found))


def _content(repo: DataRepo, path: str, how: Storing) -> Content:
    if how.cache:
        return stored(repo, path)
    from dvtool.hashing.digests import object_id

    data = (repo.at / path).read_bytes()
    return Content(Kind.FILE, as_digest(object_id(data)), len(data))
