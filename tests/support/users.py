"""Commands of several users of this machine. Only root can start them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEAM = 47_100
"""A group that all of them are in."""
_ENVIRONMENT = {
    "PYTHONPATH": os.pathsep.join([str(ROOT), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]),
    "PYTHONDONTWRITEBYTECODE": "1",
}
WHY_NOT = "only root can work as several users; `setpriv` of util-linux does it"


@cache
def interpreter() -> str | None:
    """A Python that other users can start and that has what dvtool needs; None where nobody can be anybody else."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return None
    # One in root's home is no use to others; the system's own may be of the same version.
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, system):
        command = [*_as(TEAM + 1), "/usr/bin/env", python, "-c", "import blake3, click, sqlite3, dvtool.cli.main"]
        if subprocess.run(command, check=False, env=_ENVIRONMENT, cwd="/", capture_output=True).returncode == 0:
            return python
    return None


def _as(uid: int) -> list[str]:
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", f"--groups={TEAM}", "--"]


@dataclass(frozen=True)
class User:
    """One user with a home of their own. ``umask``: theirs, in octal digits."""

    number: int
    home: Path
    umask: str = "077"

    @property
    def uid(self) -> int:
        return TEAM + self.number

    def run(self, place: Path, *argv: str) -> subprocess.CompletedProcess[str]:
        """A command in *place*, to its end."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
        # The settings of the tests' own Git lie where only root comes.
        git = {"GIT_CONFIG_GLOBAL": str(self.home / ".gitconfig"), "GIT_CONFIG_SYSTEM": os.devnull}
        env |= {"HOME": str(self.home), "TMPDIR": str(self.home), **git, **_ENVIRONMENT}
        command = [*_as(self.uid), "/usr/bin/env", *argv]
        umask = int(self.umask, 8)
        return subprocess.run(command, check=False, cwd=place, env=env, umask=umask, capture_output=True, text=True)

    def done(self, place: Path, *argv: str) -> str:
        """The output of a command that must end with 0."""
        ran = self.run(place, *argv)
        assert ran.returncode == 0, (argv, ran.stdout, ran.stderr)
        return ran.stdout

    def dvtool(self, place: Path, *argv: str) -> subprocess.CompletedProcess[str]:
        return self.run(place, interpreter() or "", "-m", "dvtool", *argv)

    def dvtool_done(self, place: Path, *argv: str) -> str:
        return self.done(place, interpreter() or "", "-m", "dvtool", *argv)


@contextmanager
def users_place() -> Iterator[Path]:
    """A directory that everybody may enter; the temporary ones of pytest are private to root."""
    place = Path(tempfile.mkdtemp(prefix="dvtool-users-", dir="/tmp"))
    try:
        place.chmod(0o755)
        yield place
    finally:
        shutil.rmtree(place)


def new_user(place: Path, number: int, umask: str = "077") -> User:
    """A user whose home lies below *place*."""
    home = place / f"home{number}"
    home.mkdir(mode=0o755)
    os.chown(home, TEAM + number, TEAM + number)
    return User(number, home, umask)
