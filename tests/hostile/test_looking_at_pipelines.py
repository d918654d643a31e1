"""Verbs that look at pipelines start no process but Git, whatever the repository says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import git_project

DEFINITION = """\
vars:
- word: "x; touch MARKER"
stages:
  one:
    cmd: touch MARKER
    deps:
    - in
    - cmd: touch MARKER
    - url: http://127.0.0.1:9/
    - env: SECRET
    outs: [out]
  two:
    cmd: echo ${word} > two
    deps: [out]
    outs: [two]
  "$(touch MARKER)":
    argv: [touch, MARKER]
    outs: ["$(touch MARKER).txt"]
"""
SCRIPT = """
import json, sys
started = []
def seen(event, args):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec"):
        started.append(str(args[0]) if event != "os.exec" else str(args[0]))
    elif event in ("os.system", "os.fork", "os.forkpty", "socket.connect", "pty.spawn"):
        started.append(event)
sys.addaudithook(seen)
from dvtool.cli.main import main
sys.argv = ["dvtool", *json.loads(sys.argv[1])]
code = main()
print(json.dumps([code, [each.rpartition("/")[2] for each in started]]), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = git_project(tmp_path_factory.mktemp("hostile") / "repo").at
    (made / "dvtool.yaml").write_text(DEFINITION)
    (made / "in").write_text("")
    subprocess.run(["git", "add", "-A"], cwd=made, check=True)
    subprocess.run(["git", "commit", "-qm", "theirs"], cwd=made, check=True)
    return made


@pytest.mark.parametrize(
    "argv",
    [
        ("status",),
        ("plan", "-P", "-v"),
        ("plan", "--pull", "-o", "p"),
        ("dag",),
        ("dag", "--outs", "--dot"),
        ("why",),
        ("why", "out"),
        ("stage", "list", "--all", "--json"),
        ("freeze", "one"),
        ("unfreeze", "one"),
        ("repro", "--dry-run"),
    ],
    ids=" ".join,
)
def test_nothing_but_git_is_started(place: Path, argv: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(argv)],
        cwd=place,
        env=os.environ | {"SECRET": "s3cret"},
        capture_output=True,
        text=True,
        check=False,
    )
    code, started = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    assert set(started) <= {"git"}
    assert not (place / "MARKER").exists()
    assert "s3cret" not in done.stdout
