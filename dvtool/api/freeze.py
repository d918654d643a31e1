"""Freezing stages: no run touches them until they are set free again."""

from __future__ import annotations

from dataclasses import dataclass

from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.pipeline.edit import set_frozen
from dvtool.pipeline.types import address_of
from dvtool.project.definitions import place_of_stage
from dvtool.project.definitions import read_definition
from dvtool.project.definitions import write_definitions
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.pipelines import open_pipeline

__all__ = ["FreezeRequest", "FreezeResult", "freeze"]


@dataclass(frozen=True, slots=True)
class FreezeRequest:
    """``targets``: stages, ``NAME`` or ``DIR/dvtool.yaml:NAME``. ``frozen``: False sets them free."""

    targets: tuple[str, ...]
    frozen: bool = True


@dataclass(frozen=True, slots=True)
class FreezeResult:
    """``changed``: the addresses of those that were not so before; ``unchanged``: of the others."""

    frozen: bool
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    git_files: tuple[bytes, ...]


def freeze(project: Project, request: FreezeRequest) -> FreezeResult:
    """Write it into the definitions, whose comments and layout stay. All of it or nothing.

    Raises `UsageError` for a stage that is not there, `FormatError`, `UnsafeInput`, `StorageError`, `Locked`.
    """
    verb = "freeze" if request.frozen else "unfreeze"
    with open_pipeline(project) as pipeline, begin(project, verb):
        pipeline.worktree.lock(f"dvtool {verb}")
        texts: dict[bytes, str] = {}
        touched: dict[bytes, None] = {}
        changed: dict[str, bool] = {}
        for target in request.targets:
            file, name = place_of_stage(project, target)
            text = texts.get(file)
            if text is None:
                text = read_definition(project, file)
            if text is None:
                raise UsageError(
                    f"{target}: there is no {show(file)}", hint="`dvtool stage list --all` shows all stages"
                )
            texts[file] = set_frozen(text, name, show(file), frozen=request.frozen)
            address = address_of(file, name)
            changed[address] = changed.get(address, False) or texts[file] != text
            if texts[file] != text:
                touched[file] = None
        git_files = write_definitions(project, {file: texts[file] for file in touched}) if touched else ()
    return FreezeResult(
        request.frozen,
        tuple(address for address, is_new in changed.items() if is_new),
        tuple(address for address, is_new in changed.items() if not is_new),
        git_files,
    )
