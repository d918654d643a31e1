from __future__ import annotations

from pathlib import Path

import pytest

from dvtool.errors import ConfigError
from dvtool.remote.address import Address
from dvtool.remote.network import network_of
from dvtool.remote.network import proxy_from_environment

SERVER = "https://s3.example.org:9000"


def address(settings: dict[str, str] | None = None, environ: dict[str, str] | None = None) -> Address:
    return Address("origin", "s3://b/x", settings or {}, b"/project", environ or {})


@pytest.mark.parametrize(
    ("environ", "server", "expected"),
    [
        ({}, SERVER, None),
        ({"HTTPS_PROXY": "http://p:3128"}, SERVER, "http://p:3128"),
        ({"https_proxy": "http://small:1", "HTTPS_PROXY": "http://p:3128"}, SERVER, "http://small:1"),
        ({"HTTP_PROXY": "http://p:3128"}, SERVER, None),
        ({"HTTP_PROXY": "http://p:3128"}, "http://s3.example.org", "http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128", "REQUEST_METHOD": "GET"}, "http://s3.example.org", None),
        ({"ALL_PROXY": "http://all:1"}, SERVER, "http://all:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, SERVER, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "localhost, .example.org"}, SERVER, None),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "s3.example.org:9000"}, SERVER, None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "s3.example.org:443"}, SERVER, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "ample.org,"}, SERVER, "http://p:1"),
    ],
)
def test_proxies_of_the_environment(environ: dict[str, str], server: str, expected: str | None) -> None:
    assert proxy_from_environment(environ, server) == expected
    assert network_of(address(environ=environ), server).proxy == expected


def test_the_setting_is_stronger_than_the_environment() -> None:
    environ = {"HTTPS_PROXY": "http://p:1"}
    assert network_of(address({"proxy": "http://mine:2"}, environ), SERVER).proxy == "http://mine:2"
    assert network_of(address({"proxy": "none"}, environ), SERVER).proxy is None
    assert network_of(address({"proxy": "mine:2"}), SERVER).proxy == "http://mine:2"


@pytest.mark.parametrize("value", ["socks5://p:1", "http://", "ftp://p"])
def test_what_is_no_proxy_is_told_without_its_password(value: str) -> None:
    with pytest.raises(ConfigError, match="is not http://HOST:PORT"):
        network_of(address({"proxy": value}), SERVER)
    with pytest.raises(ConfigError) as caught:
        network_of(address({"proxy": "socks5://me:hush@p:1"}), SERVER)
    assert "hush" not in str(caught.value)


def test_certificates(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    assert network_of(address(), SERVER).verify is True
    assert network_of(address({"ssl_verify": "false"}), SERVER).verify is False
    assert network_of(address({"ssl_verify": str(ca)}), SERVER).verify == str(ca)
    assert network_of(address(environ={"SSL_CERT_FILE": "/c"}), SERVER).verify == "/c"
    environ = {"SSL_CERT_FILE": "/c", "AWS_CA_BUNDLE": "/aws"}
    assert network_of(address(environ=environ), SERVER, ca_variables=("AWS_CA_BUNDLE",)).verify == "/aws"
    assert network_of(address({"ssl_verify": "true"}, environ), SERVER).verify is True
    assert network_of(address(environ=environ), "http://plain").verify is False, "no store is loaded for nothing"
    with pytest.raises(ConfigError, match="names no file"):
        network_of(address({"ssl_verify": "/no/such.pem"}), SERVER)
