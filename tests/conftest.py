"""The hermetic world of every test: nothing of the machine's user, Git or cloud settings gets in."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings

from tests.support import servers

FOREIGN = ("GIT_", "AWS_", "CLOUDSDK_", "DVTOOL_", "GDRIVE_", "GOOGLE_", "HF_", "XDG_")
FOREIGN_NAMES = {
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "ci",
    "clicolor_force",
    "force_color",
    "netrc",
    "pythonwarnings",
}

GIT_SETTINGS = {
    "init.defaultBranch": "main",
    "commit.gpgsign": "false",
    "tag.gpgsign": "false",
    "gc.auto": "0",
    "core.fsync": "none",
}

WHEN = "2026-01-02T03:04:05+00:00"

# Whoever starts the tests in the background of a script makes them ignore Ctrl-C, and every process of theirs too:
# a test that interrupts one would then wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Time is never asserted, and a slow machine is no failure.
settings.register_profile("dvtool", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("dvtool"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dvtool")


def hermetic_environment(world: Path) -> dict[str, str]:
    """The variables that every test and every process it starts sees; directories lie in *world*."""
    identity = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", "Test"), ("EMAIL", "test@example.org"), ("DATE", WHEN))
    }
    git = {"GIT_CONFIG_COUNT": str(len(GIT_SETTINGS))}
    for number, (key, value) in enumerate(GIT_SETTINGS.items()):
        git[f"GIT_CONFIG_KEY_{number}"] = key
        git[f"GIT_CONFIG_VALUE_{number}"] = value
    return {
        # `dvtool`, `git dvtool` and `weed` of this environment come first, whether it is activated or not.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(world / "home"),
        "TMPDIR": str(world / "tmp"),
        "XDG_CACHE_HOME": str(world / "xdg/cache"),
        "XDG_CONFIG_HOME": str(world / "xdg/config"),
        "XDG_CONFIG_DIRS": str(world / "xdg/system"),
        "XDG_DATA_HOME": str(world / "xdg/data"),
        "XDG_RUNTIME_DIR": str(world / "xdg/runtime"),
        "XDG_STATE_HOME": str(world / "xdg/state"),
        # Not os.devnull: `git config --global`, run by root, would put a file in the place of the device.
        "GIT_CONFIG_GLOBAL": str(world / "home/.gitconfig"),
        "GIT_CONFIG_SYSTEM": str(world / "home/.gitconfig-system"),
        "GIT_TEMPLATE_DIR": str(world / "git-template"),
        "GIT_ALLOW_PROTOCOL": "file",
        "GIT_CEILING_DIRECTORIES": str(world.parent),
        "GIT_TERMINAL_PROMPT": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "TZ": "UTC",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        **identity,
        **git,
    }


def make_directories(environment: dict[str, str], world: Path) -> None:
    """Those of `hermetic_environment` that lie in *world*."""
    for name, value in environment.items():
        if value.startswith(f"{world}/") and not name.startswith("GIT_CONFIG_"):
            Path(value).mkdir(parents=True)


@pytest.fixture(scope="session", autouse=True)
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Replaces the environment for the whole session and starts in an empty directory outside any repository."""
    root = tmp_path_factory.mktemp("world")
    environment = hermetic_environment(root)
    make_directories(environment, root)
    nowhere = root / "nowhere"
    nowhere.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(FOREIGN) or name.lower() in FOREIGN_NAMES:
                patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(tempfile, "tempdir", None)
        patch.setattr(socket.socket, "connect", _loopback_only(socket.socket.connect))
        patch.chdir(nowhere)
        yield root


class LeftTheMachine(Exception):
    """A test tried to reach a host other than this one."""


def _loopback_only(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6} and not servers.is_loopback(str(address[0])):
            raise LeftTheMachine(f"a test must not connect to {address}")
        return connect(self, address)

    return guarded
