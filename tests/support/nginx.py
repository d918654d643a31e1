"""A real HTTP and WebDAV server for the tests: nginx from Debian, started once per session.

Every place is a directory below one root, which nginx serves in several ways. `HOWS` names them.
"""

from __future__ import annotations

import http.client
import itertools
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import pytest

from tests.support.servers import unavailable

USER = "ann"
PASSWORD = "s3cret-nginx"
TOKEN = "t0ken-nginx"
HEADER = "X-Auth-Token"
_MODULE = Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so")
_DAV = (
    "dav_methods PUT DELETE MKCOL COPY MOVE; dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK; dav_ext_lock zone=locks;"
    " dav_access user:rw;"
)
_BASIC = "auth_basic data; auth_basic_user_file passwords;"
HOWS = {
    "files": "",
    "files-login": _BASIC,
    "files-header": f'if ($http_x_auth_token != "{TOKEN}") {{ return 403; }}',
    "files-whole": "max_ranges 0;",
    "files-listed": "autoindex on;",
    "dav": _DAV,
    "dav-login": _DAV + _BASIC,
    "dav-token": _DAV + f'if ($http_authorization != "Bearer {TOKEN}") {{ return 401; }}',
    "dav-readonly": "dav_ext_methods PROPFIND OPTIONS;",
}
"""First part of the path, and what nginx's configuration says of it. `moved` redirects to `files`, `busy` says 503."""
# nginx ends with the tests even if they are killed: then the pipe closes by itself.
_UNTIL_STDIN_CLOSES = '"$@" </dev/null & server=$!; cat; kill -9 $server'
_READY_POLLS = 400
_POLL_SECONDS = 0.025


@dataclass(frozen=True)
class Nginx:
    """Where the server is. ``root`` is what it serves; ``authority`` the certificate that signs for ``tls_port``."""

    port: int
    tls_port: int
    root: Path
    log: Path
    authority: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def new_place(self) -> str:
        """The name of an empty directory, new for each test."""
        name = f"{os.getpid()}-{next(self.numbers)}"
        (self.root / name).mkdir()
        return name

    def url(self, place: str, how: str = "files", scheme: str = "http") -> str:
        """The URL of *place*, served as *how*, one of `HOWS`; over TLS where *scheme* ends in s."""
        port = self.tls_port if scheme.endswith("s") else self.port
        return f"{scheme}://127.0.0.1:{port}/{how}/{place}"

    def directory(self, place: str) -> Path:
        """The same place on the disk."""
        return self.root / place

    def requests(self, place: str) -> list[str]:
        """``METHOD PATH STATUS`` of every request about *place* so far, in order.

        The server writes a line after it has answered: its one worker has written all of them when it
        has written the line of a request that is made here.
        """
        marker = f"/marker-{next(self.numbers)}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("HEAD", marker)
        connection.getresponse().read()
        connection.close()
        until = time.monotonic() + 30
        while marker not in (text := self.log.read_text()):
            assert time.monotonic() < until, "the server writes no log"
            time.sleep(0.01)
        return [line for line in text.splitlines() if f"/{place}" in line]


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """A running server; the test is skipped, or failed if servers are required, where there is none."""
    with serving(tmp_path_factory.mktemp("nginx")) as server:
        yield server


@contextmanager
def serving(directory: Path) -> Iterator[Nginx]:
    """A server that keeps its files in *directory*, until the end of the block."""
    program = shutil.which("nginx", path=f"{os.defpath}:/usr/sbin:/usr/local/sbin")
    if program is None or not _MODULE.is_file():
        unavailable("nginx is not installed: apt-get install nginx-light libnginx-mod-http-dav-ext")
    root = directory / "root"
    root.mkdir()
    _certify(directory)
    port, tls_port = _free_ports(2)
    (directory / "passwords").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    (directory / "nginx.conf").write_text(_configuration(directory, port, tls_port))
    log = (directory / "output").open("wb")
    process = subprocess.Popen(
        ["/bin/sh", "-c", _UNTIL_STDIN_CLOSES, "sh", program, "-p", directory, "-c", "nginx.conf", "-e", "error.log"],
        env={"PATH": os.defpath},
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        if not _answers(f"http://127.0.0.1:{port}/files/", process):
            unavailable(f"nginx did not start: {(directory / 'output').read_text(errors='replace')[-2000:]}")
        yield Nginx(port, tls_port, root, directory / "access.log", directory / "authority.pem")
    finally:
        process.communicate()
        log.close()


def _configuration(directory: Path, port: int, tls_port: int) -> str:
    temporary = "".join(
        f"{kind}_temp_path {directory}/tmp-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    locations = "".join(f"location /{how}/ {{ alias {directory}/root/; {said} }}\n" for how, said in HOWS.items())
    return f"""
load_module {_MODULE}; daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
  {temporary} client_max_body_size 0; sendfile on; dav_ext_lock_zone zone=locks:1m; types {{ }}
  log_format short '$request_method $request_uri $status'; access_log {directory}/access.log short;
  server {{
    listen 127.0.0.1:{port}; listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {directory}/server.pem; ssl_certificate_key {directory}/server.key;
    {locations}
    location /moved/ {{ rewrite ^/moved/(.*)$ /files/$1 redirect; }}
    location /busy/ {{ add_header Retry-After 1 always; return 503; }}
  }}
}}
"""


def _certify(directory: Path) -> None:
    """A certificate of this server, and the authority that signed it."""
    (directory / "extensions").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    sign = ("x509", "-req", "-in", "server.csr", "-CA", "authority.pem", "-CAkey", "authority.key")
    steps = (
        ("req", "-x509", *key, "-keyout", "authority.key", "-out", "authority.pem", "-days", "2", "-subj", "/CN=tests"),
        ("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=127.0.0.1"),
        (*sign, "-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", "server.pem"),
    )
    try:
        for step in steps:
            subprocess.run(["openssl", *step], cwd=directory, check=True, capture_output=True)
    except FileNotFoundError:
        unavailable("openssl is not installed, which makes the certificates of the test servers")


def _answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    pause = threading.Event()
    for _ in range(_READY_POLLS):
        if process.poll() is not None:
            return False
        try:
            with opener.open(url, timeout=5):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return True
        except (OSError, ssl.SSLError):
            pause.wait(_POLL_SECONDS)
    return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
