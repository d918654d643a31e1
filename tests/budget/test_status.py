"""What a clean `status` may cost, counted: modules, processes, files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dvtool.formats.lock import Content
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import encode_lock
from dvtool.formats.pointer import decode_pointer
from tests.support.workbench import Workbench

HEAVY = (
    "git",
    "gitdb",
    "fsspec",
    "s3fs",
    "aiobotocore",
    "rich",
    "concurrent.futures",
    "hashlib",
    "_hashlib",
    "asyncio",
    "ssl",
    "socket",
    "pathspec",
)
GIT_PROCESSES = 3


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    made = Workbench(tmp_path / "repo")
    made.track({"data": {f"d{n}": {f"f{m}": f"{n} {m}" for m in range(20)} for n in range(5)}, "one.csv": "a,b\n"})
    made.settle()
    return made


def run(bench: Workbench, *argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dvtool", *argv]
    # Git's variables of the hermetic world make dvtool ask Git where the repository is: one process more.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | environ
    return subprocess.run(command, cwd=bench.root, env=env, capture_output=True, text=True, check=True)


def report(bench: Workbench) -> Any:
    return json.loads(run(bench, "status", "--json").stdout)


def imported(bench: Workbench, *argv: str) -> set[str]:
    script = (
        "import sys\nfrom dvtool.cli.main import main\n"
        f"sys.argv = ['dvtool', *{argv!r}]\ncode = main()\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\nsys.exit(code)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=bench.root, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


@pytest.mark.parametrize("argv", [("status",), ("status", "--json"), ("status", "data/d1")], ids=" ".join)
def test_a_clean_status_imports_nothing_heavy(bench: Workbench, argv: tuple[str, ...]) -> None:
    modules = imported(bench, *argv)
    assert "dvtool.api.status" in modules
    assert sorted(modules & set(HEAVY)) == []


def test_status_in_an_empty_project_imports_nothing_heavy(tmp_path: Path) -> None:
    assert sorted(imported(Workbench(tmp_path / "repo"), "status") & set(HEAVY)) == []


def git_processes(bench: Workbench, tmp_path: Path, *argv: str) -> list[str]:
    """The git commands that one dvtool command starts."""
    real = subprocess.run(["sh", "-c", "command -v git"], capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "bin").mkdir(exist_ok=True)
    wrapper = tmp_path / "bin/git"
    log = tmp_path / "git.log"
    log.write_text("")
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> "{log}"\nexec "{real}" "$@"\n')
    wrapper.chmod(0o755)
    run(bench, *argv, PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return log.read_text().splitlines()


def test_a_clean_status_starts_few_git_processes(bench: Workbench, tmp_path: Path) -> None:
    started = git_processes(bench, tmp_path, "status")
    assert 1 <= len(started) <= GIT_PROCESSES, started


def test_more_tracked_paths_start_no_more_git_processes(bench: Workbench, tmp_path: Path) -> None:
    before = git_processes(bench, tmp_path, "status")
    bench.track({f"many-{number}.csv": str(number) for number in range(20)})
    assert len(git_processes(bench, tmp_path, "status")) == len(before)


def test_files_hashed_by_status(bench: Workbench) -> None:
    assert (report(bench)["files_seen"], report(bench)["files_hashed"]) == (101, 0)
    (bench.root / "data/d1/f1").write_text("changed")
    assert report(bench)["files_hashed"] == 1
    bench.settle()
    assert report(bench)["files_hashed"] == 0


def test_files_hashed_by_add(bench: Workbench) -> None:
    (bench.root / "data/d1/f1").write_text("changed")
    done = json.loads(run(bench, "add", "--json", "data").stdout)
    assert (done["files"], done["hashed"]) == (100, 1)
    bench.settle()
    assert json.loads(run(bench, "add", "--json", "data").stdout)["hashed"] == 0


def test_files_hashed_after_another_version_came(bench: Workbench) -> None:
    bench.git("tag", "v1")
    (bench.root / "data/d1/f1").write_text("changed")
    bench.add("data")
    bench.commit("v2")
    for version in ("v1", "main", "v1"):
        bench.git("checkout", "-q", version)
        run(bench, "checkout")
        assert report(bench)["files_hashed"] == 0


def test_status_without_pipelines_imports_nothing_of_them(bench: Workbench) -> None:
    assert [name for name in imported(bench, "status") if name.startswith("dvtool.pipeline")] == []


def test_status_with_stages_starts_no_more_git_processes_and_hashes_nothing(bench: Workbench, tmp_path: Path) -> None:
    before = git_processes(bench, tmp_path, "status")
    (bench.root / "dvtool.yaml").write_text("stages:\n  one:\n    cmd: touch out\n    deps: [data]\n    outs: [out]\n")
    bench.commit()
    assert len(git_processes(bench, tmp_path, "status")) == len(before)
    assert report(bench)["files_hashed"] == 0
    assert sorted(imported(bench, "status") & set(HEAVY)) == []


def test_outputs_of_stages_cost_what_tracked_paths_do(bench: Workbench, tmp_path: Path) -> None:
    before = git_processes(bench, tmp_path, "status")
    outs = {}
    bench.track({f"out-{number}": str(number) for number in range(20)})
    for pointer_file in sorted(bench.root.glob("out-*.dvt")):
        pointer = decode_pointer(pointer_file.read_bytes(), "x")
        outs[pointer.name] = Content(pointer.kind, pointer.digest, pointer.size)
        pointer_file.unlink()
    (bench.root / "dvtool.lock").write_bytes(encode_lock({"s": LockedStage(("true",), outs=outs)}))
    bench.commit()
    bench.settle()
    assert len(git_processes(bench, tmp_path, "status")) == len(before)
    assert (report(bench)["files_seen"], report(bench)["files_hashed"]) == (121, 0)
    assert sorted(imported(bench, "status") & set(HEAVY)) == []
