"""The settings of a Google Cloud Storage remote, read once and checked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.credentials import tried
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.network import Network
from dvtool.remote.network import network_of
from dvtool.remote.redact import redact
from dvtool.remote.rest import CONNECT_SECONDS
from dvtool.remote.rest import READ_SECONDS

_GOOGLE = "https://storage.googleapis.com"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", re.ASCII)


@dataclass(frozen=True, slots=True)
class GcsOptions:
    """Where the bucket is and as whom it is opened. Times in seconds.

    ``credential_path`` is a key file. Without it, and unless ``anonymous``, Google's own order decides:
    gcloud's application default credentials, then the machine's service account.
    """

    place: Place
    shown: str
    bucket: str
    prefix: str
    endpoint: str
    network: Network
    project: str | None = None
    credential_path: str | None = None
    anonymous: bool = False
    connect_timeout: float = CONNECT_SECONDS
    read_timeout: float = READ_SECONDS


def parse_gcs(address: Address) -> GcsOptions:
    """Check URL and settings; raises `ConfigError`, `UnsafeInput`."""
    read = SettingsReader(address)
    bucket, prefix = _bucket_and_prefix(address)
    endpoint = (read.endpoint("endpointurl") or _emulator(address.environ) or _GOOGLE).rstrip("/")
    path = read.path("credentialpath") or address.environ.get("GOOGLE_APPLICATION_CREDENTIALS") or None
    anonymous = read.flag("allow_anonymous_login", default=False) or not _may_have_tokens(
        endpoint, has_own=bool(read.text("credentialpath"))
    )
    if anonymous:
        path = None
    return GcsOptions(
        place=Place(address.name, redact(endpoint), _source(address, path, anonymous=anonymous)),
        shown=f"gs://{bucket}/{prefix}".rstrip("/"),
        bucket=bucket,
        prefix=prefix,
        endpoint=endpoint,
        network=network_of(address, endpoint),
        project=read.text("projectname"),
        credential_path=path,
        anonymous=anonymous,
        connect_timeout=read.seconds("connect_timeout", CONNECT_SECONDS),
        read_timeout=read.seconds("read_timeout", READ_SECONDS),
    )


def _may_have_tokens(endpoint: str, *, has_own: bool) -> bool:
    """A token is a password: never over plain HTTP, but to an emulator on this machine that it was set for."""
    parts = urlsplit(endpoint)
    return parts.scheme == "https" or (has_own and _is_here(parts.hostname or ""))


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _emulator(environ: Mapping[str, str]) -> str | None:
    host = environ.get("STORAGE_EMULATOR_HOST")
    if not host or host == "default":
        return None
    return host if "://" in host else f"http://{host}"


def _source(address: Address, path: str | None, *, anonymous: bool) -> str:
    if anonymous:
        why = "allow_anonymous_login" if address.settings.get("allow_anonymous_login") else "a server without TLS"
        return f"no credentials ({why})"
    if path and not address.settings.get("credentialpath"):
        return f"$GOOGLE_APPLICATION_CREDENTIALS ({path})"
    otherwise = "`gcloud auth application-default login` and this machine's service account"
    return tried(address, ("credentialpath",), otherwise)


def _bucket_and_prefix(address: Address) -> tuple[str, str]:
    bucket, _, prefix = address.rest.partition("/")
    if "@" in bucket:
        raise UnsafeInput(
            f"remote {address.name}: the URL carries a user or a password: {redact(address.url)}",
            hint=f"`dvtool remote modify --local {address.name} credentialpath ...`",
        )
    parts = [part for part in prefix.split("/") if part]
    wrong = any(part in (".", "..") for part in parts) or any(sign in prefix for sign in "?#\\")
    if not _BUCKET.fullmatch(bucket) or wrong:
        raise ConfigError(
            f"remote {address.name}: {redact(address.url)} is not gs://BUCKET/PATH",
            hint=f"`dvtool config remote.{address.name}.url`",
        )
    return bucket, "".join(part + "/" for part in parts)
