"""Making Git call dvtool: hooks, the merge driver, text for ``git diff``."""

from __future__ import annotations

import os
from dataclasses import dataclass
from dataclasses import field

from dvtool.disk.beneath import read_beneath
from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.disk.lock import FileLock
from dvtool.disk.lock import Waiting
from dvtool.errors import ConfigError
from dvtool.errors import FormatError
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.formats.precommit import NAME as TOOL_FILE
from dvtool.formats.precommit import with_hooks
from dvtool.formats.precommit import without_hooks
from dvtool.git import attributes
from dvtool.git import hookfiles
from dvtool.git.run import GitRepo
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.project.open import Project
from dvtool.project.oplog import require_own

__all__ = ["InstallPlan", "InstallRequest", "install", "plan_install"]

_PLAIN = "dvtool"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class InstallRequest:
    """``uninstall``: take out what an earlier call brought in. ``pre_commit_tool``: the hooks go into
    ``.pre-commit-config.yaml`` instead. ``force``: also into a directory of hooks that is not this repository's.
    ``program``: the path of dvtool, for shells that do not find it; empty for what the PATH says.
    """

    uninstall: bool = False
    pre_commit_tool: bool = False
    force: bool = False
    program: str = ""


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What changes. ``tool_file``: the text of ``.pre-commit-config.yaml``, empty for none at all, None where it
    stays as it is. ``waiting``: for another install."""

    repo: GitRepo
    directory: bytes
    hooks: tuple[hookfiles.HookEdit, ...]
    wiring: attributes.Wiring
    tool_path: bytes
    tool_file: str | None = None
    waiting: Waiting = field(default_factory=Waiting)

    @property
    def is_empty(self) -> bool:
        return not self.hooks and self.wiring.is_empty and self.tool_file is None


def plan_install(project: Project, request: InstallRequest) -> InstallPlan:
    """Look at what is there. Raises `UsageError` without Git, `ConfigError`, `FormatError`, `UnsafeInput`."""
    repo = project.git
    if repo is None:
        raise UsageError(
            "this project works without Git, so there is nothing to install", hint="`git init` comes first"
        )
    require_own(project.layout, "install")
    directory = hookfiles.hooks_directory(repo, anywhere=request.force or request.uninstall)
    tool_path = os.path.join(repo.worktree, TOOL_FILE)
    waiting = project.layout.waiting
    text = _tool_text(repo)
    if request.uninstall:
        hooks = hookfiles.plan_removal(directory)
        wiring = attributes.plan_unwiring(repo)
        after = None if text is None else without_hooks(text)
        return InstallPlan(repo, directory, tuple(hooks), wiring, tool_path, None if after == text else after, waiting)
    wiring = attributes.plan_wiring(repo, request.program or _PLAIN)
    if request.pre_commit_tool:
        after = with_hooks(text, show(TOOL_FILE))
        hooks = hookfiles.plan_removal(directory)
        return InstallPlan(repo, directory, tuple(hooks), wiring, tool_path, None if after == text else after, waiting)
    if text is not None and with_hooks_already(text):
        raise ConfigError(
            f"{show(TOOL_FILE)} has dvtool's hooks already, and they would run twice",
            path=tool_path,
            hint="`dvtool install --pre-commit-tool` keeps it so; `dvtool install --uninstall` takes them out there",
        )
    # A file of hooks that is committed is everybody's: no path of one machine goes into it.
    own = not is_below(directory, repo.worktree) or is_below(directory, repo.common_dir)
    hooks = hookfiles.plan_hooks(directory, (request.program if own else "") or _PLAIN)
    return InstallPlan(repo, directory, tuple(hooks), wiring, tool_path, waiting=waiting)


def with_hooks_already(text: str) -> bool:
    """Whether a ``.pre-commit-config.yaml`` has all of dvtool's hooks."""
    try:
        return with_hooks(text, show(TOOL_FILE)) == text
    except FormatError:
        return False


def install(plan: InstallPlan) -> None:
    """Carry it out, one at a time. Raises `StorageError`, `Locked`."""
    if plan.is_empty:
        return
    place = os.path.join(plan.repo.common_dir, b"dvtool")
    try:
        make_dirs(place)
        lock = FileLock(os.path.join(place, b"install.lock"), waiting=plan.waiting).acquire(
            shared=False, what="install"
        )
    except OSError as error:
        raise storage_error(error, "write", place) from error
    with lock:
        _carry_out(plan)


def _carry_out(plan: InstallPlan) -> None:
    attributes.carry_out(plan.repo, plan.wiring)
    if plan.tool_file is not None:
        try:
            if plan.tool_file:
                write_file(plan.tool_path, plan.tool_file.encode("utf-8"))
            else:
                os.unlink(plan.tool_path)
        except OSError as error:
            raise storage_error(error, "write", plan.tool_path) from error
    if plan.hooks:
        hookfiles.carry_out(plan.directory, list(plan.hooks))


def _tool_text(repo: GitRepo) -> str | None:
    try:
        data = read_beneath(repo.worktree, TOOL_FILE, _MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, "read", TOOL_FILE) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise FormatError(f"{show(TOOL_FILE)}: not UTF-8 text", path=TOOL_FILE) from None
