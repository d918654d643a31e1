"""An SSH server's directory against `RemoteSuite`."""

from __future__ import annotations

import gc
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path

import pytest

from dvtool.remote.address import Address
from dvtool.remote.failures import TransientError
from dvtool.remote.table import open_bare
from dvtool.remote.table import open_remote
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.sshd import Sshd

ROOT = Path(__file__).parents[2]
# A process in which nobody has set up logging, as that of a command.
TOLD = """
import gc, sys
from dvtool.remote.address import Address
from dvtool.remote.failures import TransientError
from dvtool.remote.table import open_bare

remote = open_bare(eval(sys.argv[1]))
try:
    remote.put_file("data/k", sys.argv[2].encode())
except TransientError:
    remote.close()
    gc.collect()
else:
    sys.exit(1)
"""


class TestSsh(RemoteSuite):
    @pytest.fixture
    def address(self, sshd: Sshd) -> Address:
        return Address("origin", sshd.new_url(), sshd.settings, b"/", sshd.environment)

    @pytest.fixture
    def open_absent(self, sshd: Sshd) -> OpenClient:
        url = sshd.url("/no such/directory")
        return lambda: open_bare(Address("origin", url, sshd.settings, b"/", sshd.environment))


class TestSshAsUsed(TestSsh):
    many = 16

    @pytest.fixture
    def open_client(self, address: Address) -> OpenClient:
        return lambda: open_remote(address)


@contextmanager
def cut_after(sshd: Sshd, count: int) -> Iterator[int]:
    """A port that leads to the server until *count* bytes went there; then the line is cut."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            left = count
            with socket.create_connection(("127.0.0.1", sshd.port)) as server:
                back = threading.Thread(target=self.pass_on, args=(server, self.request), daemon=True)
                back.start()
                while left > 0 and (data := self.request.recv(min(left, 1 << 16))):
                    left -= len(data)
                    server.sendall(data)
                for end in (self.request, server):
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
                back.join()

        @staticmethod
        def pass_on(source: socket.socket, target: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(1 << 16):
                    target.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as relay:
        serving = threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        try:
            yield relay.server_address[1]
        finally:
            relay.shutdown()
            serving.join()


def test_of_a_line_that_is_cut_only_the_error_tells(
    sshd: Sshd, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whatever was under way then is given up in silence: asyncio would print failures that nobody asked for."""
    (tmp_path / "large").write_bytes(bytes(range(256)) * (1 << 16))
    with cut_after(sshd, 6 << 20) as port:
        (tmp_path / ".ssh").mkdir()
        (tmp_path / ".ssh/known_hosts").write_text(sshd.line.replace(f":{sshd.port} ", f":{port} "))
        url = sshd.new_url().replace(f":{sshd.port}/", f":{port}/")
        address = Address("origin", url, sshd.settings, b"/", {**sshd.environment, "HOME": str(tmp_path)})
        with closing(open_bare(address)) as remote, pytest.raises(TransientError):
            remote.put_file("data/k", bytes(tmp_path / "large"))
        subprocess.run([sys.executable, "-c", TOLD, repr(address), tmp_path / "large"], check=True, cwd=ROOT)
    gc.collect()
    assert [record.message for record in caplog.records if "retrieved" in record.message] == []
    assert capfd.readouterr().err == ""
