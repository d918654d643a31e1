"""Plain web servers: nginx, read as `RemoteSuite` wants it, and what else servers do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import ExitStack
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.errors import MissingData
from dvtool.errors import StorageError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.drivers.local import LocalRemote
from dvtool.remote.failures import TransientError
from dvtool.remote.table import open_bare
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.nginx import HEADER
from tests.support.nginx import PASSWORD
from tests.support.nginx import TOKEN
from tests.support.nginx import USER
from tests.support.nginx import Nginx


class Client(Protocol):
    def __call__(
        self, url: str, settings: Mapping[str, str] | None = None, environ: Mapping[str, str] | None = None
    ) -> Remote: ...


@pytest.fixture
def client() -> Iterator[Client]:
    """Opens remotes that are closed with the test."""
    with ExitStack() as opened:
        yield lambda url, settings=None, environ=None: opened.enter_context(
            closing(open_bare(Address("pub", url, settings or {}, b"/", environ or {})))
        )


class TestNginx(RemoteSuite):
    how = "files"

    @pytest.fixture
    def place(self, nginx: Nginx) -> str:
        return nginx.new_place()

    @pytest.fixture
    def address(self, nginx: Nginx, place: str) -> Address:
        return Address("pub", nginx.url(place, self.how), {}, b"/", {})

    @pytest.fixture
    def open_writer(self, nginx: Nginx, place: str) -> OpenClient:
        return lambda: LocalRemote("writer", os.fsencode(nginx.directory(place)))

    @pytest.fixture
    def open_absent(self) -> None:
        return None


class TestNginxWithoutRanges(TestNginx):
    how = "files-whole"


@pytest.fixture
def place(nginx: Nginx) -> str:
    name = nginx.new_place()
    (nginx.directory(name) / "k").write_bytes(b"0123456789")
    return name


@pytest.mark.parametrize(
    ("how", "settings"),
    [
        ("files-login", {"user": USER, "password": PASSWORD}),
        ("files-header", {"custom_auth_header": HEADER, "password": TOKEN}),
        ("dav-token", {"token": TOKEN}),
        ("dav-token", {"bearer_token_command": f"echo {TOKEN}"}),
    ],
)
def test_credentials_are_sent_and_missed(
    client: Client, nginx: Nginx, place: str, how: str, settings: dict[str, str]
) -> None:
    url = nginx.url(place, how)
    environ = {"PATH": os.defpath}
    assert client(url, settings, environ).get("k") == b"0123456789"
    with pytest.raises(AccessDenied) as refused:
        client(url, {}, environ).get("k")
    assert "no credentials" in (refused.value.hint or "")
    wrong = {key: "echo wrong" if key == "bearer_token_command" else "wrong" for key in settings}
    wrong["custom_auth_header"] = HEADER
    with pytest.raises(AccessDenied) as refused:
        client(url, wrong | {"password": "wrong"}, environ).stat("k")
    assert "tried" in (refused.value.hint or "") and "wrong" not in str(refused.value)


def test_netrc_and_user_in_the_url(client: Client, nginx: Nginx, place: str, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    environ = {"NETRC": str(tmp_path / "netrc")}
    url = nginx.url(place, "files-login")
    assert client(url, {}, environ).get("k") == b"0123456789"
    assert client(url.replace("//", f"//{USER}@"), {}, environ).get("k") == b"0123456789"
    with pytest.raises(AccessDenied):
        client(url.replace("//", "//somebody@"), {}, environ).get("k")
    with_password = url.replace("//", f"//{USER}:{PASSWORD}@")
    remote = client(with_password)
    assert remote.get("k") == b"0123456789"
    assert PASSWORD not in remote.url


def test_a_bearer_token_command_that_fails(client: Client, nginx: Nginx, place: str) -> None:
    for command in ("false", "no-such-program-here", "echo", "'"):
        with pytest.raises(AccessDenied, match="bearer_token_command"):
            client(nginx.url(place), {"bearer_token_command": command}, {"PATH": os.defpath})


def test_certificates(client: Client, nginx: Nginx, place: str) -> None:
    url = nginx.url(place, "files", "https")
    with pytest.raises(StorageError, match="TLS"):
        client(url).get("k")
    authority = str(nginx.authority)
    assert client(url, {"ssl_verify": authority}).get("k") == b"0123456789"
    assert client(url, {}, {"SSL_CERT_FILE": authority}).get("k") == b"0123456789"
    assert client(url, {"ssl_verify": "false"}).get("k") == b"0123456789"


def test_redirects_are_followed(client: Client, nginx: Nginx, place: str, tmp_path: Path) -> None:
    remote = client(f"http://127.0.0.1:{nginx.port}/moved/{place}")
    assert remote.get("k", 2, 3) == b"234"
    item = remote.stat("k")
    assert item is not None and item.size == 10
    remote.get_file("k", os.fsencode(tmp_path / "k"), 10)
    with pytest.raises(MissingData):
        remote.get("absent")


def test_a_server_that_has_too_much_to_do(client: Client, nginx: Nginx, place: str) -> None:
    with pytest.raises(TransientError) as busy:
        client(f"http://127.0.0.1:{nginx.port}/busy/{place}").get("k")
    assert busy.value.retry_after == 1 and busy.value.overloaded


def test_nothing_is_written(client: Client, nginx: Nginx, place: str, tmp_path: Path) -> None:
    remote = client(nginx.url(place))
    (tmp_path / "f").write_bytes(b"x")
    for write in (
        lambda: remote.put("k2", b"x"),
        lambda: remote.put_file("k2", os.fsencode(tmp_path / "f")),
        lambda: remote.delete("k"),
    ):
        with pytest.raises(AccessDenied, match="can only be read"):
            write()
    with pytest.raises(StorageError, match="cannot be listed"):
        remote.list("")
    assert nginx.requests(place) == []


@pytest.mark.parametrize(
    "url", ["http://", "http:///x", "http://h:0/x", "http://h:x/y", "https://h/x?y=1", "http://h/#x"]
)
def test_what_is_no_url(client: Client, url: str) -> None:
    with pytest.raises(ConfigError):
        client(url)


def test_a_header_without_its_secret(client: Client) -> None:
    with pytest.raises(ConfigError, match="custom_auth_header"):
        client("http://127.0.0.1/x", {"custom_auth_header": "X-Token"})
