"""Who imports whom, and what a start costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.architecture import sources

# Third-party and system modules, and the only packages of dvtool that may import them.
OWNERS = {
    "click": {"cli"},
    "ctypes": {"disk"},
    "fcntl": {"disk"},
    "fsspec": {"api", "remote"},  # the API is a file system itself: dvtool://
    "git": {"git"},
    "msvcrt": {"disk"},
    "rich": {"cli", "ui"},
    "s3fs": {"remote"},
    "sqlite3": {"state"},
    "yaml": {"formats", "pipeline"},
}

# Over pipes that nobody else can open, between two processes of one command; never from a file.
BETWEEN_OWN_PROCESSES = {"dvtool/disk/crew.py": {"marshal"}}

# Reading them back can run code, or the format belongs to one interpreter.
FORBIDDEN = {"cloudpickle", "dill", "marshal", "pickle", "shelve"}

SLOW_TO_IMPORT = {"aiobotocore", "fsspec", "git", "rich", "s3fs", "sqlite3", "yaml"}


def test_import_contracts_hold() -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=sources.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("module", sources.modules(), ids=str)
def test_third_party_module_stays_in_its_package(module: sources.Module) -> None:
    strangers = {name for name in module.imported() if module.package not in OWNERS.get(name, {module.package})}
    assert not strangers


@pytest.mark.parametrize("module", sources.modules(), ids=str)
def test_nothing_is_unpickled(module: sources.Module) -> None:
    assert not (FORBIDDEN - BETWEEN_OWN_PROCESSES.get(str(module), set())) & module.imported()


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]], ids=" ".join)
def test_start_loads_only_what_it_shows(arguments: list[str]) -> None:
    program = (
        "import json, sys\n"
        "from dvtool.cli.main import main\n"
        "try:\n"
        "    sys.exit(main())\n"
        "finally:\n"
        "    sys.stdout.flush()\n"
        "    print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=sources.ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    loaded = set(json.loads(run.stderr.splitlines()[-1]))
    assert "dvtool.cli.main" in loaded
    assert not SLOW_TO_IMPORT & loaded
