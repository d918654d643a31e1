"""Adding stages to definitions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats.lock import Json
from dvtool.model.paths import DEFINITION_NAME
from dvtool.model.paths import join
from dvtool.model.paths import show
from dvtool.model.paths import split
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.pipeline.definition import parse
from dvtool.pipeline.definition.schema import modeline
from dvtool.pipeline.edit import add_stage
from dvtool.pipeline.graph import build
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import Stage
from dvtool.pipeline.types import address_of
from dvtool.project.definitions import read_definition
from dvtool.project.definitions import read_input
from dvtool.project.definitions import schema_copy
from dvtool.project.definitions import write_definitions
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.pipelines import Pipeline
from dvtool.project.pipelines import open_pipeline

__all__ = ["StageAddRequest", "StageAddResult", "stage_add"]

_PARAMS = "params.yaml"


@dataclass(frozen=True, slots=True)
class StageAddRequest:
    """What stands in the definition afterwards. Paths are relative to ``wdir``, and that to the current directory.

    ``command``: one text for the shell, or the words of a command, quoted as DVC does; with ``argv`` words that run
    without a shell. ``params``: ``KEY,KEY`` of params.yaml, ``FILE:KEY,KEY``, or ``FILE:`` for all of it. ``force``:
    replace a stage of that name.
    """

    name: str
    command: tuple[str, ...]
    argv: bool = False
    deps: tuple[str, ...] = ()
    params: tuple[str, ...] = ()
    outs: tuple[str, ...] = ()
    outs_no_cache: tuple[str, ...] = ()
    outs_persist: tuple[str, ...] = ()
    outs_persist_no_cache: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    metrics_no_cache: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    plots_no_cache: tuple[str, ...] = ()
    wdir: str = ""
    always_changed: bool = False
    desc: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class StageAddResult:
    """``address``: how the stage is called from anywhere in the project."""

    stage: str
    address: str
    file: bytes
    replaced: bool
    git_files: tuple[bytes, ...]


def stage_add(project: Project, request: StageAddRequest, reporter: Reporter = SILENT) -> StageAddResult:
    """Write the stage into the ``dvtool.yaml`` of the current directory, whose comments and layout stay.

    Nothing is written unless the project's pipelines are sound with it. Raises `UsageError`, `ConfigError` (a path with
    two owners, a circle), `UnsafeInput`, `FormatError`, `StorageError`, `Locked`.
    """
    body = _body(request)
    with open_pipeline(project, reporter=reporter) as pipeline, begin(project, "stage add"):
        pipeline.worktree.lock("dvtool stage add")
        file = join(pipeline.directory, DEFINITION_NAME)
        before = read_definition(project, file)
        text = add_stage(before or "", request.name, body, show(file), replace=request.force, modeline=modeline(file))
        definition = parse(text.encode("utf-8"), file, lambda path: read_input(project, path))
        stage = next(each for each in definition.stages if each.name == request.name)
        others = [each for each in pipeline.definitions if each.file != file]
        replaced = any(address_of(file, request.name) == each for each in _addresses(pipeline.definitions))
        _check(pipeline, [*others, definition], stage)
        cached = [out.path for out in stage.outs if out.cache and _is_directory(project, split(out.path)[0])]
        schema = schema_copy(project, wanted=text.startswith(modeline(file)))
        git_files = write_definitions(project, {file: text, **schema}, cached)
    return StageAddResult(request.name, stage.address, file, replaced, git_files)


def _addresses(definitions: Iterable[Definition]) -> Iterable[str]:
    return (stage.address for definition in definitions for stage in definition.stages)


def _is_directory(project: Project, path: bytes) -> bool:
    return os.path.isdir(os.path.join(project.root, path))


def _check(pipeline: Pipeline, definitions: Sequence[Definition], stage: Stage) -> None:
    build(sorted(definitions, key=lambda each: each.file), pipeline.tracked)
    git = pipeline.project.git
    cached = [out.path for out in stage.outs if out.cache]
    if git is None or not cached:
        return
    from dvtool.git.worktree import tracked

    to_git = pipeline.project.layout.to_git
    taken = tracked(git, [to_git(path) for path in cached])
    for path in cached:
        if to_git(path) in taken:
            raise UnsafeInput(
                f"{show(path)} is tracked by Git already, so it cannot be an output that is kept in the cache",
                path=path,
                hint=f"git rm -r --cached {show(path)}, or leave it to Git: -O, -M instead of -o, -m",
            )


def _body(request: StageAddRequest) -> dict[str, Json]:
    """The stage as it stands in the file; what is not said is left out."""
    if not any(request.command):
        raise UsageError("a stage needs a command", hint="dvtool stage add -n NAME -d FILE -o FILE COMMAND")
    command: dict[str, Json] = {"argv": [*request.command]} if request.argv else {"cmd": _joined(request.command)}
    persist: dict[str, Json] = {"persist": True}
    uncached: dict[str, Json] = {"cache": False}
    outs = _outs(request.outs, request.outs_no_cache)
    outs += [{path: persist} for path in request.outs_persist]
    outs += [{path: {**uncached, **persist}} for path in request.outs_persist_no_cache]
    found: dict[str, Json] = {
        "desc": request.desc,
        **command,
        "wdir": request.wdir if request.wdir != "." else "",
        "deps": [*dict.fromkeys(request.deps)],
        "params": _params(request.params),
        "outs": outs,
        "metrics": _outs(request.metrics, request.metrics_no_cache),
        "plots": _outs(request.plots, request.plots_no_cache),
        "always_changed": request.always_changed,
    }
    return {key: value for key, value in found.items() if value}


def _outs(cached: Sequence[str], uncached: Sequence[str]) -> list[Json]:
    found: list[Json] = [*cached]
    return found + [{path: {"cache": False}} for path in uncached]


def _joined(words: Sequence[str]) -> str:
    """The words of a command line as DVC joins them: the shell still acts on what is in them."""
    if len(words) == 1:
        return words[0]
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    if not word:
        return '""'
    return f'"{word}"' if " " in word and '"' not in word else word


def _params(given: Sequence[str]) -> list[Json]:
    files: dict[str, list[str] | None] = {}
    for each in given:
        file, colon, names = each.rpartition(":")
        keys = [name for name in names.split(",") if name]
        if not colon and not keys:
            raise UsageError(f"{each!r} names no parameter", hint="-p KEY,KEY or -p FILE:KEY,KEY or -p FILE:")
        known = files.setdefault(file or _PARAMS, [])
        files[file or _PARAMS] = None if not keys or known is None else [*dict.fromkeys([*known, *keys])]
    found: list[Json] = [*(files.pop(_PARAMS) or [])] if files.get(_PARAMS) else []
    return found + [{file: None if keys is None else [*keys]} for file, keys in files.items()]
