"""A real Azure Blob server for the tests: Azurite from npm (`make test` installs it), started once per session."""

from __future__ import annotations

import base64
import itertools
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import pytest

from tests.support.servers import free_ports
from tests.support.servers import running
from tests.support.servers import unavailable

ACCOUNT = "dvaccount"
KEY = base64.b64encode(b"a key for the tests, of 32 bytes").decode()
_PROGRAM = Path(sys.prefix) / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


@dataclass(frozen=True)
class Azurite:
    """Where the server is. ``settings`` are those of a remote that uses it; ``container`` is shared by the tests."""

    port: int
    container: str = "shared"
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def connection_string(self) -> str:
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={self.endpoint};"

    @property
    def settings(self) -> dict[str, str]:
        return {"endpointurl": self.endpoint, "account_name": ACCOUNT, "account_key": KEY}

    def new_url(self) -> str:
        """The URL of an empty place."""
        return f"azure://{self.container}/{os.getpid()}-{next(self.numbers)}"

    def sas_token(self, permission: str) -> str:
        """A signature for one hour that allows so much ("rwdl") on the shared container."""
        import datetime as dt

        from azure.storage.blob import generate_container_sas

        until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)
        token: str = generate_container_sas(
            ACCOUNT, self.container, account_key=KEY, permission=permission, expiry=until
        )
        return token

    def make_container(self, name: str) -> None:
        from azure.storage.blob import BlobServiceClient

        with BlobServiceClient.from_connection_string(self.connection_string, retry_total=0) as service:
            service.create_container(name)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """A running server; the test is skipped, or failed if servers are required, where there is none."""
    node = shutil.which("node")
    if node is None or not _PROGRAM.is_file():
        unavailable("Azurite is not installed: `make test` does it where npm is there (`make servers`)")
    directory = tmp_path_factory.mktemp("azurite")
    (port,) = free_ports(1)
    argv: list[str | Path] = [
        *(node, _PROGRAM, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", directory),
        *("--silent", "--loose", "--skipApiVersionCheck", "--disableTelemetry"),
    ]
    with running("Azurite", argv, port, directory, AZURITE_ACCOUNTS=f"{ACCOUNT}:{KEY}"):
        server = Azurite(port)
        server.make_container(server.container)
        yield server
