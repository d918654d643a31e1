"""A real SSH server for the tests: OpenSSH's sshd, started once per session."""

from __future__ import annotations

import getpass
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

# sshd ends with the tests even if they are killed: then the pipe closes by itself.
_UNTIL_STDIN_CLOSES = '"$@" </dev/null & server=$!; cat; kill -9 $server'
_SYSTEM = f"{os.defpath}:/usr/sbin:/usr/local/sbin"
_POLLS = 400
_POLL_SECONDS = 0.025


@dataclass(frozen=True)
class Sshd:
    """Where the server is. It lets in who holds the private key ``keyfile``; ``root`` is an empty directory of it.

    ``home`` is that of a user who knows the server's key and has no key of their own.
    """

    port: int
    root: Path
    keyfile: Path
    home: Path
    authorized: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def settings(self) -> dict[str, str]:
        return {"keyfile": os.fspath(self.keyfile)}

    @property
    def environment(self) -> dict[str, str]:
        """That user's variables."""
        return {"HOME": os.fspath(self.home), "SSH_AUTH_SOCK": "", "USER": getpass.getuser()}

    @property
    def line(self) -> str:
        """What stands in ``known_hosts`` of who knows it."""
        return (self.home / ".ssh/known_hosts").read_text()

    def new_url(self) -> str:
        """The URL of an empty place."""
        place = self.root / f"{os.getpid()}-{next(self.numbers)}"
        place.mkdir()
        return self.url(place)

    def url(self, place: Path | str, host: str = "127.0.0.1") -> str:
        """*place* on this server."""
        return f"ssh://{host}:{self.port}{place}"


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A running server; the test is skipped, or failed if servers are required, where there is none."""
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@contextmanager
def serving(directory: Path, more: str = "") -> Iterator[Sshd]:
    """A server with files in *directory*, until the end of the block. *more*: lines of its configuration."""
    program = shutil.which("sshd", path=_SYSTEM)
    if program is None:
        unavailable("sshd is not installed: apt-get install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    for part in ("root", "home/.ssh"):
        (directory / part).mkdir(parents=True)
    for name in ("host", "key"):
        new_key(directory / name)
    shutil.copy(directory / "key.pub", directory / "authorized")
    port = _free_port()
    public = " ".join((directory / "host.pub").read_text().split()[:2])
    (directory / "home/.ssh/known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    (directory / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nPidFile none\n"
        f"AuthorizedKeysFile {directory}/authorized\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100:30:200\n"
        f"Subsystem sftp internal-sftp\n{more}"
    )
    log = (directory / "log").open("wb")
    process = subprocess.Popen(
        ["/bin/sh", "-c", _UNTIL_STDIN_CLOSES, "sh", program, "-D", "-e", "-f", directory / "sshd_config"],
        env={"PATH": _SYSTEM},
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        if not _answers(port, process):
            unavailable(f"sshd did not start: {(directory / 'log').read_text(errors='replace')[-2000:]}")
        yield Sshd(port, directory / "root", directory / "key", directory / "home", directory / "authorized")
    finally:
        process.communicate()
        log.close()


def new_key(path: Path, passphrase: str = "", kind: str = "ed25519") -> None:
    """Make a pair of keys: *path* and *path*.pub."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "tests", "-f", os.fspath(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    pause = threading.Event()
    for _ in range(_POLLS):
        if process.poll() is not None:
            return False
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
                return line.recv(4) == b"SSH-"
        except OSError:
            pause.wait(_POLL_SECONDS)
    return False


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
