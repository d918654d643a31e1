"""The core is silent and blind: it neither prints nor looks at the environment, the home or the clock."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture import sources

OUTSIDE_WORLD = {
    "breakpoint",
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "input",
    "os.environ",
    "os.environb",
    "os.getenv",
    "os.path.expanduser",
    "os.path.expandvars",
    "pathlib.Path.cwd",
    "pathlib.Path.home",
    "print",
    "sys.argv",
    "sys.exit",
    "sys.stderr",
    "sys.stdin",
    "sys.stdout",
    "time.localtime",
    "time.time",
    "time.time_ns",
}

# Calls that exist on some systems only. Everyone else asks dvtool.disk.
SYSTEM_SPECIFIC = {
    "os.copy_file_range",
    "os.posix_fadvise",
    "os.posix_fallocate",
    "os.getxattr",
    "os.setxattr",
    "os.sendfile",
    "os.statvfs",
    "os.sync",
    "os.sysconf",
}

core = pytest.mark.parametrize(
    "module", [m for m in sources.modules() if m.package not in {"cli", "__main__"}], ids=str
)


LIBRARIES_WANT_IT = {
    "dvtool/api/process.py": {"os.environ", "os.path.expanduser"},
    "dvtool/remote/drivers/hdfs.py": {"os.environ"},
}
"""pandas opens dvtool:// with nothing but an URL in its hand. hdfs-native takes the user's name from a variable alone:
it is set for the moment of connecting, under a lock."""


@core
def test_core_is_silent_and_blind(module: sources.Module) -> None:
    assert _uses(module, OUTSIDE_WORLD - LIBRARIES_WANT_IT.get(str(module), set())) == []


@pytest.mark.parametrize("module", [m for m in sources.modules() if m.package not in {"cli", "disk"}], ids=str)
def test_only_disk_makes_system_specific_calls(module: sources.Module) -> None:
    assert _uses(module, SYSTEM_SPECIFIC) == []


def _uses(module: sources.Module, names: set[str]) -> list[str]:
    return [f"{module}:{line}: {name}" for line, name in module.references() if name in names]


@pytest.mark.parametrize(
    "source",
    [
        "print('x')",
        "import os\nos.environ['HOME']",
        "from os import environ as world\nworld.get('HOME')",
        "import time as clock\nclock.time()",
        "from datetime import datetime\ndatetime.now()",
        "def later():\n    from pathlib import Path\n    return Path.home()",
    ],
)
def test_the_walk_sees_every_spelling(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sources.Module(Path("example.py"))
    monkeypatch.setitem(module.__dict__, "tree", ast.parse(source))
    assert [name for _, name in module.references() if name in OUTSIDE_WORLD]
