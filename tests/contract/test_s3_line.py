"""The line to an S3 server: memory, silence, proxies, certificates, what uploads leave."""

from __future__ import annotations

import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path

import pytest

from dvtool.errors import StorageError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.drivers.s3 import open_driver
from dvtool.remote.failures import TransientError
from dvtool.remote.table import open_remote
from tests.faults.proxy import Proxy
from tests.support.seaweed import ACCESS_KEY
from tests.support.seaweed import SECRET_KEY
from tests.support.seaweed import Seaweed
from tests.support.servers import unavailable

ROOT = Path(__file__).parents[2]
LARGE = 256 << 20
MOST_MEMORY_MB = 300

# The high-water mark of this process alone: that of `getrusage` begins with the parent's.
MEASURED = """
import re, sys
from dvtool.cli.main import main
code = main()
print("peak", re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
sys.exit(code)
"""


def peak_mb(cwd: Path, environ: dict[str, str], *argv: str) -> float:
    """The memory in MB that such a command took at most."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *argv],
        cwd=cwd,
        env={**os.environ, **environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rpartition("peak ")[2]) / 1000


def git(cwd: Path, *argv: str) -> None:
    subprocess.run(["git", *argv], cwd=cwd, check=True, capture_output=True)


@pytest.mark.s3
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
def test_memory_does_not_grow_with_the_file(seaweed: Seaweed, tmp_path: Path) -> None:
    repo, clone = tmp_path / "repo", tmp_path / "clone"
    repo.mkdir()
    git(repo, "init", "-q")
    environ = seaweed.environment
    url, endpoint = seaweed.new_url(), seaweed.endpoint
    for argv in (
        ("init",),
        ("remote", "add", "-d", "origin", url),
        ("remote", "modify", "origin", "endpointurl", endpoint),
    ):
        peak_mb(repo, environ, *argv)
    with (repo / "large").open("wb") as file:
        for _ in range(LARGE >> 20):
            file.write(os.urandom(1 << 20))
    peak_mb(repo, environ, "add", "large")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "large")
    pushing = peak_mb(repo, environ, "push")
    git(tmp_path, "clone", "-q", str(repo), str(clone))
    pulling = peak_mb(clone, environ, "pull")
    with (repo / "large").open("rb") as one, (clone / "large").open("rb") as other:
        assert all(part == other.read(1 << 20) for part in iter(lambda: one.read(1 << 20), b""))
    assert (pushing < MOST_MEMORY_MB, pulling < MOST_MEMORY_MB) == (True, True), (pushing, pulling)


@pytest.fixture
def opened() -> Iterator[Callable[..., Remote]]:
    remotes: list[Remote] = []

    def make(url: str, environ: dict[str, str] | None = None, **settings: str) -> Remote:
        remotes.append(open_driver(Address("origin", url, settings, b"/", environ or {})))
        return remotes[-1]

    yield make
    for remote in remotes:
        remote.close()


@pytest.mark.parametrize("size", [1 << 20, 20 << 20])
def test_a_server_that_takes_nothing_is_given_up(opened: Callable[..., Remote], tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(bytes(size))
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        remote = opened(
            "s3://bucket/x",
            endpointurl=f"http://127.0.0.1:{server.getsockname()[1]}",
            region="us-east-1",
            access_key_id="a",
            secret_access_key="b",
            read_timeout="0.3",
        )
        with pytest.raises(TransientError, match="does not answer in time") as caught:
            remote.put_file("data/k", bytes(tmp_path / "file"))
        assert caught.value.overloaded


@pytest.mark.s3
def test_a_file_that_becomes_shorter_is_no_trouble_of_the_network(
    seaweed: Seaweed, opened: Callable[..., Remote], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(20 << 20))
    real = os.pread

    def cut(fd: int, length: int, offset: int) -> bytes:
        return b"" if offset >= 9 << 20 else real(fd, length, offset)

    monkeypatch.setattr(os, "pread", cut)
    remote = opened(seaweed.new_url(), **seaweed.settings)
    with pytest.raises(StorageError, match="became shorter") as caught:
        remote.put_file("data/k", bytes(path))
    assert not isinstance(caught.value, TransientError)
    assert remote.stat("data/k") is None


@pytest.mark.s3
def test_a_storm_of_503_is_waited_out(seaweed: Seaweed, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(20 << 20))
    with Proxy(seaweed.endpoint) as proxy:
        settings = {**seaweed.settings, "endpointurl": proxy.endpoint}
        with closing(open_remote(Address("o", seaweed.new_url(), settings, b"/", {}))) as remote:
            remote.put_file("data/k", bytes(tmp_path / "file"))
            proxy.arm("storm", 2)
            remote.get_file("data/k", bytes(tmp_path / "back"), 20 << 20)
            assert proxy.fired
    assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()


@pytest.mark.s3
def test_the_way_leads_through_the_proxy_of_the_environment(seaweed: Seaweed, opened: Callable[..., Remote]) -> None:
    settings = {**seaweed.settings, "endpointurl": "http://s3.invalid:8333"}
    with Proxy(seaweed.endpoint) as proxy:
        remote = opened(seaweed.new_url(), {"HTTP_PROXY": proxy.endpoint}, **settings)
        remote.put("k", b"by proxy")
        assert remote.get("k") == b"by proxy"
        assert proxy.requests == 2
        direct = opened(seaweed.new_url(), {"HTTP_PROXY": proxy.endpoint}, **{**settings, "proxy": "none"})
        with pytest.raises(TransientError, match=r"s3\.invalid"):
            direct.get("k")
        assert proxy.requests == 2


@pytest.mark.s3
def test_the_environment_of_the_process_is_not_asked(
    seaweed: Seaweed, opened: Callable[..., Remote], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert opened(seaweed.new_url(), **seaweed.settings).put("k", b"x")


@pytest.mark.s3
def test_a_private_authority(seaweed: Seaweed, opened: Callable[..., Remote], tmp_path: Path) -> None:
    ca, key = certificate(tmp_path)
    with tls_before(seaweed.endpoint, ca, key) as endpoint:
        settings = {**seaweed.settings, "endpointurl": endpoint}
        url = seaweed.new_url()
        with pytest.raises(StorageError, match="TLS") as caught:
            opened(url, **settings).put("k", b"x")
        assert "ssl_verify" in str(caught.value.hint)
        assert opened(url, **settings, ssl_verify=str(ca)).put("k", b"x")
        assert opened(url, {"AWS_CA_BUNDLE": str(ca)}, **settings).get("k") == b"x"
        assert opened(url, {"SSL_CERT_FILE": str(ca)}, **settings).get("k") == b"x"
        assert opened(url, **settings, ssl_verify="false").get("k") == b"x"


@pytest.mark.s3
def test_half_finished_uploads_are_found_and_removed(seaweed: Seaweed) -> None:
    from botocore.session import Session

    url = seaweed.new_url()
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    client = Session().create_client(
        "s3",
        endpoint_url=seaweed.endpoint,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )
    with closing(client), closing(open_remote(Address("o", url, seaweed.settings, b"/", {}))) as remote:
        assert remote.capabilities.unfinished
        client.create_multipart_upload(Bucket=bucket, Key=f"{prefix}/data/ab/half")
        client.create_multipart_upload(Bucket=bucket, Key=f"{prefix}-other/data/ab/half")
        [left] = remote.unfinished()  # type: ignore[attr-defined]
        assert left.key == "data/ab/half"
        remote.discard(left)  # type: ignore[attr-defined]
        remote.discard(left)  # type: ignore[attr-defined]
        assert [*remote.unfinished()] == []  # type: ignore[attr-defined]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        unavailable("openssl is not installed")
    ca, key = folder / "ca.pem", folder / "key.pem"
    names = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    argv = [openssl, "req", "-x509", *curve, "-nodes", *names, "-days", "2", "-keyout", str(key), "-out", str(ca)]
    subprocess.run(argv, check=True, capture_output=True)
    return ca, key


@contextmanager
def tls_before(endpoint: str, certificate: Path, key: Path) -> Iterator[str]:
    """An https endpoint that passes on to the http *endpoint*."""
    host, _, port = endpoint.removeprefix("http://").partition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as client,
                socket.create_connection((host, int(port))) as server,
            ):
                back = threading.Thread(target=_pipe, args=(server, client), daemon=True)
                back.start()
                _pipe(client, server)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        source.shutdown(socket.SHUT_RDWR)
