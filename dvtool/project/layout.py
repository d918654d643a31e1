"""Where everything of a project lies."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from dataclasses import field

from dvtool.disk.lock import Waiting
from dvtool.errors import UsageError
from dvtool.git.run import GitRepo
from dvtool.project.environment import Environment
from dvtool.project.locate import DVC_CONFIG
from dvtool.project.locate import DVC_MARKER
from dvtool.project.locate import MARKER

_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """Absolute paths. ``prefix`` is the root relative to the top of the Git work tree, empty or ending in ``/``.

    ``cache_dir`` follows ``cache.dir`` once the settings are known. ``state_dir`` belongs to this
    one workspace and lies where neither Git nor ``git clean`` reaches; ``tmp_dir`` is inside it. ``clone_dir``: of the
    clone with all its workspaces.
    ``waiting``: for the locks of the config files. ``foreign``: the tool, "dvc", whose project this is, which is only
    read; else empty. The committed config is that tool's then.
    """

    root: bytes
    git: GitRepo | None
    prefix: bytes
    cache_dir: bytes
    clone_dir: bytes
    state_dir: bytes
    tmp_dir: bytes
    project_config: bytes
    local_config: bytes
    user_config: bytes
    system_config: bytes
    waiting: Waiting = field(default_factory=Waiting)
    foreign: str = ""

    def to_git(self, path: bytes) -> bytes:
        """A path relative to the root as git names it: relative to the top of the work tree."""
        return self.prefix + path

    def from_git(self, path: bytes) -> bytes:
        """A path as git names it, relative to the root; it must lie below the root."""
        if not path.startswith(self.prefix):
            raise UsageError(f"{os.fsdecode(path)} is outside the project at {os.fsdecode(self.root)}", path=path)
        return path[len(self.prefix) :]


def plan_layout(root: bytes, git: GitRepo | None, environment: Environment, *, foreign: bool = False) -> Layout:
    """The layout of the project at *root*; *git* is None for one that works without Git. Touches no file.

    *foreign*: it is DVC's, and is read as it is.
    """
    own = os.path.join(root, DVC_MARKER, b"tmp", b"dvtool") if foreign else os.path.join(root, MARKER)
    prefix = b""
    if git is None:
        state, shared, local = os.path.join(own, b"state"), own, os.path.join(own, b"config.local")
    else:
        shared = os.path.join(git.common_dir, b"dvtool")
        state = os.path.join(git.git_dir, b"dvtool")
        local_dir = shared
        if root != git.worktree:
            prefix = os.path.relpath(root, git.worktree) + b"/"
            name = subdirectory_name(prefix[:-1])
            state, local_dir = os.path.join(state, b"at", name), os.path.join(shared, b"at", name)
        local = os.path.join(local_dir, b"config")
    return Layout(
        root=root,
        git=git,
        prefix=prefix,
        cache_dir=os.path.join(shared, b"cache"),
        clone_dir=shared,
        state_dir=state,
        tmp_dir=os.path.join(state, b"tmp"),
        project_config=os.path.join(root, DVC_CONFIG) if foreign else os.path.join(own, b"config"),
        local_config=local,
        user_config=os.path.join(_user_directory(environment), b"dvtool", b"config"),
        system_config=os.path.join(_system_directory(environment), b"dvtool", b"config"),
        waiting=environment.waiting,
        foreign="dvc" if foreign else "",
    )


def subdirectory_name(path: bytes) -> bytes:
    """One safe file name for a subdirectory of the work tree: its last part, readable, and a digest of it all."""
    import hashlib

    readable = _UNSAFE.sub(b"-", os.path.basename(path))[:40].strip(b"-") or b"sub"
    return readable + b"-" + hashlib.sha256(path).hexdigest()[:16].encode("ascii")


def _user_directory(environment: Environment) -> bytes:
    # The XDG specification: a relative path in these variables counts as unset.
    stated = os.fsencode(environment.environ.get("XDG_CONFIG_HOME", ""))
    return stated if os.path.isabs(stated) else os.path.join(environment.home, b".config")


def _system_directory(environment: Environment) -> bytes:
    stated = os.fsencode(environment.environ.get("XDG_CONFIG_DIRS", "").partition(":")[0])
    return stated if os.path.isabs(stated) else b"/etc/xdg"
