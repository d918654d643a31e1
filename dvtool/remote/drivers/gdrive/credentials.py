"""Whose access to Google Drive: found where the user left it, kept fresh by google-auth."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import storage_error
from dvtool.remote.drivers.gdrive.options import SCOPE
from dvtool.remote.drivers.gdrive.options import TOKENS
from dvtool.remote.drivers.gdrive.options import DriveOptions
from dvtool.remote.extras import require
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import one_line
from dvtool.remote.redact import redact
from dvtool.remote.rest import Answer
from dvtool.remote.rest import Http

_MOST_BYTES = 1 << 20
_USER_FIELDS = ("refresh_token", "client_id", "client_secret")


@dataclass(frozen=True, slots=True)
class Found:
    """A credential as JSON, and in words where it stands."""

    info: dict[str, Any]
    words: str


def find_credentials(name: str, options: DriveOptions, environ: Mapping[str, str]) -> Found:
    """The first there is: a service account's file or the sign-in of the configured client, then
    ``GDRIVE_CREDENTIALS_DATA``, ``GOOGLE_APPLICATION_CREDENTIALS``, gcloud's own. Raises `AccessDenied`, `ConfigError`.
    """
    path = options.service_account_file
    if path is not None:
        return Found(_read(path), f"the service account in {path}")
    path = options.token_file
    if path is not None and not options.use_service_account and os.path.exists(path):
        return Found(_read(path), f"the sign-in kept in {path}")
    data = environ.get("GDRIVE_CREDENTIALS_DATA")
    if data:
        return Found(_parse(data, "$GDRIVE_CREDENTIALS_DATA"), "$GDRIVE_CREDENTIALS_DATA")
    path = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if path:
        return Found(_read(path), f"{path} ($GOOGLE_APPLICATION_CREDENTIALS)")
    path = _gcloud_file(environ)
    if path is not None and options.client_id is None and os.path.exists(path):
        return Found(_read(path), f"gcloud's {path}")
    if options.client_id is not None and not options.use_service_account:
        raise AccessDenied(
            f"remote {name}: not signed in to Google Drive", hint=f"`dvtool remote login {name}` opens the browser"
        )
    raise AccessDenied(
        f"remote {name}: no credentials for Google Drive",
        hint=f"`dvtool remote modify --local {name} gdrive_service_account_json_file_path FILE`, "
        f"or set gdrive_client_id and gdrive_client_secret and `dvtool remote login {name}`",
    )


class Tokens:
    """The access token, renewed when it is due."""

    def __init__(self, name: str, options: DriveOptions, found: Found) -> None:
        self.words = found.words
        self._name = name
        self._credentials = _load(name, options, found)
        self._renewing = asyncio.Lock()

    async def headers(self, http: Http, refused: str | None = None) -> dict[str, str]:
        """The headers of a request. *refused*: a token that the server did not take, so another is needed."""
        credentials = self._credentials
        async with self._renewing:
            if not credentials.valid or credentials.token == refused:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(None, self._renew, _Transport(http, loop))
        headers: dict[str, str] = {}
        credentials.apply(headers)
        return headers

    def token(self) -> str | None:
        token: str | None = self._credentials.token
        return token

    def _renew(self, transport: _Transport) -> None:
        from google.auth import exceptions

        try:
            self._credentials.refresh(transport)
        except DvtoolError:
            raise
        except exceptions.GoogleAuthError as error:
            said = redact(one_line(error.args[0] if error.args else error))
            if getattr(error, "retryable", False):
                raise TransientError(f"remote {self._name}: Google gave no token: {said}") from error
            raise AccessDenied(
                f"remote {self._name}: Google does not take the credential: {said}",
                hint=f"tried {self.words}; `dvtool remote login {self._name}` signs in again, "
                "a service account needs another key",
            ) from error


class _Transport:
    """What google-auth asks for tokens with: the same connections, certificates and proxy as everything else."""

    def __init__(self, http: Http, loop: asyncio.AbstractEventLoop) -> None:
        self._http = http
        self._loop = loop

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> _Response:
        data = body.encode() if isinstance(body, str) else body
        asking = self._http.ask(method, url, headers=headers, body=data)
        return _Response(asyncio.run_coroutine_threadsafe(asking, self._loop).result())


class _Response:
    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.data = answer.body


def _load(name: str, options: DriveOptions, found: Found) -> Any:
    info = found.info
    try:
        if info.get("type") == "service_account":
            module = require("google.oauth2.service_account", "gdrive", name)
            return module.Credentials.from_service_account_info(info, scopes=[SCOPE], subject=options.acts_for)
        if all(info.get(key) for key in _USER_FIELDS):
            module = require("google.oauth2.credentials", "gdrive", name)
            return module.Credentials(
                None,
                refresh_token=info["refresh_token"],
                token_uri=info.get("token_uri") or TOKENS,
                client_id=info["client_id"],
                client_secret=info["client_secret"],
                quota_project_id=info.get("quota_project_id"),
            )
    except ValueError as error:
        raise ConfigError(
            f"remote {name}: {found.words} cannot be used: {redact(one_line(error))}",
            hint="download the key of the service account again, as JSON",
        ) from error
    raise ConfigError(
        f"remote {name}: {found.words} is neither a service account's key nor a user's sign-in",
        hint=f"`dvtool remote modify --local {name} gdrive_service_account_json_file_path FILE`",
    )


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return _parse(file.read(_MOST_BYTES), path)
    except OSError as error:
        raise storage_error(error, "read", path) from error


def _parse(text: str | bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{where} is not JSON", path=where) from error
    if not isinstance(value, dict):
        raise ConfigError(f"{where} is not a JSON object", path=where)
    return value


def _gcloud_file(environ: Mapping[str, str]) -> str | None:
    directory = environ.get("CLOUDSDK_CONFIG")
    home = environ.get("HOME")
    if not directory and home:
        directory = os.path.join(home, ".config", "gcloud")
    return os.path.join(directory, "application_default_credentials.json") if directory else None
