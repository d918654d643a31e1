"""Every kind of remote with a server in the tests, as its user sees it: for what must hold on all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import NamedTuple

import pytest

from tests.support.azurite import azurite
from tests.support.fakegcs import fakegcs
from tests.support.ftpd import ftpd
from tests.support.gdrive import drive
from tests.support.gdrive import robot_key
from tests.support.hfgateway import gateway
from tests.support.nginx import Nginx
from tests.support.nginx import nginx
from tests.support.remotestory import Where
from tests.support.samba import samba
from tests.support.seaweed import oss_settings
from tests.support.seaweed import seaweed
from tests.support.sshd import sshd

FIXTURES = (azurite, drive, fakegcs, ftpd, nginx, robot_key, samba, seaweed, sshd)
"""A module that uses `KINDS` must have them in its own names."""


class Kind(NamedTuple):
    """``written``: the same place otherwise, where a remote only reads."""

    where: Where
    written: Where | None = None


Make = Callable[[pytest.FixtureRequest, Path], Kind]


def _of(fixture: str) -> Make:
    """A kind whose fixture has ``new_url`` and ``settings``, and perhaps ``environment``."""

    def make(request: pytest.FixtureRequest, folder: Path) -> Kind:
        server: Any = request.getfixturevalue(fixture)
        return Kind(Where(server.new_url(), server.settings, getattr(server, "environment", {})))

    return make


def _directory(request: pytest.FixtureRequest, folder: Path) -> Kind:
    return Kind(Where(str(folder / "remote"), {}, {}))


def _http(request: pytest.FixtureRequest, folder: Path) -> Kind:
    server: Nginx = request.getfixturevalue("nginx")
    place = server.new_place()
    return Kind(Where(server.url(place), {}, {}), Where(str(server.directory(place)), {}, {}))


def _webdav(request: pytest.FixtureRequest, folder: Path) -> Kind:
    server: Nginx = request.getfixturevalue("nginx")
    return Kind(Where(server.url(server.new_place(), "dav", "webdav"), {}, {}))


def _drive(request: pytest.FixtureRequest, folder: Path) -> Kind:
    server: Any = request.getfixturevalue("drive")
    return Kind(Where(server.folder_url("/some/path"), server.settings, {}))


def _oss(request: pytest.FixtureRequest, folder: Path) -> Kind:
    server: Any = request.getfixturevalue("seaweed")
    return Kind(Where(f"oss{server.new_url()[2:]}", oss_settings(server), {}))


def _hf(request: pytest.FixtureRequest, folder: Path) -> Kind:
    hub = gateway(request.getfixturevalue("seaweed"))
    found = hub.__enter__()
    request.addfinalizer(lambda: hub.__exit__(None, None, None))
    return Kind(Where(found.new_url(), found.settings, {}))


KINDS: dict[str, Make] = {
    "directory": _directory,
    "s3": _of("seaweed"),
    "azure": _of("azurite"),
    "gcs": _of("fakegcs"),
    "ssh": _of("sshd"),
    "smb": _of("samba"),
    "http": _http,
    "webdav": _webdav,
    "ftp": _of("ftpd"),
    "oss": _oss,
    "gdrive": _drive,
    "hf": _hf,
}
