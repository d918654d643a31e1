"""The settings of an Azure remote, read once and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.credentials import tried
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.network import network_of
from dvtool.remote.redact import redact

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
_SLOWEST = 64 << 10

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}", re.ASCII)
_CONTAINER = re.compile(r"(\$root|\$web|[a-z0-9](-?[a-z0-9]){2,62})", re.ASCII)
_HOST = re.compile(r"(?P<account>[a-z0-9]{3,24})\.(?:dfs|blob)\.(?P<suffix>[a-z0-9.-]+)", re.ASCII)
_SUFFIX = "core.windows.net"
_SECRETS = ("connection_string", "account_key", "sas_token", "client_id", "client_secret")


@dataclass(frozen=True, slots=True)
class AzureOptions:
    """Where the container is and as whom it is opened. Times in seconds.

    Exactly one of ``connection_string``, ``account_key``, ``sas_token``, ``client_secret`` is set, or
    ``anonymous``, or none of them: then `az login`, the environment, or the machine says who this is.
    """

    place: Place
    shown: str
    container: str
    prefix: str
    account: str = ""
    account_url: str = ""
    connection_string: str | None = None
    account_key: str | None = None
    sas_token: str | None = None
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    anonymous: bool = False
    verify: bool | str = True
    proxy: str | None = None
    connect_timeout: float = CONNECT_SECONDS
    read_timeout: float = READ_SECONDS

    def patience(self, size: int) -> float:
        """Seconds that one request with *size* bytes may take: a line slower than 64 KiB/s counts as dead."""
        return self.connect_timeout + self.read_timeout + size / _SLOWEST


def parse_azure(address: Address) -> AzureOptions:
    """Check URL and settings; raises `ConfigError`, `UnsafeInput`."""
    read = SettingsReader(address)
    container, prefix, account, suffix = _parts_of(address)
    account = read.text("account_name") or account
    given = {key: read.text(key) for key in (*_SECRETS, "tenant_id")}
    anonymous = read.flag("allow_anonymous_login", default=False)
    source = tried(address, _SECRETS, _otherwise(address.environ, anonymous=anonymous))
    if anonymous:
        given = dict.fromkeys(given)
    elif not any(given[key] for key in _SECRETS):
        account = account or _variable(address.environ, "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME")
        given |= _from_environment(address.environ, account)
    _check_service_principal(address, given)
    url, host = read.endpoint("endpointurl") or "", ""
    if given["connection_string"]:
        url, account = _of_connection_string(address, given["connection_string"])
        given = {**dict.fromkeys(given), "connection_string": given["connection_string"]}
    elif not url:
        url = f"https://{_checked_account(address, account)}.blob.{suffix}"
    host = redact(url.partition("?")[0])
    network = network_of(address, url)
    return AzureOptions(
        place=Place(address.name, host, source),
        shown=f"azure://{container}/{prefix}".rstrip("/"),
        container=container,
        prefix=prefix,
        account=account,
        account_url=url,
        **given,
        anonymous=anonymous,
        verify=network.verify,
        proxy=network.proxy,
        connect_timeout=read.seconds("connect_timeout", CONNECT_SECONDS),
        read_timeout=read.seconds("read_timeout", READ_SECONDS),
    )


def _parts_of(address: Address) -> tuple[str, str, str, str]:
    """Container, prefix, and from ``abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH`` the account and its domain."""
    where, _, path = address.rest.partition("/")
    container, at, host = where.partition("@")
    found = _HOST.fullmatch(host)
    parts = [part for part in path.split("/") if part]
    if ":" in where:
        raise UnsafeInput(
            f"remote {address.name}: the URL carries a user or a password: {redact(address.url)}",
            hint=f"`dvtool remote modify --local {address.name} account_key ...`, or use `az login`",
        )
    if (
        not _CONTAINER.fullmatch(container)
        or bool(at) != bool(found)
        or any(part in (".", "..") for part in parts)
        or any(sign in path for sign in "?#\\")
    ):
        raise ConfigError(
            f"remote {address.name}: {redact(address.url)} is not azure://CONTAINER/PATH",
            hint=f"`dvtool config remote.{address.name}.url`; a container has 3 to 63 of a-z, 0-9 and -",
        )
    prefix = "".join(part + "/" for part in parts)
    return container, prefix, found["account"] if found else "", found["suffix"] if found else _SUFFIX


def _checked_account(address: Address, account: str) -> str:
    if _ACCOUNT.fullmatch(account):
        return account
    if not account:
        raise ConfigError(
            f"remote {address.name}: which storage account?",
            hint=f"`dvtool config remote.{address.name}.account_name ACCOUNT`, or set AZURE_STORAGE_CONNECTION_STRING",
        )
    raise ConfigError(
        f"remote {address.name}: {account!r} is not the name of a storage account",
        hint=f"`dvtool config remote.{address.name}.account_name ...`: 3 to 24 small letters and digits",
    )


def _check_service_principal(address: Address, given: Mapping[str, str | None]) -> None:
    together = ("tenant_id", "client_id", "client_secret")
    if given["client_secret"] and not all(given[key] for key in together):
        raise ConfigError(
            f"remote {address.name}: tenant_id, client_id and client_secret go together",
            hint=f"`dvtool remote modify --local {address.name} tenant_id ...`",
        )


def _from_environment(environ: Mapping[str, str], account: str) -> dict[str, str | None]:
    text = environ.get("AZURE_STORAGE_CONNECTION_STRING")
    if text:
        named = _fields(text).get("accountname", "")
        if not account or named in ("", account):
            return {"connection_string": text}
    key = _variable(environ, "AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY")
    return {"account_key": key} if key else {"sas_token": environ.get("AZURE_STORAGE_SAS_TOKEN") or None}


def _otherwise(environ: Mapping[str, str], *, anonymous: bool) -> str:
    if anonymous:
        return "no credentials (allow_anonymous_login)"
    for name in (
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_STORAGE_KEY",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
    ):
        if environ.get(name):
            return f"${name}"
    return "AZURE_* variables, this machine's identity and `az login`"


def _of_connection_string(address: Address, text: str) -> tuple[str, str]:
    """The address of the blob service, and the account."""
    fields = _fields(text)
    account = fields.get("accountname", "")
    if fields.get("usedevelopmentstorage", "").lower() == "true":
        return "http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1"
    url = fields.get("blobendpoint")
    if not url and account:
        scheme = fields.get("defaultendpointsprotocol", "https")
        url = f"{scheme}://{account}.blob.{fields.get('endpointsuffix', _SUFFIX)}"
    if not url or not url.startswith(("http://", "https://")) or "@" in url:
        raise ConfigError(
            f"remote {address.name}: the connection string names no account and no BlobEndpoint",
            hint="copy it whole: `az storage account show-connection-string --name ACCOUNT`",
        )
    return url, account


def _fields(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.strip().split(";"))
    return {key.strip().lower(): value.strip() for key, _, value in pairs if key.strip()}


def _variable(environ: Mapping[str, str], *names: str) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")
