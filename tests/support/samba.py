"""A real SMB server for the tests: Samba's smbd, started once per session."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import pytest

from tests.support.servers import unavailable

PASSWORD = "s3cret-samba"
_USER = "root"
# smbd ends with the tests even if they are killed: then the pipe closes by itself.
_UNTIL_STDIN_CLOSES = 'setsid "$@" </dev/null & server=$!; cat; kill -9 -$server'
_SYSTEM = f"{os.defpath}:/usr/sbin:/usr/local/sbin"
_POLLS = 400
_POLL_SECONDS = 0.025


@dataclass(frozen=True)
class Samba:
    """Where the server is. ``root`` is the directory of its share ``share``."""

    port: int
    root: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def settings(self) -> dict[str, str]:
        return {"user": _USER, "password": PASSWORD}

    def new_url(self) -> str:
        """The URL of an empty place."""
        place = self.root / f"{os.getpid()}-{next(self.numbers)}"
        place.mkdir()
        return self.url(place.name)

    def url(self, place: str, share: str = "share") -> str:
        """*place* in a share of this server."""
        return f"smb://127.0.0.1:{self.port}/{share}/{place}"


@pytest.fixture(scope="session")
def samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    """A running server; the test is skipped, or failed if servers are required, where there is none."""
    with serving(tmp_path_factory.mktemp("samba")) as server:
        yield server


@contextmanager
def serving(directory: Path) -> Iterator[Samba]:
    """A server with files in *directory*, until the end of the block."""
    program = shutil.which("smbd", path=_SYSTEM)
    if program is None or shutil.which("smbpasswd", path=_SYSTEM) is None:
        unavailable("smbd is not installed: apt-get install samba")
    if os.geteuid() != 0:
        unavailable("smbd needs root")
    for part in ("share", "private", "lock", "state", "cache", "pid", "nc"):
        (directory / part).mkdir()
    port = _free_port()
    conf = directory / "smb.conf"
    conf.write_text(_configuration(directory, port))
    add = ["smbpasswd", "-c", os.fspath(conf), "-a", "-s", _USER]
    environment = {"PATH": _SYSTEM}
    subprocess.run(add, input=f"{PASSWORD}\n{PASSWORD}\n".encode(), env=environment, check=True, capture_output=True)
    log = (directory / "log").open("wb")
    process = subprocess.Popen(
        ["/bin/sh", "-c", _UNTIL_STDIN_CLOSES, "sh", program, "--foreground", "--no-process-group", "-s", conf],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        if not _answers(port, process):
            unavailable(f"smbd did not start: {(directory / 'log').read_text(errors='replace')[-2000:]}")
        yield Samba(port, directory / "share")
    finally:
        process.communicate()
        log.close()


def _configuration(directory: Path, port: int) -> str:
    return f"""[global]
 server role = standalone server
 interfaces = 127.0.0.1/8
 bind interfaces only = yes
 smb ports = {port}
 private dir = {directory}/private
 lock directory = {directory}/lock
 state directory = {directory}/state
 cache directory = {directory}/cache
 pid directory = {directory}/pid
 ncalrpc dir = {directory}/nc
 log file = {directory}/log
 map to guest = never
 disable netbios = yes
 load printers = no
 printing = bsd
 mangled names = no
 rpc start on demand helpers = false
[share]
 path = {directory}/share
 read only = no
 force user = {_USER}
[readonly]
 path = {directory}/share
 read only = yes
"""


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    pause = threading.Event()
    for _ in range(_POLLS):
        if process.poll() is not None:
            return False
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return True
        except OSError:
            pause.wait(_POLL_SECONDS)
    return False


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
