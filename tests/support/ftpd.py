"""A real FTP server for the tests: pyftpdlib in a process of its own, started once per session."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import pytest

from tests.support.servers import unavailable

USER = "ann"
PASSWORD = "s3cret-ftp"
# It ends with the tests even if they are killed: then its standard input closes by itself.
_SERVER = """
import sys, threading, os
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import ThreadedFTPServer
root, user, password = sys.argv[1:]
authorizer = DummyAuthorizer()
authorizer.add_user(user, password, root, perm="elradfmwMT")
class Handler(FTPHandler):
    pass
Handler.authorizer = authorizer
server = ThreadedFTPServer(("127.0.0.1", 0), Handler)
print(server.socket.getsockname()[1], flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
server.serve_forever(handle_exit=False)
"""


@dataclass(frozen=True)
class Ftpd:
    """Where the server is; ``root`` is what it serves."""

    port: int
    root: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_url(self, user: str = USER) -> str:
        """The URL of an empty place, without the password."""
        name = f"{os.getpid()}-{next(self.numbers)}"
        (self.root / name).mkdir()
        return f"ftp://{user}@127.0.0.1:{self.port}/{name}"

    @property
    def settings(self) -> dict[str, str]:
        return {"fs_options": f'{{"password": "{PASSWORD}"}}'}


@pytest.fixture(scope="session")
def ftpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ftpd]:
    """A running server; the test is skipped, or failed if servers are required, where there is none."""
    with serving(tmp_path_factory.mktemp("ftpd")) as server:
        yield server


@contextmanager
def serving(directory: Path) -> Iterator[Ftpd]:
    """A server of the files below *directory*, until the end of the block."""
    (directory / "root").mkdir()
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, directory / "root", USER, PASSWORD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            if not port:
                unavailable(f"no FTP server: {(directory / 'log').read_text(errors='replace')[-2000:]}")
            yield Ftpd(int(port), directory / "root")
        finally:
            process.communicate()
