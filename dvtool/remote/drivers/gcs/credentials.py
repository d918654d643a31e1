"""Who the requests come from, as Google's own library finds it."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.remote.drivers.gcs.options import GcsOptions
from dvtool.remote.extras import require
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import one_line
from dvtool.remote.redact import redact

_MOST_KEY = 1 << 20
_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)


class Credentials:
    """Tokens for requests. Nothing is imported or asked before the first `headers`."""

    def __init__(self, options: GcsOptions) -> None:
        self._options = options
        self._guard = threading.Lock()
        self._found: tuple[Any, Any] | None = None

    async def headers(self) -> dict[str, str]:
        """What goes with a request. Raises `AccessDenied`, `ConfigError`, `TransientError` where no token is had."""
        if self._options.anonymous:
            return {}
        # Google's library blocks, and takes a lock: not in the loop.
        return await asyncio.to_thread(self._headers)

    def load(self) -> None:
        """Find them now rather than at the first request."""
        with self._guard:
            if self._found is None and not self._options.anonymous:
                self._found = _find(self._options)

    def _headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        try:
            self.load()
            with self._guard:
                if self._found is not None:
                    credentials, request = self._found
                    credentials.before_request(request, "GET", self._options.endpoint, headers)
        except Exception as error:
            raise _failure(error, self._options) from error
        return headers


def _find(options: GcsOptions) -> tuple[Any, Any]:
    """The credentials, and what they ask for tokens with."""
    auth = require("google.auth", "gcs", options.place.name)
    transport = require("google.auth.transport.requests", "gcs", options.place.name)
    import requests

    session = requests.Session()
    session.trust_env = False
    session.verify = options.network.verify
    if options.network.proxy is not None:
        session.proxies = {"http": options.network.proxy, "https": options.network.proxy}
    request = transport.Request(session)
    if options.credential_path is None:
        found, _ = auth.default(scopes=_SCOPES, request=request)
    else:
        found = _from_file(options.credential_path)
    return found, request


def _from_file(path: str) -> Any:
    """The kinds that run no program. Google's own function, which takes every kind, warns of just that."""
    with open(path, "rb") as file:
        info = json.loads(file.read(_MOST_KEY))
    kind = info.get("type") if isinstance(info, dict) else None
    # None of it is typed.
    make: Any = None
    if kind == "service_account":
        from google.oauth2 import service_account

        make = service_account.Credentials.from_service_account_info
    elif kind == "authorized_user":
        from google.oauth2 import credentials

        make = credentials.Credentials.from_authorized_user_info
    elif kind == "external_account" and "executable" not in info.get("credential_source", {}):
        from google.auth import identity_pool

        make = identity_pool.Credentials.from_info
    if make is None:
        raise ValueError(f"{path} is no key of a service account, a user or a workload identity")
    return make(info, scopes=_SCOPES)


def _failure(error: Exception, options: GcsOptions) -> Exception:
    if isinstance(error, DvtoolError):
        return error
    name, place = options.place.name, options.place
    kind = type(error).__name__
    # Google's errors carry the server's whole answer after their own words.
    said = redact(one_line(Exception(error.args[0]) if error.args else error))
    hint = (
        f"tried {place.tried}; `gcloud auth application-default login`, or "
        f"`dvtool remote modify --local {name} credentialpath KEY.json`"
    )
    if kind in ("TransportError", "TimeoutError"):
        return TransientError(
            f"remote {name}: no token for {place.host}: Google's login cannot be reached", hint=hint, unreachable=True
        )
    if isinstance(error, (OSError, ValueError)):
        said = redact(one_line(error))
        return ConfigError(f"remote {name}: credentials cannot be read: {said}", hint=hint)
    return AccessDenied(f"remote {name}: no usable credentials for {place.host}: {said}", hint=hint)
