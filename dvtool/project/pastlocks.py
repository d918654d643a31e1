"""What stages read and wrote before, as committed locks have it."""

from __future__ import annotations

from dvtool.errors import DvtoolError
from dvtool.formats.lock import MAX_BYTES
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import decode_lock
from dvtool.model.paths import show
from dvtool.pipeline.lockfile import lock_path
from dvtool.pipeline.types import Stage
from dvtool.project.open import Project

_MOST_VERSIONS = 20


def record_before(project: Project, stage: Stage, record: LockedStage) -> LockedStage | None:
    """The newest committed record of the stage that is not *record*; None where the last versions hold none."""
    if project.git is None:
        return None
    from dvtool.git.blobs import read_blobs
    from dvtool.git.history import log_path
    from dvtool.git.revisions import head

    if head(project.git) is None:
        return None
    path = lock_path(stage.file)
    versions = log_path(project.git, project.layout.to_git(path), follow=False)[:_MOST_VERSIONS]
    blobs = [version.blob for version in versions if version.blob is not None]
    for _, text in read_blobs(project.git, blobs, limit=MAX_BYTES):
        try:
            found = decode_lock(text, show(path)).get(stage.name)
        except DvtoolError:
            # A version with conflict markers, say: older ones may tell.
            continue
        if found is not None and found != record:
            return found
    return None
