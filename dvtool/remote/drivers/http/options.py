"""What the settings of a remote say about a web server: where it is, and how one proves who one is."""

from __future__ import annotations

import base64
import shlex
import subprocess
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from urllib.parse import unquote
from urllib.parse import urlsplit

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.credentials import tried
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.logins import Login
from dvtool.remote.logins import find_login
from dvtool.remote.logins import login_help
from dvtool.remote.network import Network
from dvtool.remote.network import network_of
from dvtool.remote.redact import redact
from dvtool.remote.rest import CONNECT_SECONDS
from dvtool.remote.rest import READ_SECONDS
from dvtool.remote.rest import RestClient

_AUTH = ("basic", "digest", "custom")
_COMMAND_SECONDS = 60.0
_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class WebOptions:
    """``url`` may be shown; ``base`` is asked: http or https, without a login, without ``/`` at the end.

    ``headers`` go to that server only. ``tried`` says in words which credentials those are, ``advice``
    what to do when they are refused.
    """

    name: str
    url: str
    base: str
    network: Network
    headers: Mapping[str, str] = field(repr=False)
    digest: Login | None
    tried: str
    advice: str
    connect_seconds: float
    read_seconds: float

    @property
    def place(self) -> Place:
        return Place(self.name, urlsplit(self.base).netloc, self.tried)

    def client(self) -> RestClient:
        """A new client; nothing is contacted."""
        return RestClient(
            self.place,
            self.network,
            _CONNECTIONS,
            self.read_seconds,
            connect_seconds=self.connect_seconds,
            middlewares=self._middlewares,
        )

    def _middlewares(self) -> Sequence[Any]:
        if self.digest is None:
            return ()
        from aiohttp import DigestAuthMiddleware

        return (DigestAuthMiddleware(self.digest.user, self.digest.password),)


def parse_web(address: Address, scheme: str) -> WebOptions:
    """The options of a remote whose URL means *scheme*: http or https. Raises `ConfigError`."""
    try:
        parts = urlsplit(address.url)
        port = parts.port
    except ValueError:
        raise _no_url(address) from None
    if not parts.hostname or port == 0 or parts.query or parts.fragment:
        raise _no_url(address)
    server = f"{scheme}://{parts.netloc.rpartition('@')[2]}"
    base = server + quote(unquote(parts.path), safe="/:@!$&'()*+,;=~").rstrip("/")
    read = SettingsReader(address)
    login = None
    if parts.password:
        login = Login(unquote(parts.username or ""), unquote(parts.password), "the URL")
    elif parts.username and read.text("user") is None:
        address = replace(address, settings={**address.settings, "user": unquote(parts.username)})
    headers, digest, said = _credentials(address, server, login)
    return WebOptions(
        name=address.name,
        url=redact(address.url),
        base=base,
        network=_network(address, read, server),
        headers=headers,
        digest=digest,
        tried=said,
        advice=login_help(address, server),
        connect_seconds=read.seconds("connect_timeout", CONNECT_SECONDS),
        read_seconds=read.seconds("read_timeout", read.seconds("timeout", READ_SECONDS)),
    )


def _credentials(address: Address, server: str, login: Login | None) -> tuple[dict[str, str], Login | None, str]:
    """Headers of every request, a login for digest authentication, and in words what they are."""
    read = SettingsReader(address)
    header, token, command = (read.text(key) for key in ("custom_auth_header", "token", "bearer_token_command"))
    if header is not None:
        secret = read.text("password")
        if secret is None:
            raise ConfigError(
                f"remote {address.name}: custom_auth_header {header} without a password, which is what it sends",
                hint=f"`dvtool remote modify --local {address.name} password VALUE`",
            )
        return {header: secret}, None, tried(address, ("custom_auth_header", "password"), "")
    if token is None and command is not None:
        token = _token_of(address, command)
    if token is not None:
        keys = ("token", "bearer_token_command")
        return {"Authorization": f"Bearer {token}"}, None, tried(address, keys, "")
    login = login or find_login(address, server)
    if login is None:
        return {}, None, "no credentials"
    said = f"user {login.user} with the password in {login.source}"
    if read.choice("auth", _AUTH) == "digest":
        return {}, login, said
    code = base64.b64encode(f"{login.user}:{login.password}".encode()).decode("ascii")
    return {"Authorization": f"Basic {code}"}, None, said


def _token_of(address: Address, command: str) -> str:
    """What the user's own program prints. Only user scope may name one."""
    failed = AccessDenied(
        f"remote {address.name}: bearer_token_command gave no token", hint=f"run it by hand: {redact(command)}"
    )
    try:
        done = subprocess.run(
            shlex.split(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_COMMAND_SECONDS,
            check=True,
            env=dict(address.environ),
        )
        token = done.stdout.decode("ascii").strip()
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise failed from error
    if not token.isprintable() or not token:
        raise failed
    return token


def _network(address: Address, read: SettingsReader, server: str) -> Network:
    network = network_of(address, server)
    certificate = read.path("cert_path")
    if certificate is None:
        return network
    return replace(network, certificate=(certificate, read.path("key_path")))


def _no_url(address: Address) -> ConfigError:
    scheme = address.url.partition("://")[0]
    return ConfigError(
        f"remote {address.name}: {redact(address.url)} is not {scheme}://HOST/DIRECTORY",
        hint=f"`dvtool remote modify {address.name} url {scheme}://HOST/DIRECTORY`",
    )
