"""The stub of Google Drive as a fixture, with the key of a service account."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.drivehttp import ROBOT
from tests.support.drivehttp import DriveServer
from tests.support.drivehttp import serving


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
