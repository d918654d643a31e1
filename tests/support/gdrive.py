"""The stub of Google Drive as a fixture, with the key of a service account."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dvtool.model.ports import Remote
from dvtool.remote import retry
from dvtool.remote.address import Address
from dvtool.remote.table import open_bare
from tests.support.drivehttp import CLIENT_ID
from tests.support.drivehttp import CLIENT_SECRET
from tests.support.drivehttp import REFRESH_TOKEN
from tests.support.drivehttp import ROBOT
from tests.support.drivehttp import DriveServer
from tests.support.drivehttp import serving

Open = Callable[..., Remote]


@pytest.fixture(scope="session")
def robot_key() -> Any:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def drive(robot_key: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DriveServer]:
    """A Google Drive of one's own: it costs 20 ms."""
    path = tmp_path_factory.mktemp("drive") / "robot.json"
    with serving(robot_key, str(path)) as server:
        path.write_text(json.dumps(service_account(robot_key, server)))
        yield server


@pytest.fixture
def opened(drive: DriveServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    monkeypatch.setattr(retry, "_FIRST_WAIT", 0.0)
    remotes: list[Remote] = []

    def make(url: str = "", environ: dict[str, str] | None = None, **settings: str) -> Remote:
        address = Address("origin", url or drive.folder_url(), {**drive.settings, **settings}, b"/", environ or {})
        remotes.append(open_bare(address))
        return remotes[-1]

    yield make
    for remote in remotes:
        remote.close()


@pytest.fixture
def user(drive: DriveServer, tmp_path: Path) -> dict[str, str]:
    """Settings and sign-in of a person."""
    kept = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
        "token_uri": f"{drive.url}/token",
    }
    (tmp_path / "ann.json").write_text(json.dumps(kept))
    return {
        "gdrive_service_account_json_file_path": "",
        "gdrive_client_id": CLIENT_ID,
        "gdrive_client_secret": CLIENT_SECRET,
        "gdrive_user_credentials_file": str(tmp_path / "ann.json"),
    }


def service_account(key: Any, server: DriveServer) -> dict[str, str]:
    """The key file as Google's console hands it out."""
    from cryptography.hazmat.primitives import serialization

    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {
        "type": "service_account",
        "project_id": "project",
        "private_key_id": "0123456789abcdef",
        "private_key": pem.decode(),
        "client_email": ROBOT,
        "client_id": "1234",
        "token_uri": f"{server.url}/token",
    }
