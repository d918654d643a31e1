"""Where a name and a password for a server come from, and which host they go to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.backend
import pytest

from dvtool.errors import ConfigError
from dvtool.errors import StorageError
from dvtool.remote.address import Address
from dvtool.remote.logins import Login
from dvtool.remote.logins import find_login
from dvtool.remote.logins import login_help
from dvtool.remote.logins import read_netrc

SERVER = "https://dav.example.org:8443"


class Drawer(keyring.backend.KeyringBackend):
    """A keyring that is a dictionary."""

    priority = 1.0

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def get_credential(self, service: str, username: str | None) -> Any:
        from keyring.credentials import SimpleCredential

        for (name, user), password in self.held.items():
            if name == service and username in (None, user):
                return SimpleCredential(user, password)
        return None


@pytest.fixture(autouse=True)
def drawer() -> Iterator[Drawer]:
    before = keyring.get_keyring()
    mine = Drawer()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)


def address(tmp_path: Path, netrc: str | None = None, **settings: str) -> Address:
    if netrc is not None:
        (tmp_path / ".netrc").write_text(netrc, encoding="utf-8")
    origins = dict.fromkeys(settings, "the local config")
    return Address("origin", "webdav://x", settings, b"/", {"HOME": str(tmp_path)}, origins)


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    assert find_login(address(tmp_path), SERVER) is None
    assert find_login(Address("origin", "x", {}, b"/", {}), SERVER) is None


def test_the_order_is_settings_netrc_keyring(tmp_path: Path, drawer: Drawer) -> None:
    drawer.set_password(SERVER, "ann", "from the keyring")
    found = find_login(address(tmp_path), SERVER)
    assert found == Login("ann", "from the keyring", f"the keyring ({SERVER})")
    found = find_login(address(tmp_path, "machine dav.example.org login ann password file"), SERVER)
    assert found == Login("ann", "file", str(tmp_path / ".netrc"))
    assert find_login(address(tmp_path, user="ann", password="set"), SERVER) == Login("ann", "set", "the local config")


def test_a_user_selects_among_the_entries(tmp_path: Path, drawer: Drawer) -> None:
    netrc = "machine dav.example.org login ann password 1\nmachine dav.example.org login bob password 2\n"
    drawer.set_password(SERVER, "eve", "3")
    for user, password in (("ann", "1"), ("bob", "2"), ("eve", "3")):
        found = find_login(address(tmp_path, netrc, user=user), SERVER)
        assert found is not None and (found.user, found.password) == (user, password)
    assert find_login(address(tmp_path, netrc, user="joe"), SERVER) is None


@pytest.mark.parametrize(
    ("machine", "matches"),
    [
        ("dav.example.org", True),
        ("dav.example.org:8443", True),
        ("DAV.Example.org", True),
        ("dav.example.org:443", False),
        ("example.org", False),
        ("dav.example.org.evil.test", False),
    ],
)
def test_only_the_host_that_is_named_gets_the_password(tmp_path: Path, machine: str, matches: bool) -> None:
    found = find_login(address(tmp_path, f"machine {machine} login ann password pw"), SERVER)
    assert (found is not None) == matches


def test_default_of_netrc_is_for_any_host_and_so_for_none(tmp_path: Path) -> None:
    assert find_login(address(tmp_path, "default login ann password pw"), SERVER) is None


def test_the_netrc_of_the_environment_comes_instead(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("machine dav.example.org login ann password other")
    environ = {"HOME": str(tmp_path), "NETRC": str(tmp_path / "other")}
    found = find_login(Address("origin", "x", {}, b"/", environ), SERVER)
    assert found is not None and found.password == "other"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("machine a login b password c", [("a", {"login": "b", "password": "c"})]),
        (
            "machine a\n  login b\n\tpassword c\nmachine d login e",
            [("a", {"login": "b", "password": "c"}), ("d", {"login": "e"})],
        ),
        ('machine a password "with space and \\"quotes\\" \\\\"', [("a", {"password": 'with space and "quotes" \\'})]),
        ('machine a password mid"dle\\n#hash', [("a", {"password": 'mid"dle\\n#hash'})]),
        ("# machine x\nmachine a login b # password c\n", [("a", {"login": "b"})]),
        ("machine a login b\nmacdef init\nput machine\nmachine x\n\nmachine c", [("a", {"login": "b"}), ("c", {})]),
        ("machine a login b\ndefault login c", [("a", {"login": "b"})]),
        ("machine a account b password", [("a", {"account": "b", "password": ""})]),
    ],
)
def test_reading_netrc(text: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert list(read_netrc(text, "f")) == expected


def test_what_is_no_netrc_is_refused_without_showing_it(tmp_path: Path) -> None:
    for text in ("hunter2 machine dav.example.org", "machine dav.example.org passwd hunter2"):
        with pytest.raises(ConfigError) as caught:
            find_login(address(tmp_path, text), SERVER)
        assert str(tmp_path) in caught.value.message
        assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"
    (tmp_path / ".netrc").write_bytes(b"machine \xff")
    with pytest.raises(ConfigError):
        find_login(address(tmp_path), SERVER)


def test_a_netrc_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / ".netrc").mkdir()
    with pytest.raises(StorageError, match="netrc"):
        find_login(address(tmp_path), SERVER)


def test_a_password_without_a_user_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="without a user"):
        find_login(address(tmp_path, password="pw"), SERVER)


def test_a_keyring_that_fails_counts_as_empty(tmp_path: Path) -> None:
    import keyring.backends.fail

    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    assert find_login(address(tmp_path), SERVER) is None


def test_keyring_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert find_login(address(tmp_path), SERVER) is None


def test_the_password_is_in_no_repr_and_in_no_help(tmp_path: Path) -> None:
    assert "hush" not in repr(Login("ann", "hush", "netrc"))
    assert "dav.example.org in ~/.netrc" in login_help(address(tmp_path, password="hush"), SERVER)
    assert "hush" not in login_help(address(tmp_path, password="hush"), SERVER)
