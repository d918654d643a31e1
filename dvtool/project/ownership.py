"""Each path has one owner: a pointer or a stage."""

from __future__ import annotations

from collections.abc import Sequence

from dvtool.errors import ConfigError
from dvtool.errors import FormatError
from dvtool.errors import UsageError
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.project.open import Project
from dvtool.project.parts import find_files
from dvtool.workspace.pointers import OwnFiles
from dvtool.workspace.pointers import pointer_path_of


def refuse_outputs(project: Project, paths: Sequence[bytes], files: OwnFiles | None = None) -> None:
    """Raise `UsageError` if a stage writes one of *paths*, something in it, or something that it lies in.

    The definitions are asked, so that it holds before the stage ran for the first time. One that cannot be read says
    nothing here: `repro` and `status` refuse it, and whoever is at work on it can still track data. *files*: from
    `find_files`.
    """
    if not paths:
        return
    files = files or find_files(project)
    if not files.definitions:
        return
    from dvtool.pipeline.definition import load

    for file in files.definitions:
        try:
            definition = load(project.root, file)
        except (ConfigError, FormatError):
            continue
        for stage in definition.stages:
            for out in stage.outs:
                for path in paths:
                    if is_below(out.path, path) or is_below(path, out.path):
                        _refuse(path, out.path, stage.address, f"{show(out.at.file)}:{out.at.line}")


def _refuse(path: bytes, output: bytes, stage: str, place: str) -> None:
    pointer = show(pointer_path_of(path))
    if path == output:
        what = f"{show(path)} would belong to {pointer} and to stage {stage} ({place})"
    elif is_below(output, path):
        what = f"{show(path)}, which would belong to {pointer}, holds {show(output)} of stage {stage} ({place})"
    else:
        what = f"{show(path)}, which would belong to {pointer}, lies in {show(output)} of stage {stage} ({place})"
    raise UsageError(
        what, path=path, hint="each path has one owner: let `dvtool repro` make it, or take it out of the stage"
    )
