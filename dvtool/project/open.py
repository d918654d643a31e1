"""Opening a project: root, Git, settings, layout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace

from dvtool.errors import ConfigError
from dvtool.errors import NotInRepository
from dvtool.errors import UnsafeInput
from dvtool.formats.settings import is_true
from dvtool.git.discover import find_git
from dvtool.git.run import GitRepo
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.project.config import Config
from dvtool.project.config import Level
from dvtool.project.config import load_config
from dvtool.project.config import read_entries
from dvtool.project.environment import Environment
from dvtool.project.layout import Layout
from dvtool.project.layout import plan_layout
from dvtool.project.locate import DVC_MARKER
from dvtool.project.locate import MARKER
from dvtool.project.locate import find_root
from dvtool.project.locate import is_foreign


@dataclass(frozen=True, slots=True)
class Project:
    """An open project. Paths are absolute, ``git`` is None where it works without Git.

    ``is_elsewhere``: another repository, cloned to read its data; what it says may not lead to this machine.
    ``adopts``: the cache of the tool that began the project, where that is not in its usual place. ``versioned``:
    remotes of that tool that cannot be read.
    """

    root: bytes
    layout: Layout
    config: Config
    git: GitRepo | None
    environment: Environment
    adopts: bytes = b""
    versioned: frozenset[str] = frozenset()
    is_elsewhere: bool = False

    @property
    def ignore_file(self) -> bytes:
        """The name of files that say what is passed over."""
        return b".dvcignore" if self.foreign else b".dvtoolignore"

    @property
    def foreign(self) -> str:
        """The tool whose project this is, where it is only read: "dvc"; else empty."""
        return self.layout.foreign

    @property
    def repo_id(self) -> str:
        """What names this repository on remotes; raises `ConfigError` if the committed file lost it."""
        if self.foreign:
            import hashlib

            # It names nothing on a remote; a shared cache tells apart by it who keeps what.
            return hashlib.sha256(self.root).hexdigest()[:32]
        stated = self.config.text("core.repo_id")
        if stated is None:
            raise ConfigError(
                "core.repo_id is missing in .dvtool/config",
                path=self.layout.project_config,
                hint="look for it with `git log -p -- .dvtool/config`, or get a new one with `dvtool init -f`",
            )
        return stated


def open_project(start: bytes, environment: Environment, overrides: Mapping[str, str] | None = None) -> Project:
    """The project that *start* belongs to. *overrides* are settings from flags, key to text.

    Creates nothing. Raises `NotInRepository`, `FormatError`, `ConfigError`, `UnsafeInput`.
    """
    layout = find_layout(start, environment)
    config = load_config(layout, environment, overrides or {})
    layout = replace(layout, cache_dir=config.path("cache.dir") or layout.cache_dir)
    project = Project(layout.root, layout, config, layout.git, environment)
    if not os.path.isdir(os.path.join(layout.root, DVC_MARKER)):
        return project
    from dvtool.project.dvcsettings import dvc_cache
    from dvtool.project.dvcsettings import versioned_remotes

    project = replace(project, adopts=dvc_cache(layout, environment))
    return replace(project, versioned=versioned_remotes(layout, environment)) if layout.foreign else project


def find_layout(start: bytes, environment: Environment) -> Layout:
    """The layout before any setting but ``core.no_scm`` is looked at: enough to edit config files.

    A project without Git around it (an exported tree in a container, say) works as after
    ``init --no-scm``.
    """
    root = _find_root(os.path.join(environment.cwd, start), environment)
    if is_foreign(root):
        return plan_layout(root, find_git(root, environment.environ), environment, foreign=True)
    bare = plan_layout(root, None, environment)
    entries = read_entries(bare, Level.PROJECT)
    git = find_git(root, environment.environ)
    if any(str(entry.key) == "core.no_scm" and is_true(entry.value) for entry in entries):
        if git is not None:
            _refuse_committed_state(git, root)
        return bare
    return bare if git is None else plan_layout(root, git, environment)


def _find_root(start: bytes, environment: Environment) -> bytes:
    try:
        return find_root(start)
    except NotInRepository as error:
        error.hint = _left_out(start, environment) or error.hint
        raise


def _left_out(start: bytes, environment: Environment) -> str | None:
    """What to do where the settings are in Git, and a sparse checkout has left them out."""
    git = find_git(start, environment.environ)
    if git is None:
        return None
    from dvtool.git.roots import roots_left_out

    for root in roots_left_out(git):
        if is_below(os.path.realpath(start), os.path.join(git.worktree, root).rstrip(b"/")):
            folder = os.path.join(root, MARKER)
            return f"this sparse checkout leaves its settings out: git sparse-checkout add {show(folder)}"
    return None


def _refuse_committed_state(git: GitRepo, root: bytes) -> None:
    """Without Git, what is one user's own lies in `.dvtool`: whoever commits that steers everyone who clones it."""
    from dvtool.git.worktree import tracked

    own = [os.path.join(root, MARKER, name) for name in (b"config.local", b"state", b"cache")]
    committed = tracked(git, [os.path.relpath(path, git.worktree) for path in own if os.path.lexists(path)])
    if committed:
        path = min(committed)
        raise UnsafeInput(
            f"{show(path)} is committed in Git, and settings and state of this kind must be your own",
            path=path,
            hint=f"if you trust what is in it: git rm -r --cached {show(path)}",
        )
