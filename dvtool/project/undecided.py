"""What Git was told to be merged (`git add`) although nobody has decided it. Contacts nothing."""

from __future__ import annotations

from dvtool.errors import DvtoolError
from dvtool.model.paths import show
from dvtool.project.conflicts import Decisions
from dvtool.project.conflicts import OpenFile
from dvtool.project.conflicts import decided
from dvtool.project.conflicts import is_decided
from dvtool.project.conflicts import open_files
from dvtool.project.merging import Merging
from dvtool.project.open import Project


def undecided(project: Project) -> list[DvtoolError]:
    """One error for each pointer that would drop what one side did, in silence. Locks are left to `repro`.

    Raises `StorageError`, `Locked`.
    """
    files = [each for each in open_files(project) if each.is_staged and each.is_pointer]
    if not files:
        return []
    decisions = Decisions(project)
    found = []
    with Merging(project, is_offline=True) as merging:
        for file in files:
            error = _problem(merging, file, decisions)
            if error is not None:
                found.append(error)
    return found


def _problem(merging: Merging, file: OpenFile, decisions: Decisions) -> DvtoolError | None:
    if file.sides.ours is None or file.sides.theirs is None or file.now == file.sides.theirs:
        return None
    is_ours_alone = file.now == file.sides.ours
    try:
        merged = merging.merge(file.path, file.sides)
        with_ours = decided(merging, file, merged.text, [(one, "ours") for one in merged.conflicts])
        conflicts = [one for one in merged.conflicts if not decisions.has(file, one)]
        conflicts = [one for one in conflicts if not is_decided(merging, file, one)]
    except DvtoolError:
        # Without the listings nobody can say more.
        return _ours_alone(file) if is_ours_alone else None
    if conflicts:
        first = show(conflicts[0].path)
        more = f" and {len(conflicts) - 1:,} more" if len(conflicts) > 1 else ""
        return DvtoolError(
            f"{show(file.path)}: nobody has decided about {first}{more}; ours would win",
            path=file.path,
            hint=f"dvtool resolve --ours {first}, or --theirs {first}",
        )
    return _ours_alone(file) if is_ours_alone and with_ours != file.now else None


def _ours_alone(file: OpenFile) -> DvtoolError:
    name = show(file.path)
    return DvtoolError(
        f"{name}: what the other side did is not in it",
        path=file.path,
        hint=f"git checkout -m {name} && dvtool resolve; to keep ours alone: git commit --no-verify",
    )
