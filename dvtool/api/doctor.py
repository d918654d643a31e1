"""What may stand in the way here: a list of checks, each with the next step."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from dvtool.api.version import git_version
from dvtool.disk.space import free_bytes
from dvtool.disk.space import is_case_insensitive
from dvtool.disk.space import is_network_fs
from dvtool.disk.space import supports_hardlink
from dvtool.disk.space import supports_reflink
from dvtool.errors import DvtoolError
from dvtool.errors import storage_error
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.environment import Environment
from dvtool.project.open import Project
from dvtool.project.open import open_project

OLDEST_GIT = (2, 31)
OLDEST_PYTHON = (3, 10)
LITTLE_SPACE = 1 << 30


class State(Enum):
    """How a check ended. Only a problem makes the doctor's exit code 1."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: its name, how it is, in words, and what to do about it."""

    name: str
    state: State
    text: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class DoctorRequest:
    """``remotes``: contact every configured remote as well."""

    remotes: bool = False


@dataclass(frozen=True, slots=True)
class DoctorResult:
    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        return all(check.state is not State.PROBLEM for check in self.checks)


def doctor(environment: Environment, request: DoctorRequest, reporter: Reporter = SILENT) -> DoctorResult:
    """Look at programs, project, cache and file system. Changes nothing, and raises for nothing that it finds."""
    checks = [*_guarded("programs", lambda: _programs(environment))]
    project: Project | None = None
    try:
        project = open_project(environment.cwd, environment)
    except DvtoolError as error:
        checks.append(_problem("project", error))
    if project is not None:
        opened = project
        for name, check in _PROJECT_CHECKS.items():
            checks += _guarded(name, lambda check=check: check(opened))  # type: ignore[misc]
        if request.remotes:
            checks += _remotes_reached(opened, reporter)
    return DoctorResult(tuple(checks))


def _programs(environment: Environment) -> Iterator[Check]:
    python = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info >= OLDEST_PYTHON:
        yield Check("python", State.OK, python)
    git = git_version(environment)
    if git is None:
        yield Check("git", State.PROBLEM, "not found on the PATH", "install Git 2.31 or newer")
    elif _numbers(git) < OLDEST_GIT:
        yield Check("git", State.PROBLEM, f"{git} is too old", "install Git 2.31 or newer")
    else:
        yield Check("git", State.OK, git)


def _place(project: Project) -> Iterator[Check]:
    yield Check("project", State.OK, show(project.root))
    if project.git is None:
        yield Check("repository", State.NOTE, "works without Git", "`dvtool init -f` after `git init`")
    if project.config.text("core.repo_id") is None:
        yield Check(
            "repository",
            State.PROBLEM,
            "core.repo_id is missing in .dvtool/config",
            "`dvtool init -f` writes a new one",
        )


def _cache(project: Project) -> Iterator[Check]:
    path = project.layout.cache_dir
    if not os.path.isdir(path):
        yield Check("cache", State.OK, f"{show(path)} (not made yet)")
        path = _nearest(path)
    else:
        yield Check("cache", State.OK, show(path))
    if not os.access(path, os.W_OK | os.X_OK):
        hint = "check owner and permissions, or choose another with `dvtool cache dir PATH`"
        yield Check("cache", State.PROBLEM, f"{show(path)} is not writable", hint)
        return
    free = free_bytes(path)
    if free is not None:
        little = free < LITTLE_SPACE
        amount = f"{free / 1e9:.1f} GB" if free >= 1e9 else f"{free // 10**6} MB"
        text = f"{amount} free for the cache"
        advice = "free some, or choose another place with `dvtool cache dir PATH`" if little else None
        yield Check("space", State.NOTE if little else State.OK, text, advice)
    if is_network_fs(path):
        yield Check("cache", State.NOTE, "the cache is on a network file system", "a local disk is faster")
    reflink, hardlink = supports_reflink(path), supports_hardlink(path)
    kinds = [name for name, able in (("reflink", reflink), ("hardlink", hardlink), ("symlink, copy", True)) if able]
    yield Check("links", State.OK, f"the cache's file system has {', '.join(kinds)}")


def _workspace(project: Project) -> Iterator[Check]:
    if not os.access(project.root, os.W_OK | os.X_OK):
        yield Check("workspace", State.PROBLEM, f"{show(project.root)} is not writable", "check owner and permissions")
        return
    # Asked in the state directory, where a temporary file is nobody's surprise.
    if is_case_insensitive(_nearest(project.layout.state_dir)):
        yield Check(
            "workspace", State.NOTE, "names that differ only in case are one file here", "avoid such pairs in data"
        )
    if os.stat(project.root).st_dev != os.stat(_nearest(project.layout.cache_dir)).st_dev:
        yield Check(
            "workspace",
            State.NOTE,
            "workspace and cache are on different file systems: files are copied",
            "`dvtool cache dir PATH` on the same file system saves space and time",
        )


def _remotes(project: Project) -> Iterator[Check]:
    remotes = project.config.remotes()
    chosen = project.config.text("core.remote")
    if not remotes:
        yield Check("remote", State.NOTE, "no remote is configured", "dvtool remote add -d NAME URL")
    elif chosen is None:
        yield Check("remote", State.NOTE, "no default remote is chosen", f"dvtool remote default {min(remotes)}")
    elif chosen not in remotes:
        yield Check(
            "remote", State.PROBLEM, f"the default remote {chosen!r} does not exist", "dvtool remote default NAME"
        )
    else:
        yield Check("remote", State.OK, f"{len(remotes)} configured, default {chosen}")


def _hooks(project: Project) -> Iterator[Check]:
    """Whether Git calls dvtool, and finds it."""
    if project.git is None:
        return
    from dvtool.git.attributes import is_wired
    from dvtool.git.hookfiles import programs_called

    called = programs_called(project.git)
    if called is None and not is_wired(project.git):
        yield Check("hooks", State.NOTE, "Git does not call dvtool in this clone", "`dvtool install`, if it should")
        return
    gone = [program for program in called or () if os.path.isabs(program) and not os.access(program, os.X_OK)]
    if gone:
        hint = "`dvtool install` again writes where it is now"
        yield Check("hooks", State.PROBLEM, f"hooks of Git call {show(os.fsencode(gone[0]))}, which is not there", hint)
    else:
        yield Check("hooks", State.OK, "Git calls dvtool")


# `doctor` runs them in this order. A check that fails to look is itself a problem, and the rest goes on.
_PROJECT_CHECKS: dict[str, Callable[[Project], Iterator[Check]]] = {
    "project": _place,
    "cache": _cache,
    "workspace": _workspace,
    "remote": _remotes,
    "hooks": _hooks,
}


def _remotes_reached(project: Project, reporter: Reporter) -> Iterator[Check]:
    from dvtool.project.parts import open_remote_of
    from dvtool.remote.redact import redact

    remotes = project.config.remotes()
    reporter.begin("contacting remotes", total=len(remotes), unit="remotes")
    for name, settings in remotes.items():
        where = redact(settings.url)
        try:
            opened = open_remote_of(project, name)
            try:
                made = opened.stat("dvtool-store.json") is not None
            finally:
                opened.close()
            text = f"{where} answers" if made else f"{where} answers; nothing was pushed to it yet"
            yield Check(f"remote {name}", State.OK, text)
        except DvtoolError as error:
            yield _problem(f"remote {name}", error)
        reporter.advance(1)
    reporter.end()


def _guarded(name: str, check: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from check()
    except DvtoolError as error:
        yield _problem(name, error)
    except OSError as error:
        yield _problem(name, storage_error(error, "look at", error.filename))


def _problem(name: str, error: DvtoolError) -> Check:
    return Check(name, State.PROBLEM, error.message, error.hint)


def _nearest(path: bytes) -> bytes:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)
