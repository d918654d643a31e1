"""Who the requests come from, as Google's own library finds it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import StorageError
from dvtool.remote.drivers.gcs.options import GcsOptions
from dvtool.remote.extras import require
from dvtool.remote.failures import TransientError
from dvtool.remote.failures import one_line
from dvtool.remote.redact import redact

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
        found, _ = auth.load_credentials_from_file(options.credential_path, scopes=_SCOPES, request=request)
    return found, request


def _failure(error: Exception, options: GcsOptions) -> Exception:
    if isinstance(error, (ConfigError, AccessDenied)):
        return error
    name, place = options.place.name, options.place
    kinds = {type(one).__name__ for one in (error, error.__cause__) if one is not None}
    said = redact(one_line(error.__cause__ if isinstance(error.__cause__, Exception) else error))
    advice = (
        f"`gcloud auth application-default login`, or `dvtool remote modify --local {name} credentialpath KEY.json`"
    )
    if "TransportError" in kinds or "ConnectionError" in kinds:
        return TransientError(
            f"remote {name}: no token for {place.host}: Google's login cannot be reached",
            hint="check the network, then run the same command again",
            unreachable=True,
        )
    if kinds & {"DefaultCredentialsError", "RefreshError", "HttpError", "MalformedError", "NonRetryableError"}:
        return AccessDenied(
            f"remote {name}: no usable credentials for {place.host}: {said}", hint=f"tried {place.tried}; {advice}"
        )
    if isinstance(error, (OSError, ValueError)):
        return ConfigError(f"remote {name}: credentials cannot be read: {said}", hint=f"tried {place.tried}; {advice}")
    return StorageError(f"remote {name}: no token for {place.host}: {said}", hint=f"tried {place.tried}; {advice}")
