"""User names and passwords for servers that ask for them: settings, then netrc, then the keyring.

Whatever comes from netrc or the keyring is bound to its host there, so it never goes to another one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from urllib.parse import urlsplit

from dvtool.errors import ConfigError
from dvtool.errors import storage_error
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader

_MOST_BYTES = 1 << 20
_FIELDS = ("login", "password", "account")
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password. *source* says in words where they come from; the password is not in the repr."""

    user: str
    password: str = field(repr=False)
    source: str


def find_login(address: Address, server: str) -> Login | None:
    """The first there is for *server* (``scheme://host[:port]``): `user` and `password` of the remote as they are
    configured (the environment included), an entry of netrc, one of the keyring.

    A configured `user` alone selects among the entries. Raises `ConfigError` for a netrc that cannot be
    understood, `StorageError` for one that cannot be read.
    """
    read = SettingsReader(address)
    user, password = read.text("user"), read.text("password")
    if password is not None:
        if user is None:
            raise ConfigError(
                f"remote {address.name}: a password without a user",
                hint=f"`dvtool remote modify --local {address.name} user NAME`",
            )
        return Login(user, password, address.origins.get("password", "the config"))
    return _from_netrc(address, server, user) or _from_keyring(server, user)


def login_help(address: Address, server: str) -> str:
    """What to do where no login was found or it was refused: the next step, for a hint."""
    return (
        f"`dvtool remote modify --local {address.name} user NAME` and `... password PASSWORD`, "
        f"or a line for {urlsplit(server).hostname} in ~/.netrc, or `keyring set {server} NAME`"
    )


def _from_netrc(address: Address, server: str, user: str | None) -> Login | None:
    path = netrc_path(address)
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text", path=path, hint="see `man netrc`") from error
    parts = urlsplit(server)
    hosts = (parts.netloc.rpartition("@")[2].lower(), parts.hostname)
    for machine, found in read_netrc(text, path):
        name, password = found.get("login"), found.get("password")
        if machine.lower() in hosts and name and password and user in (None, name):
            return Login(name, password, path)
    return None


def netrc_path(address: Address) -> str | None:
    """``$NETRC``, else ``~/.netrc``."""
    stated = address.environ.get("NETRC")
    if stated:
        return stated
    home = address.environ.get("HOME")
    return os.path.join(home, ".netrc") if home else None


def read_netrc(text: str, path: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each ``machine`` with its fields. ``default`` is passed over: it would send a password to any host."""
    words = _words(text)
    machine: str | None = None
    found: dict[str, str] = {}
    for word in words:
        if word in ("machine", "default"):
            if machine is not None:
                yield machine, found
            machine, found = (next(words, "") if word == "machine" else None), {}
        elif word in _FIELDS:
            found[word] = next(words, "")
        else:
            raise ConfigError(
                f"{path}: there is a word that does not belong into a netrc file",
                path=path,
                hint="a line is: machine HOST login NAME password PASSWORD",
            )
    if machine is not None:
        yield machine, found


def _words(text: str) -> Iterator[str]:
    in_macro = False
    for line in text.splitlines():
        if in_macro:
            in_macro = bool(line.strip())
            continue
        for match in _WORD.finditer(line):
            quoted, plain = match.groups()
            if plain == "macdef":
                in_macro = True
            if in_macro or (plain or "").startswith("#"):
                break
            yield plain or re.sub(r"\\(.)", r"\1", quoted or "")


def _from_keyring(server: str, user: str | None) -> Login | None:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        found = keyring.get_credential(server, user)
    except (KeyringError, RuntimeError):
        return None  # no keyring service runs here, or the user did not unlock it
    if found is None or not found.password:
        return None
    return Login(found.username or user or "", found.password, f"the keyring ({server})")
