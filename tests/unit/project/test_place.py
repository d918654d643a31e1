"""What a user may write for another repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from dvtool.errors import DvtoolError
from dvtool.errors import UnsafeInput
from dvtool.project.environment import Environment
from dvtool.project.place import host_of
from dvtool.project.place import is_url
from dvtool.project.place import place_of
from dvtool.remote.reach import is_inside

HERE = Environment({}, b"/home/me", b"/work/here")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Git.Example.org/data/r.git", "git.example.org"),
        ("https://me@git.example.org:8443/r.git", "git.example.org"),
        ("ssh://git@git.example.org/r.git", "git.example.org"),
        ("git@git.example.org:data/r.git", "git.example.org"),
        ("https://[::1]:80/r.git", "::1"),
    ],
)
def test_hosts(url: str, host: str) -> None:
    assert place_of(url, HERE).host == host == host_of(url)
    assert is_url(url)


@pytest.mark.parametrize(
    ("text", "directory"), [("../r", b"/work/r"), ("~/r", b"/home/me/r"), ("/srv/r", b"/srv/r"), (".", b"/work/here")]
)
def test_directories(text: str, directory: bytes) -> None:
    assert place_of(text, HERE).directory == directory
    assert not is_url(text)


def test_a_directory_with_a_colon_is_one_where_it_is_there(tmp_path: Path) -> None:
    here = Environment({}, b"/home/me", str(tmp_path).encode())
    assert place_of("host:r", here).host == "host"
    (tmp_path / "host:r").mkdir()
    assert place_of("host:r", here).directory == str(tmp_path / "host:r").encode()


def test_a_password_is_kept_apart() -> None:
    place = place_of("https://me:secret@git.example.org/r.git", HERE)
    assert place.url == "https://git.example.org/r.git"
    assert "secret" in place.secret


@pytest.mark.parametrize(
    "url",
    [
        "-oProxyCommand=x",
        "--upload-pack=x",
        "ext::sh -c x",
        "fd::3",
        "ssh://-oProxyCommand=x/r",
        "https:///r.git",
        "https://host/a b",
        "https://host/a\nb",
        "s3://bucket/r",
        "javascript://x",
    ],
)
def test_what_could_start_something_is_refused(url: str) -> None:
    with pytest.raises(UnsafeInput):
        place_of(url, HERE)


@pytest.mark.parametrize("url", ["", "file://host/r", "host:-x"])
def test_what_is_no_repository_is_refused(url: str) -> None:
    with pytest.raises(DvtoolError):
        place_of(url, HERE)


@pytest.mark.parametrize(
    ("host", "inside"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("10.0.0.1", True),
        ("192.168.1.1", True),
        ("172.16.0.1", True),
        ("169.254.169.254", True),
        ("0.0.0.0", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("localhost", True),
        ("x.localhost", True),
        ("8.8.8.8", False),
        ("2001:4860:4860::8888", False),
    ],
)
def test_addresses_of_this_machine_and_its_network(host: str, inside: bool) -> None:
    assert is_inside(host) is inside
