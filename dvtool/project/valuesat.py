"""Metrics and parameters at several versions of a project, side by side."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.errors import UsageError
from dvtool.formats.lock import Json
from dvtool.model.paths import show
from dvtool.pipeline.params import read_values
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import OutKind
from dvtool.pipeline.values import value_at
from dvtool.project.open import Project
from dvtool.project.transfers import Revisions
from dvtool.project.versions import Version
from dvtool.project.versions import Versions

WORKTREE = "worktree"
_WORKTREE_NAMES = frozenset({WORKTREE, "workspace"})
DEFAULT_PARAMS = b"params.yaml"


class Side(NamedTuple):
    """A version by the name that the user knows it by. ``commit`` is None for the worktree."""

    name: str
    commit: str | None


class Problem(NamedTuple):
    """Why a file has no values on a side. ``error`` is None where it is not there."""

    side: str
    path: bytes
    error: DvtoolError | None


@dataclass(frozen=True, slots=True)
class SideValues:
    """Values by file as they stand there, nested."""

    side: Side
    values: dict[bytes, Json] = field(default_factory=dict)


class Found(NamedTuple):
    """``problems``: what could not be read, or is not there though it was asked for."""

    sides: tuple[SideValues, ...]
    problems: tuple[Problem, ...]


Wanted = dict[bytes, set[str] | None]
"""Files, and the dotted keys of each that are asked for; None for all of it."""


def sides_to_compare(project: Project, revs: Sequence[str]) -> list[Side]:
    """HEAD and the worktree without *revs*; one with the worktree; several in their order.

    "worktree" or "workspace" is the worktree. Raises `UsageError`.
    """
    named = [side_of(project, rev) for rev in revs]
    if not named:
        named = [side_of(project, "HEAD")]
    return [*named, Side(WORKTREE, None)] if len(named) == 1 else named


def sides_to_show(project: Project, revs: Sequence[str], wanted: Revisions) -> list[Side]:
    """The worktree without any; else *revs*, or the worktree and the *wanted* branches, tags and commits."""
    named = [side_of(project, rev) for rev in revs]
    if not wanted.is_any:
        return named or [Side(WORKTREE, None)]
    from dvtool.git import revisions
    from dvtool.git.tips import abbreviated

    repo = project.git
    if repo is None:
        raise _no_git()
    found = named or [Side(WORKTREE, None)]
    for is_wanted, names in ((wanted.all_branches, revisions.branches), (wanted.all_tags, revisions.tags)):
        if is_wanted:
            found += [Side(name, commit) for name, commit in names(repo).items()]
    if wanted.all_commits:
        known = {side.commit for side in found}
        commits = [commit for commit in revisions.all_commits(repo) if commit not in known]
        short = abbreviated(repo, commits)
        found += [Side(short[commit], commit) for commit in commits]
    return found


def side_of(project: Project, rev: str) -> Side:
    """Raises `UsageError` for a revision that is not there."""
    if rev in _WORKTREE_NAMES:
        return Side(WORKTREE, None)
    if project.git is None:
        raise _no_git()
    from dvtool.git.revisions import head
    from dvtool.git.revisions import resolve

    if rev == "HEAD" and head(project.git) is None:
        raise UsageError("there is no commit yet to compare with", hint="git commit")
    return Side(rev, resolve(project.git, rev))


def metrics(project: Project, sides: Sequence[Side], targets: Sequence[bytes]) -> Found:
    """The metrics of each side: what its definitions name, or *targets*: files, or directories with files in them.

    Raises `UsageError` for a target that is on no side.
    """

    def wanted(version: Version) -> Wanted:
        named = metric_files(version.definitions) if not targets or any(map(_is_directory, targets)) else []
        return dict.fromkeys(_chosen(version, named, targets))

    def _is_directory(target: bytes) -> bool:
        return any(versions.at(side.commit).files_at(target) != [target] for side in sides)

    versions = Versions(project)
    found = _collect(versions, sides, wanted)
    _check_targets(versions, sides, targets)
    return Found(
        tuple(
            SideValues(one.side, {file: _numbers(values) for file, values in one.values.items()}) for one in found[0]
        ),
        found[1],
    )


def parameters(project: Project, sides: Sequence[Side], targets: Sequence[bytes], *, deps_only: bool = False) -> Found:
    """The parameters of each side: of ``params.yaml``, of what its definitions name, or of *targets*.

    *deps_only*: those that stages depend on.
    """

    def wanted(version: Version) -> Wanted:
        if targets:
            return dict.fromkeys(_chosen(version, [], targets))
        return params_of(version.definitions, deps_only=deps_only)

    versions = Versions(project)
    found = _collect(versions, sides, wanted)
    _check_targets(versions, sides, targets)
    # Nobody has to have the file that is looked for by default.
    named = {file for version in map(versions.at, {side.commit for side in sides}) for file in _named(version)}
    problems = [each for each in found.problems if each.error or each.path != DEFAULT_PARAMS or each.path in named]
    return Found(found.sides, tuple(problems))


def metric_files(definitions: Iterable[Definition]) -> list[bytes]:
    """Files and directories of metrics, as definitions name them."""
    found: dict[bytes, None] = {}
    for definition in definitions:
        for stage in definition.stages:
            found.update((out.path, None) for out in stage.outs if out.kind is OutKind.METRIC)
        found.update(dict.fromkeys(definition.metrics))
    return list(found)


def params_of(definitions: Iterable[Definition], *, deps_only: bool) -> Wanted:
    """Files of parameters, as definitions name them, and the one by default; *deps_only*: those of stages."""
    found: Wanted = {} if deps_only else {DEFAULT_PARAMS: None}
    for definition in definitions:
        if not deps_only:
            found.update(dict.fromkeys(definition.params))
        for stage in definition.stages:
            for each in stage.params:
                known = found.setdefault(each.file, set())
                if not each.keys:
                    found[each.file] = None
                elif known is not None:
                    known.update(each.keys)
    return found


def _named(version: Version) -> set[bytes]:
    try:
        definitions = version.definitions
    except DvtoolError:
        return set()
    return {*params_of(definitions, deps_only=True), *(file for each in definitions for file in each.params)}


def _chosen(version: Version, named: Iterable[bytes], targets: Sequence[bytes]) -> list[bytes]:
    """Files at *targets*, or those of *named* in them where there are any."""
    known = [file for each in named for file in (version.files_at(each) or [each])]
    if not targets:
        return known
    found: dict[bytes, None] = {}
    for target in targets:
        inside = [file for file in known if file == target or not target or file.startswith(target + b"/")]
        found.update(dict.fromkeys(inside or version.files_at(target)))
    return list(found)


def _check_targets(versions: Versions, sides: Sequence[Side], targets: Sequence[bytes]) -> None:
    for target in targets:
        if not any(versions.at(side.commit).files_at(target) for side in sides):
            names = " or ".join(in_words(side.name) for side in sides[:3]) + (" or ..." if len(sides) > 3 else "")
            raise UsageError(f"there is no {show(target)} in {names}", path=target)


def _collect(versions: Versions, sides: Sequence[Side], wanted: Callable[[Version], Wanted]) -> Found:
    found: list[SideValues] = []
    problems: list[Problem] = []
    for side in sides:
        version = versions.at(side.commit)
        one = SideValues(side)
        found.append(one)
        try:
            files = wanted(version)
        except StorageError:
            raise
        except DvtoolError as error:
            problems.append(Problem(side.name, os.fsencode(error.path or ""), error))
            continue
        for file, keys in files.items():
            try:
                text = version.read(file)
                if text is None:
                    problems.append(Problem(side.name, file, None))
                else:
                    one.values[file] = _picked(read_values(text, file), keys)
            except StorageError:
                raise
            except DvtoolError as error:
                problems.append(Problem(side.name, file, error))
    return Found(tuple(found), tuple(problems))


def _picked(values: Json, keys: set[str] | None) -> Json:
    if keys is None:
        return values
    found = {key: value_at(values, key) for key in sorted(keys)}
    return {key: value[0] for key, value in found.items() if value is not None}


def _numbers(values: Json) -> Json:
    """What a metric may be: numbers and text."""
    if isinstance(values, dict):
        kept = {key: _numbers(value) for key, value in values.items()}
        return {key: value for key, value in kept.items() if value is not None and value != {}}
    return values if isinstance(values, (int, float, str)) else None


def in_words(side: str) -> str:
    """A side's name in a sentence."""
    return "the worktree" if side == WORKTREE else side


def _no_git() -> UsageError:
    return UsageError("this project works without Git, so there is no other version of it")
