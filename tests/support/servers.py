"""What a test does when a server that it needs cannot be had."""

from __future__ import annotations

import ipaddress
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

# Read at import: the hermetic world removes every DVTOOL_ variable before the first test.
REQUIRED = os.environ.get("DVTOOL_REQUIRE_SERVERS") == "1"

# A server ends with the tests even if they are killed: then the pipe closes by itself.
_UNTIL_STDIN_CLOSES = '"$@" </dev/null & server=$!; cat; kill -9 $server'
_READY_POLLS = 4800
_POLL_SECONDS = 0.025


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where ``DVTOOL_REQUIRE_SERVERS=1``."""
    if REQUIRED:
        pytest.fail(f"DVTOOL_REQUIRE_SERVERS=1, but {reason}", pytrace=False)
    pytest.skip(reason)


def is_loopback(host: str) -> bool:
    """Whether *host* (a name or an address) is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def running(name: str, argv: Sequence[str | Path], port: int, directory: Path, **environ: str) -> Iterator[None]:
    """The program *argv*, which listens on *port* of 127.0.0.1, in *directory*, until the end of the block."""
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _UNTIL_STDIN_CLOSES, "sh", *argv],
            cwd=directory,
            env={"PATH": os.defpath, "HOME": str(directory), **environ},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            if not _is_open(port, process):
                unavailable(f"{name} did not start: {log.read_text(errors='replace')[-2000:]}")
            yield
        finally:
            process.communicate()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nothing listens."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _is_open(port: int, process: subprocess.Popen[bytes]) -> bool:
    pause = threading.Event()
    for _ in range(_READY_POLLS):
        if process.poll() is not None:
            return False
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        pause.wait(_POLL_SECONDS)
    return False
