"""Every hostile definition against every verb that reads definitions: refused with its place, and nothing started."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hostile.definitions import BOMBS
from tests.hostile.definitions import CASES
from tests.hostile.definitions import TOUCH
from tests.hostile.definitions import Definition
from tests.hostile.scene import Scene
from tests.hostile.test_processes import CPU_SECONDS
from tests.hostile.test_processes import MEASURED
from tests.hostile.test_processes import MEMORY
from tests.hostile.watch import watched
from tests.support.cli import CommandLine

REFUSING = (
    ("dag",), ("stage", "list"), ("plan",), ("why", "a"), ("status",), ("repro", "--dry-run"), ("repro",),
    ("stage", "add", "-n", "b", "echo b"), ("params", "diff"), ("metrics", "show"), ("freeze", "a"),
)  # fmt: skip
NO_GRAPH = {"params", "metrics", "freeze"}
"""Of these, some find nothing wrong in what only the graph of all stages or a template shows."""
LOOKING = (
    ("status",), ("dag",), ("plan",), ("stage", "list"), ("params", "diff"), ("metrics", "show"), ("list", "-R"),
    ("diff",), ("checkout",), ("push",), ("gc", "-w", "--dry-run"), ("fsck",), ("repro", "--dry-run"),
)  # fmt: skip
WHOLE = os.environ.get("DVTOOL_TORTURE") == "1"


@pytest.fixture(scope="module")
def scene(hostile_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    place = tmp_path_factory.mktemp("definitions") / "place"
    shutil.copytree(hostile_template, place, symlinks=True)
    made = Scene(place)
    made.clone()
    assert CommandLine(made.mine)("pull").code == 0
    return made


@contextmanager
def holding(scene: Scene, files: dict[str, str | bytes]) -> Iterator[CommandLine]:
    """The clone with these files in it."""
    for path, content in files.items():
        (scene.mine / path).write_bytes(content.encode() if isinstance(content, str) else content)
    try:
        yield CommandLine(scene.mine)
    finally:
        for path in files:
            (scene.mine / path).unlink()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_is_refused(case: Definition, scene: Scene) -> None:
    before = scene.untouched()
    number = CASES.index(case)
    chosen = [argv for at, argv in enumerate(REFUSING) if WHOLE or at % 6 == number % 6 or argv == ("repro",)]
    with holding(scene, case.files) as cli:
        for argv in chosen:
            with watched(str(scene.outside)) as seen:
                ran = cli(*argv)
            text = f"{case} {argv}: {ran}"[:4_000]
            assert not seen, (text, seen)
            assert ran.code == case.code or (argv[0] in NO_GRAPH and ran.code == 0), text
            assert ran.code == 0 or re.search(case.names, ran.err), text
            assert not scene.marker.exists(), text
    assert scene.untouched() == before


def test_looking_starts_nothing(scene: Scene) -> None:
    files: dict[str, str | bytes] = {
        "dvtool.yaml": f"""\
stages:
  a:
    cmd: {TOUCH}
    deps: [{{cmd: {TOUCH}}}, {{url: "http://127.0.0.1:9/x"}}, {{env: HOME}}]
    outs: [made]
    metrics: [m.json: {{cache: false}}]
  b: {{argv: [touch, ../marker], deps: [made]}}
"""
    }
    before = scene.untouched()
    with holding(scene, files) as cli:
        for argv in LOOKING:
            with watched(str(scene.outside)) as seen:
                ran = cli(*argv)
            assert not seen, (argv, seen)
            assert ran.code in {0, 1}, (argv, ran)
            assert not scene.marker.exists(), argv
    assert scene.untouched() == before


def test_links_are_not_followed(scene: Scene) -> None:
    (scene.mine / "dvtool.yaml").symlink_to("../outside/secret")
    try:
        with watched(str(scene.outside)) as seen:
            ran = CommandLine(scene.mine)("dag")
        assert (ran.code, seen) == (6, [])
    finally:
        (scene.mine / "dvtool.yaml").unlink()
    with holding(scene, {"dvtool.yaml": "stages:\n  a: {cmd: '${a}'}\n"}) as cli:
        (scene.mine / "params.yaml").symlink_to("../outside/secret")
        try:
            ran = cli("dag")
        finally:
            (scene.mine / "params.yaml").unlink()
        assert ran.code == 6, ran
        assert "params.yaml" in ran.err


def test_argv_hands_any_value_on(scene: Scene) -> None:
    value = f"$({TOUCH}); {TOUCH} `{TOUCH}` ' \" \\n"
    files: dict[str, str | bytes] = {
        "dvtool.yaml": "stages:\n  a:\n    argv: [python3, write.py, '${v}']\n    outs: [got]\n",
        "write.py": "import sys\nopen('got', 'w').write(sys.argv[1])\n",
        "params.yaml": "v: '" + value.replace("'", "''") + "'\n",
    }
    with holding(scene, files) as cli:
        ran = cli("repro")
        assert ran.code == 0, ran
        assert (scene.mine / "got").read_text() == value
        assert not scene.marker.exists()
    for name in ("got", "dvtool.lock"):
        (scene.mine / name).unlink()


@pytest.mark.e2e
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little(name: str, scene: Scene) -> None:
    with holding(scene, BOMBS[name]):
        # A process is first charged with the memory of the one that starts it: that has to be a small one.
        ran = subprocess.run(
            [sys.executable, "-S", "-c", MEASURED, sys.executable, "-m", "dvtool", "dag"],
            cwd=scene.mine,
            capture_output=True,
            text=True,
            check=True,
        )
    code, seconds, memory = ran.stdout.split()
    assert int(code) == 9
    assert float(seconds) < CPU_SECONDS
    assert int(memory) << 10 < MEMORY
