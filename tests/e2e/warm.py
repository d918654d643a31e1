"""A process that has imported dvtool and runs each command line in a fork of itself.

What runs is the installed command's own entry point in a process of its own; only the start is 150 ms
quicker. One JSON request a line on standard input, the exit code a line on standard output.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import NoReturn


class Warm:
    """The hand to such a process; *files* is where its commands' output goes."""

    def __init__(self, process: subprocess.Popen[str], files: Path) -> None:
        self._process = process
        self._out, self._err = files / "out", files / "err"

    def run(self, directory: Path, argv: Sequence[str], environ: dict[str, str]) -> tuple[int, bytes, bytes]:
        """Exit code, standard output, standard error of ``dvtool ARGV``."""
        request = {
            "argv": ["dvtool", *argv],
            "cwd": str(directory),
            "environ": environ,
            "streams": [os.devnull, str(self._out), str(self._err)],
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline()), self._out.read_bytes(), self._err.read_bytes()


@contextlib.contextmanager
def warm_process(files: Path) -> Iterator[Warm]:
    """Started now, ended with the block."""
    argv = [sys.executable, __file__]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Warm(process, files)


def _main() -> None:
    import dvtool

    for module in pkgutil.walk_packages(dvtool.__path__, "dvtool."):
        if module.name != "dvtool.__main__":
            importlib.import_module(module.name)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _child(json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _child(request: dict[str, Any]) -> NoReturn:
    code = 70
    try:
        for number, path in enumerate(request["streams"]):
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(file, number)
            os.close(file)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environ"])
        sys.argv = request["argv"]
        from dvtool.cli.main import main

        code = main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _main()
