"""The way to a server that speaks HTTP: certificates and proxies, from the settings or the user's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from dvtool.errors import ConfigError
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.redact import redact

_DIRECT = "none"
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True, slots=True)
class Network:
    """``verify``: check certificates by the usual authorities, not at all, or by those in a file. ``proxy``:
    URL of the proxy for this server, maybe with a password in it; None: none. ``certificate``: files with the
    client's own certificate and its key, for a server that asks for one. ``outside_only``: redirects may not lead to
    this machine or into its network."""

    verify: bool | str
    proxy: str | None
    certificate: tuple[str, str | None] | None = None
    outside_only: bool = False


def network_of(address: Address, server: str, *, ca_variables: tuple[str, ...] = ()) -> Network:
    """How *server*, a URL, is to be reached. Variables in *ca_variables* come before the usual ones.

    Settings: ``ssl_verify`` (true, false, a path), ``proxy`` (a URL, or ``none``). Raises `ConfigError`.
    """
    read = SettingsReader(address)
    verify = _verify(address, read, server, (*ca_variables, *_CA_VARIABLES))
    return Network(verify, _proxy(address, read, server), outside_only=address.outside_only)


def _verify(address: Address, read: SettingsReader, server: str, variables: tuple[str, ...]) -> bool | str:
    # Loading the certificate store costs 30 ms, also where no TLS will be spoken.
    if server.startswith("http://"):
        return False
    value = read.text("ssl_verify")
    if value is None:
        return next((path for each in variables if (path := address.environ.get(each))), True)
    if os.sep not in value:
        return read.flag("ssl_verify", default=True)
    path = read.path("ssl_verify")
    if path is None or not os.path.isfile(path):
        raise ConfigError(
            f"remote {address.name}: ssl_verify names no file: {value}",
            hint=f"`dvtool config --local remote.{address.name}.ssl_verify /path/to/ca.pem`",
        )
    return path


def _proxy(address: Address, read: SettingsReader, server: str) -> str | None:
    value = read.text("proxy")
    if value == _DIRECT:
        return None
    found = value or proxy_from_environment(address.environ, server)
    if found is None:
        return None
    if "://" not in found:
        found = f"http://{found}"
    parts = urlsplit(found)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        origin = "its proxy" if value else "HTTPS_PROXY or HTTP_PROXY"
        raise ConfigError(
            f"remote {address.name}: {origin} is not http://HOST:PORT: {redact(found)}",
            hint=f"`dvtool config --local remote.{address.name}.proxy http://HOST:PORT`, or none",
        )
    return found


def proxy_from_environment(environ: Mapping[str, str], server: str) -> str | None:
    """What ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` (small letters first) say about *server*."""
    parts = urlsplit(server)
    scheme, host = parts.scheme or "https", (parts.hostname or "").lower()
    names = [f"{scheme}_proxy", f"{scheme}_PROXY".upper(), "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in environ:
        # A CGI program gets the request header "Proxy:" under that name.
        names.remove(f"{scheme}_PROXY".upper())
    found = next((value for name in names if (value := environ.get(name))), None)
    return None if found is None or _is_excepted(environ, host, parts.port) else found


def _is_excepted(environ: Mapping[str, str], host: str, port: int | None) -> bool:
    rules = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for rule in (each.strip().lower() for each in rules.split(",")):
        name, _, only_port = rule.partition(":") if rule.count(":") == 1 else (rule, "", "")
        if only_port and only_port != str(port):
            continue
        name = name.removeprefix("*").removeprefix(".")
        if rule == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
    return False
