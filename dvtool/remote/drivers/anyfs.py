"""Any other file system that fsspec knows, by its URL.

Little can be known of it beforehand, so little is promised: no create-only put, no server's time.
`dvtool remote test` tells the user what really works.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from typing import TYPE_CHECKING
from typing import Any

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.model.ports import Capabilities
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.failures import one_line
from dvtool.remote.fsspec_driver import FsspecLayout
from dvtool.remote.fsspec_driver import FsspecRemote
from dvtool.remote.fsspec_failures import Place
from dvtool.remote.logins import find_login
from dvtool.remote.redact import redact

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_WRAPS = "it leads to another URL"
_READS = "it reads local files"
_RUNS = "it starts programs"
_KEEPS = "it keeps nothing"
_REFUSED = {
    "arrow_hdfs": _RUNS,
    "async_wrapper": _WRAPS,
    "asynclocal": _READS,
    "asyncwrapper": _WRAPS,
    "blockcache": _WRAPS,
    "cached": _WRAPS,
    "dask": _RUNS,
    "data": _KEEPS,
    "dir": _WRAPS,
    "dvc": _READS,
    "filecache": _WRAPS,
    "generic": _WRAPS,
    "git": _READS,
    "libarchive": _READS,
    "local": _READS,
    "memory": _KEEPS,
    "pyscript": _RUNS,
    "reference": _WRAPS,
    "simplecache": _WRAPS,
    "tar": _READS,
    "zip": _READS,
}
"""Protocols that do something else than reach a server, and what."""

_CONCURRENCY = 8
_CLIENTS = ("ftp", "client", "session")
"""Where file systems of one connection keep it."""


def check_scheme(name: str, scheme: str, known: tuple[str, ...]) -> None:
    """Raise `UnsafeInput` for a protocol that is refused, `ConfigError` for one that fsspec has not either.

    *known*: the schemes with a driver of their own, for the hint.
    """
    if scheme in _REFUSED:
        raise UnsafeInput(
            f"remote {name}: {scheme}:// is refused: {_REFUSED[scheme]}",
            hint="a directory is written as its path; a server by its own URL",
        )
    from fsspec import available_protocols

    if scheme not in available_protocols():
        raise ConfigError(
            f"remote {name}: no driver for {scheme}://",
            hint="known are: a directory, "
            + ", ".join(f"{each}://" for each in known)
            + ", and every protocol that fsspec has a package for",
        )


def open_driver(address: Address) -> Remote:
    """Raises `ConfigError` for a package that is not installed, or ``fs_options`` that are no JSON object."""
    from fsspec import get_filesystem_class

    name = address.name
    scheme = address.url.partition("://")[0].lower()
    try:
        found: type[AbstractFileSystem] = get_filesystem_class(scheme)
    except ImportError as error:
        raise ConfigError(
            f"remote {name}: {scheme}:// needs a package that is not installed: {one_line(error)}",
            hint="install it beside dvtool, then run the same command again",
        ) from error
    from_url = _from_url(found, address)
    host = str(from_url.get("host") or "")
    given = _options(address)
    options = {**from_url, **_login(found, address, scheme, from_url, given), **given}
    is_exclusive = not getattr(found, "async_impl", False)
    capabilities = Capabilities(create_only=False, server_time=False, concurrency=1 if is_exclusive else _CONCURRENCY)

    def connect() -> AbstractFileSystem:
        try:
            return found(**options, **_uncached(found))
        except TypeError as error:
            raise ConfigError(
                f"remote {name}: the driver of {scheme}:// does not take these options: {redact(one_line(error))}",
                hint=f"""dvtool remote modify --local {name} fs_options '{{"KEY": "VALUE"}}'""",
            ) from error

    return FsspecRemote(
        Place(name, host or f"{scheme}://", f"user {options['username']}" if options.get("username") else ""),
        redact(address.url),
        connect,
        _layout(found, address),
        capabilities,
        exclusive=is_exclusive,
        disconnect=_disconnect,
    )


def _from_url(found: type[AbstractFileSystem], address: Address) -> dict[str, Any]:
    try:
        return dict(found._get_kwargs_from_urls(address.url))  # noqa: SLF001 - what `url_to_fs` calls, too
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"remote {address.name}: {redact(address.url)} is not understood: {one_line(error)}",
            hint=f"`dvtool config remote.{address.name}.url`",
        ) from error


def _options(address: Address) -> dict[str, Any]:
    text = SettingsReader(address).text("fs_options")
    if text is None:
        return {}
    with contextlib.suppress(ValueError):
        value = json.loads(text)
        if isinstance(value, dict):
            return value
    raise ConfigError(
        f"remote {address.name}: fs_options is not a JSON object",
        hint=f"""dvtool remote modify --local {address.name} fs_options '{{"KEY": "VALUE"}}'""",
    )


def _login(
    found: type[AbstractFileSystem], address: Address, scheme: str, from_url: dict[str, Any], given: dict[str, Any]
) -> dict[str, str]:
    """A name and a password from where other remotes have them, if the driver takes such and was given none."""
    takes = inspect.signature(found.__init__).parameters
    host = from_url.get("host")
    if not host or "password" not in takes or "username" not in takes:
        return {}
    if {"username", "password"} & given.keys() or from_url.get("password"):
        return {}
    port = f":{from_url['port']}" if from_url.get("port") else ""
    login = find_login(address, f"{scheme}://{host}{port}")
    if login is None or from_url.get("username") not in (None, login.user):
        return {}
    return {"username": login.user, "password": login.password}


def _uncached(found: type[AbstractFileSystem]) -> dict[str, Any]:
    """What switches off that a file system, or a listing of one, is kept for later."""
    options: dict[str, Any] = {"skip_instance_cache": True}
    takes = inspect.signature(found.__init__).parameters.values()
    if any(each.kind is each.VAR_KEYWORD or each.name == "use_listings_cache" for each in takes):
        options["use_listings_cache"] = False
    return options


def _layout(found: type[AbstractFileSystem], address: Address) -> FsspecLayout:
    """A class that renames has files, which are seen while they are written; the others have objects in a bucket."""
    from fsspec import AbstractFileSystem

    root = str(found._strip_protocol(address.url)).rstrip("/")  # noqa: SLF001 - what `url_to_fs` calls, too
    if any(part in (".", "..") for part in root.split("/")) or not root.strip("/"):
        raise ConfigError(
            f"remote {address.name}: {redact(address.url)} names no directory",
            hint=f"`dvtool config remote.{address.name}.url`",
        )
    renames = found.mv is not AbstractFileSystem.mv or hasattr(found, "_mv") or hasattr(found, "_mv_file")
    if renames:
        return FsspecLayout(root, root, staged=True, makes_root=True)
    slash = "/" if root.startswith("/") else ""
    return FsspecLayout(root, slash + root.strip("/").partition("/")[0], staged=False)


def _disconnect(filesystem: Any) -> None:
    for name in _CLIENTS:
        client: Any = getattr(filesystem, name, None)
        if hasattr(client, "close"):
            client.close()
