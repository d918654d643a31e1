"""The installed command on a few hostile repositories: what it costs, and which programs the kernel saw start."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile import pointers
from tests.hostile import remotes
from tests.hostile import settings
from tests.hostile import trees
from tests.hostile import worktrees
from tests.hostile.scene import Scene

pytestmark = pytest.mark.e2e

CASES = {case.name: case for module in (pointers, trees, settings, worktrees, remotes) for case in module.cases()}
BOMBS = [name for name in CASES if name.startswith("pointer-yaml-") or "megabytes" in name or "decompression" in name]
TRACED = ("modules-and-programs", "config-url-git-transport", "pointer-path-parent", "links-that-lead-out")
CPU_SECONDS = 2.0
MEMORY = 200 << 20
MEASURED = """
import resource, subprocess, sys
ran = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(ran.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def made(name: str, template: Path, place: Path) -> Scene:
    shutil.copytree(template, place, symlinks=True)
    scene = Scene(place)
    CASES[name].build(scene)
    scene.commit()
    scene.clone()
    CASES[name].after(scene)
    return scene


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little(name: str, hostile_template: Path, tmp_path: Path) -> None:
    scene = made(name, hostile_template, tmp_path / "place")
    # A process is first charged with the memory of the one that starts it: that has to be a small one.
    ran = subprocess.run(
        [sys.executable, "-S", "-c", MEASURED, sys.executable, "-m", "dvtool", "pull"],
        cwd=scene.mine,
        capture_output=True,
        text=True,
        check=True,
    )
    code, seconds, memory = ran.stdout.split()
    assert int(code) in {0, 3, 4, 6, 9}
    assert float(seconds) < CPU_SECONDS
    assert int(memory) << 10 < MEMORY


@pytest.mark.skipif(shutil.which("strace") is None, reason="there is no strace")
@pytest.mark.parametrize("name", TRACED)
def test_the_kernel_sees_git_alone_started(name: str, hostile_template: Path, tmp_path: Path) -> None:
    scene = made(name, hostile_template, tmp_path / "place")
    git = shutil.which("git")
    dvtool = shutil.which("dvtool")
    assert git is not None
    assert dvtool is not None
    for verb in (("status",), ("pull",), ("checkout", "--force"), ("push",)):
        log = tmp_path / "trace"
        subprocess.run(
            ["strace", "-f", "-qq", "-e", "trace=execve,connect", "-o", log, dvtool, *verb],
            cwd=scene.mine,
            capture_output=True,
            check=False,
        )
        text = log.read_text()
        programs = {os.path.basename(path) for path in re.findall(r'execve\("([^"]+)".* = 0$', text, re.MULTILINE)}
        assert programs <= {"dvtool", "git", os.path.basename(sys.executable)}, (verb, programs)
        assert "AF_INET" not in text, verb
        assert not scene.marker.exists()
