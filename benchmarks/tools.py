"""dvtool and DVC, which share their verbs, and how to get the peers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Sample
from benchmarks.measure import timed

DVC_PACKAGES = ("dvc>=3.67,<4", "dvc-s3>=3.2,<4")


def environment(home: Path) -> dict[str, str]:
    """What every measured command sees: nothing of the user's own settings, nothing to phone home to."""
    home.mkdir(parents=True, exist_ok=True)
    # Not os.devnull: `git config --global`, run by root, would put a file in the place of the device.
    git_settings = home / "git-empty"
    git_settings.write_bytes(b"")
    identity = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", "Bench"), ("EMAIL", "bench@example.org"))
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "NO_COLOR": "1",
        "GIT_CONFIG_GLOBAL": str(git_settings),
        "GIT_CONFIG_SYSTEM": str(git_settings),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "gc.auto",
        "GIT_CONFIG_VALUE_0": "0",
        "DVC_NO_ANALYTICS": "1",
        "RESTIC_PASSWORD": "bench",
        **identity,
    }


@dataclass(slots=True)
class Versioner:
    """A tool with DVC's verbs. Settings are written at ``init``; ``wrapper`` goes before every command (a profiler)."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    settings: tuple[tuple[str, str], ...] = ()
    wrapper: tuple[str, ...] = ()

    def call(self, cwd: Path, *arguments: str | Path, allowed: Sequence[int] = (0,)) -> Sample:
        return timed([*self.wrapper, *self.command, *arguments], cwd, self.environment, allowed=allowed)

    def init(self, repo: Path) -> None:
        """Make *repo* anew: a Git repository with this tool in it and one commit."""
        shutil.rmtree(repo, ignore_errors=True)
        repo.mkdir(parents=True)
        self.git(repo, "init", "--quiet", "--initial-branch=main")
        self.call(repo, "init")
        for key, value in self.settings:
            self.call(repo, "config", key, value)
        self.commit(repo, "start")

    def commit(self, repo: Path, message: str) -> None:
        self.git(repo, "add", ".")
        self.git(repo, "commit", "--quiet", "--allow-empty", "-m", message)

    def clone(self, repo: Path, clone: Path) -> None:
        """A fresh clone, with none of the data."""
        shutil.rmtree(clone, ignore_errors=True)
        self.git(clone.parent, "clone", "--quiet", str(repo), str(clone))

    def git(self, cwd: Path, *arguments: str) -> None:
        timed(["git", *arguments], cwd, self.environment)

    def version(self) -> str:
        return self.call(Path.cwd(), "--version").output.decode().strip()


def dvtool(home: Path) -> Versioner:
    return Versioner("dvtool", (str(Path(sys.executable).parent / "dvtool"),), environment(home))


def dvc(bench: Path, home: Path) -> Versioner:
    """DVC from its package, in an environment of its own, with nothing that would slow it down for no reason."""
    place = bench / "dvc-venv"
    program = place / "bin" / "dvc"
    if not program.exists():
        print(f"installing {' '.join(DVC_PACKAGES)} into {place}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([place / "bin" / "pip", "install", "--quiet", *DVC_PACKAGES], check=True)
    settings = (("core.analytics", "false"), ("core.check_update", "false"), ("cache.type", "copy"))
    variables = {**environment(home), "DVC_SITE_CACHE_DIR": str(home / "dvc-site-cache")}
    return Versioner("DVC", (str(program),), variables, settings)


def restic() -> str | None:
    """The path of restic: the user's own, or Debian's package where this user may install it."""
    if shutil.which("restic") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing restic", flush=True)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "restic"]
        subprocess.run(command, check=False, capture_output=True)
    return shutil.which("restic")


def versions(tools: Sequence[Versioner]) -> dict[str, str]:
    """The version line of every tool that takes part."""
    found = {tool.name: tool.version() for tool in tools}
    for name, command in (
        ("git", ["git", "--version"]),
        ("restic", ["restic", "version"]),
        ("tar", ["tar", "--version"]),
    ):
        if shutil.which(name):
            found[name] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return found
