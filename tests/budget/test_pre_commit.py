"""What a commit without data costs: the hook runs at each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.hookrepo import HookRepo
from tests.support.hookrepo import make

PROGRAM = """
import json, sys
from dvtool.cli.main import main
code = main()
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
sys.exit(code)
"""
HEAVY = {"asyncio", "blake3", "fsspec", "git", "rich", "sqlite3", "tempfile", "yaml", "zstandard"}


def cost(repo: HookRepo) -> tuple[set[str], list[str]]:
    """Modules loaded, and the commands of Git that were run."""
    trace = repo.at.parent / "trace"
    trace.unlink(missing_ok=True)
    env = {**os.environ, "GIT_TRACE": str(trace)}
    # With a limit for its search, Git itself is asked where the repository is.
    env.pop("GIT_CEILING_DIRECTORIES", None)
    argv = [sys.executable, "-c", PROGRAM, "git-hook", "pre-commit"]
    done = subprocess.run(argv, cwd=repo.at, env=env, capture_output=True, text=True, check=True)
    calls = [
        line.split("trace: built-in: git ")[1] for line in trace.read_text().splitlines() if "built-in: git" in line
    ]
    return set(json.loads(done.stderr)), [call.split()[0] for call in calls]


def test_it_asks_git_four_times_and_loads_little(tmp_path: Path) -> None:
    repo = make(tmp_path / "here")
    repo.write({"below": {"code.py": "1\n"}})
    repo.git("add", "-A")
    modules, calls = cost(repo)
    assert not HEAVY & modules
    assert len(calls) <= 4, calls


def test_nothing_staged_costs_less(tmp_path: Path) -> None:
    repo = make(tmp_path / "here")
    _, calls = cost(repo)
    assert len(calls) <= 2, calls
