"""Every file of dvtool's own that is in Git, checked: all that is wrong at once, with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from dvtool.errors import DvtoolError
from dvtool.errors import StorageError
from dvtool.model.paths import show
from dvtool.pipeline.definition import load
from dvtool.pipeline.definition.shell import reads_again
from dvtool.pipeline.graph import build
from dvtool.pipeline.types import Definition
from dvtool.project.open import Project
from dvtool.project.oplog import require_own
from dvtool.project.parts import find_files
from dvtool.workspace.ignore import IgnoreRules
from dvtool.workspace.pointers import OwnFiles
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import TrackedPaths
from dvtool.workspace.pointers import read_tracked

__all__ = ["Finding", "LintResult", "lint"]

_IN_DEFINITION = re.compile(r"((?:.*/)?dvtool\.yaml):(\d+)(?::\d+)?: ")


class Finding(NamedTuple):
    """``path``: relative to the root, empty where it is about none. ``line``: from 1, 0 for the whole file.

    ``rule``: format, unsafe, overlap, pipeline, in-git, visible, shell. ``is_error``: False for advice.
    """

    path: bytes
    line: int
    rule: str
    message: str
    hint: str = ""
    is_error: bool = True


@dataclass(frozen=True, slots=True)
class LintResult:
    """What was looked at, and what is wrong with it."""

    pointers: int
    locks: int
    definitions: int
    findings: tuple[Finding, ...]

    @property
    def is_clean(self) -> bool:
        return not any(finding.is_error for finding in self.findings)


def lint(project: Project) -> LintResult:
    """Look at pointers, locks, definitions, ignore files and what Git has of the data. Reads no data, starts nothing.

    Settings were read with the project. Raises `StorageError`.
    """
    require_own(project.layout, "lint")
    files = find_files(project)
    findings: list[Finding] = []
    items: list[Tracked] = []
    for path in (*files.pointers, *files.locks):
        try:
            items += read_tracked(project.root, path)
        except StorageError:
            raise
        except DvtoolError as error:
            findings.append(_finding(error, path))
    findings += _overlaps(items)
    findings += _definitions(project, files, items)
    findings += _ignore_rules(project)
    findings += _in_git(project, items)
    order = sorted(findings, key=lambda finding: (finding.path, finding.line, finding.rule))
    return LintResult(len(files.pointers), len(files.locks), len(files.definitions), tuple(order))


def _overlaps(items: Iterable[Tracked]) -> Iterator[Finding]:
    try:
        TrackedPaths(items)
    except DvtoolError as error:
        for cause in error.causes or (error,):
            assert isinstance(cause, DvtoolError)
            yield _finding(cause, b"", rule="overlap")


def _definitions(project: Project, files: OwnFiles, items: Iterable[Tracked]) -> Iterator[Finding]:
    found: list[Definition] = []
    for file in files.definitions:
        try:
            found.append(load(project.root, file))
        except StorageError:
            raise
        except DvtoolError as error:
            for cause in error.causes or (error,):
                assert isinstance(cause, DvtoolError)
                yield _finding(cause, file, rule="pipeline")
    if len(found) == len(files.definitions):
        try:
            build(tuple(found), {item.path: item.pointer_path for item in items if not item.stage})
        except DvtoolError as error:
            for cause in error.causes or (error,):
                assert isinstance(cause, DvtoolError)
                yield _finding(cause, b"", rule="pipeline")
    yield from _risky(found)


def _risky(definitions: Iterable[Definition]) -> Iterator[Finding]:
    """Commands in which the quotes around a value from another file protect nothing."""
    told: set[tuple[bytes, str]] = set()
    for definition in definitions:
        for stage in definition.stages:
            name = stage.group or stage.name
            if stage.uses and (definition.file, name) not in told and any(map(reads_again, stage.commands)):
                told.add((definition.file, name))
                used = ", ".join(sorted({show(dep.file) for dep in stage.uses}))
                yield Finding(
                    definition.file,
                    stage.at.line,
                    "shell",
                    f"stage {name}: values of {used} go into a command that is read twice, as by `bash -c` or `eval`",
                    "pass them as words of `argv:`, which no shell reads",
                    is_error=False,
                )


def _ignore_rules(project: Project) -> Iterator[Finding]:
    try:
        IgnoreRules.load(project.root)
    except StorageError:
        raise
    except DvtoolError as error:
        yield _finding(error, b".dvtoolignore")


def _in_git(project: Project, items: Iterable[Tracked]) -> Iterator[Finding]:
    """Tracked data that Git has as well, or would take with the next ``git add``."""
    if project.git is None:
        return
    from dvtool.git.ignore import ignored
    from dvtool.git.worktree import tracked

    layout = project.layout
    paths = {layout.to_git(item.path): item for item in items}
    taken = tracked(project.git, list(paths))
    for path in taken:
        item = paths[path]
        yield Finding(
            item.path,
            0,
            "in-git",
            f"Git tracks {show(item.path)}, for which {item.source} stands",
            f"git rm -r --cached {show(item.path)}",
        )
    hidden = ignored(project.git, paths, no_index=True)
    for path in paths.keys() - hidden - taken:
        item = paths[path]
        again = f"`dvtool commit {show(item.path)}`" if item.stage else f"`dvtool add {show(item.path)}`"
        yield Finding(
            item.path,
            0,
            "visible",
            f"Git does not ignore {show(item.path)}: `git add .` would take its bytes",
            f"{again} puts the line into .gitignore",
            is_error=False,
        )


def _finding(error: DvtoolError, path: bytes, *, rule: str = "") -> Finding:
    """An error with the place that its message begins with as fields."""
    where = show(path) if path else show((error.path or "").encode("utf-8", "surrogateescape"))
    line, message = 0, error.message
    found = re.match(re.escape(where) + r"(?::(\d+))?(?::(\d+))?: ", message) if where else None
    if found is not None:
        line, message = int(found[1] or 0), message[found.end() :]
    elif (found := _IN_DEFINITION.match(message)) is not None:
        path, line, message = found[1].encode("utf-8", "surrogateescape"), int(found[2]), message[found.end() :]
    return Finding(
        path or (error.path or "").encode("utf-8", "surrogateescape"),
        line,
        rule or error.kind,
        message,
        error.hint or "",
    )
