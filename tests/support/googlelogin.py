"""Google's login on 127.0.0.1: tokens for service accounts, and a storage API that refuses whoever comes."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

TOKEN = "ya29.token-of-the-tests"


class GoogleLogin:
    """``requests``: what the storage API was asked, as ``METHOD PATH`` with the Authorization header."""

    def __init__(self, url: str, requests: list[tuple[str, str]], pem: str) -> None:
        self.url = url
        self.requests = requests
        self._pem = pem

    def key_file(self, path: Path, *, client: str = "robot") -> Path:
        """A service account's key, as the console hands it out. The login has forgotten the client "gone"."""
        key = {
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "0123456789abcdef",
            "private_key": self._pem,
            "client_email": f"{client}@project.iam.gserviceaccount.com",
            "client_id": "1234",
            "token_uri": f"{self.url}/token",
        }
        path.write_text(json.dumps(key))
        return path


@pytest.fixture(scope="session")
def google_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode()


@pytest.fixture
def googlelogin(google_key: str) -> Iterator[GoogleLogin]:
    requests: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path != "/token":
                self._refuse()
                return
            claims = _claims(parse_qs(body.decode())["assertion"][0])
            if claims["iss"].startswith("gone@"):
                self._answer(400, {"error": "invalid_grant", "error_description": "Invalid grant: account not found"})
            else:
                self._answer(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})

        def do_GET(self) -> None:
            self._refuse()

        def _refuse(self) -> None:
            requests.append((f"{self.command} {self.path}", self.headers.get("Authorization", "")))
            self._answer(403, {"error": {"code": 403, "message": "robot does not have storage.objects.list access."}})

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield GoogleLogin(f"http://127.0.0.1:{server.server_port}", requests, google_key)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _claims(assertion: str) -> dict[str, Any]:
    part = assertion.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
