"""A warm process that runs command lines in forks of itself, each with a fault of its own armed in the shim.

Started with the shim preloaded; one JSON request a line on standard input, one JSON answer a line on standard output.
Everything is imported here but nothing is run, so a fork is as fresh as a new process and 300 ms quicker.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import mmap
import os
import pkgutil
import select
import signal
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dvtool

REPORT_BYTES = 4096
_COUNTS = struct.Struct("@ll64s1024s1024s")
_WARM = ("click.shell_completion", "ctypes", "git", "rich.console", "sqlite3", "tempfile", "uuid")
_SECONDS = 120


def main() -> None:
    """Answer until standard input ends."""
    _import_all()
    report = mmap.mmap(-1, REPORT_BYTES)
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line), report)), flush=True)


def _import_all() -> None:
    for module in pkgutil.walk_packages(dvtool.__path__, "dvtool."):
        if module.name != "dvtool.__main__":
            importlib.import_module(module.name)
    for name in _WARM:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _answer(request: dict[str, Any], report: mmap.mmap) -> dict[str, Any]:
    report[:] = bytes(REPORT_BYTES)
    pid = os.fork()
    if pid == 0:
        _child(request, report)
    with _handle(pid) as handle:
        seconds = request["seconds"]
        if not select.select([handle], [], [], seconds or _SECONDS)[0]:
            os.kill(pid, signal.SIGKILL if seconds else signal.SIGABRT)
        _, status = os.waitpid(pid, 0)
    count, fired, *texts = _COUNTS.unpack_from(report)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "count": count,
        "fired": fired,
        **{name: _text(text) for name, text in zip(("call", "path", "rewritten"), texts, strict=True)},
    }


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "backslashreplace")


@contextmanager
def _handle(pid: int) -> Iterator[int]:
    handle = os.pidfd_open(pid)
    try:
        yield handle
    finally:
        os.close(handle)


def _child(request: dict[str, Any], report: mmap.mmap) -> None:
    code = 70
    try:
        for number, path in ((1, request["out"]), (2, request["err"])):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(file, number)
            os.close(file)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
        os.chdir(request["cwd"])
        os.environ.update(request["environ"])
        sys.argv = ["dvtool", *request["argv"]]
        from dvtool.cli.main import main as run

        _arm(request, report)
        code = run()
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
    except BaseException:  # noqa: BLE001
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _arm(request: dict[str, Any], report: mmap.mmap) -> None:
    shim = ctypes.CDLL(None)
    if request["log"]:
        shim.faults_log(os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    arm = shim.faults_arm
    arm.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_int)
    arm.restype = None
    shared = ctypes.addressof(ctypes.c_char.from_buffer(report))
    below = os.fsencode(request["below"]) + b"/"
    arm(shared, below, request["at"], request["mode"], request["error"], request["classes"])


if __name__ == "__main__":
    main()
