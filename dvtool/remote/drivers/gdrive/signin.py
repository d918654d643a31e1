"""Signing in to Google as the user, with a client of their own: the browser comes back to a port of this machine.

Google's other way, a code typed on another device, does not give access to a whole Drive.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import threading
from dataclasses import dataclass
from dataclasses import field
from http.server import BaseHTTPRequestHandler
from http.server import HTTPServer
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import urlencode
from urllib.parse import urlsplit

from dvtool.disk.durable import make_dirs
from dvtool.disk.durable import write_file
from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import UsageError
from dvtool.errors import storage_error
from dvtool.remote.address import Address
from dvtool.remote.drivers.gdrive.options import AUTH_PAGE
from dvtool.remote.drivers.gdrive.options import SCOPE
from dvtool.remote.drivers.gdrive.options import TOKENS
from dvtool.remote.drivers.gdrive.options import parse_drive
from dvtool.remote.drivers.gdrive.options import token_file_of
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.network import network_of
from dvtool.remote.redact import redact
from dvtool.remote.rest import RestClient

_DONE = b"<!doctype html><title>dvtool</title><p>Done. You can close this page and go back to the terminal."


@dataclass(frozen=True, slots=True)
class Client:
    """The OAuth client that the user made in Google's console."""

    id: str
    secret: str = field(repr=False)
    auth_page: str = AUTH_PAGE
    tokens: str = TOKENS


def read_client(data: bytes, where: str) -> Client:
    """The client in the JSON file that Google's console offers for download; raises `ConfigError`."""
    try:
        installed = json.loads(data)["installed"]
        return Client(
            str(installed["client_id"]),
            str(installed["client_secret"]),
            str(installed.get("auth_uri", AUTH_PAGE)),
            str(installed.get("token_uri", TOKENS)),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{where} is not the JSON file of an OAuth client",
            path=where,
            hint="make a client of the type Desktop app in Google's console and download its JSON",
        ) from error


class SignIn:
    """One attempt. The user opens ``page``; `wait` gets the browser's answer; `finish` keeps the sign-in.

    A context manager: the port is open inside the block only.
    """

    def __init__(self, address: Address, client: Client | None = None) -> None:
        options = parse_drive(address)
        if client is None:
            if options.client_id is None or options.client_secret is None:
                raise ConfigError(
                    f"remote {address.name}: there is no OAuth client to sign in with",
                    hint=f"`dvtool remote login {address.name} --client FILE`, the file from Google's console",
                )
            client = Client(options.client_id, options.client_secret)
        self._client = client
        self._address = address
        self._token_file = options.token_file or token_file_of(address, client.id)
        self._verifier = secrets.token_urlsafe(48)
        self._state = secrets.token_urlsafe(24)
        self._came = threading.Event()
        self._answer: str | None = None
        self._server = HTTPServer(("127.0.0.1", 0), self._handler())
        self._redirect = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> SignIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def remote(self) -> str:
        return self._address.name

    @property
    def client_id(self) -> str:
        return self._client.id

    @property
    def page(self) -> str:
        """The address where the user says yes."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self._verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": self._client.id,
            "redirect_uri": self._redirect,
            "response_type": "code",
            "scope": SCOPE,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": self._state,
            "access_type": "offline",
            "prompt": "consent",
        }
        return f"{self._client.auth_page}?{urlencode(query)}"

    def wait(self, seconds: float) -> str | None:
        """The address that the browser came back to, or None after so many seconds."""
        self._came.wait(seconds)
        return self._answer

    def finish(self, answer: str) -> str:
        """Exchange *answer*, the address that the browser was sent to, for a sign-in that lasts. The file it is
        kept in: mode 0600, in the user's own configuration. Raises `AccessDenied`, `UsageError`, `StorageError`."""
        path = self._token_file
        if path is None:
            raise ConfigError("there is no home directory to keep the sign-in in", hint="set HOME")
        code = self._code(answer)
        document = self._ask(code)
        kept = {
            "type": "authorized_user",
            "client_id": self._client.id,
            "client_secret": self._client.secret,
            "refresh_token": document["refresh_token"],
            "token_uri": self._client.tokens,
        }
        target = os.fsencode(path)
        try:
            make_dirs(os.path.dirname(target), 0o700)
            write_file(target, json.dumps(kept, indent=1).encode() + b"\n", mode=0o600)
        except OSError as error:
            raise storage_error(error, "write", path) from error
        return path

    def _code(self, answer: str) -> str:
        query = {name: values[0] for name, values in parse_qs(urlsplit(answer.strip()).query).items()}
        if "error" in query:
            raise AccessDenied(
                f"remote {self._address.name}: Google gave no access: {redact(query['error'])}",
                hint=f"`dvtool remote login {self._address.name}` again, and agree",
            )
        if not secrets.compare_digest(query.get("state", "").encode(), self._state.encode()) or "code" not in query:
            raise UsageError(
                "that is not the address that Google sent the browser to",
                hint="copy the whole address, which begins with http://127.0.0.1 and holds state= and code=",
            )
        return query["code"]

    def _ask(self, code: str) -> dict[str, Any]:
        name, client = self._address.name, self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": self._verifier,
            "redirect_uri": self._redirect,
            "client_id": client.id,
            "client_secret": client.secret,
        }
        body = urlencode(form).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        rest = RestClient(Place(name, "Google"), network_of(self._address, client.tokens), 1)
        try:
            answer = rest.run(lambda http: http.ask("POST", client.tokens, headers=headers, body=body))
        finally:
            rest.close()
        document = answer.document()
        if answer.status != 200 or not document.get("refresh_token"):
            said = redact(str(document.get("error_description") or document.get("error") or answer.status))
            raise AccessDenied(
                f"remote {name}: Google did not take the sign-in: {said[:200]}",
                hint="check the client's id and secret, and that its type is Desktop app",
            )
        return document

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        sign_in = self
        mark = f"state={self._state}"

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Not to the terminal."""

            def do_GET(self) -> None:
                # Browsers ask for /favicon.ico too.
                is_answer = mark in self.path
                self.send_response(200 if is_answer else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(_DONE if is_answer else b"")
                if is_answer:
                    sign_in._take(self.path)

        return Handler

    def _take(self, answer: str) -> None:
        self._answer = answer
        self._came.set()
