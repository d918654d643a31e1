from __future__ import annotations

import pytest

from dvtool.errors import ConfigError
from dvtool.remote.address import Address
from dvtool.remote.drivers.oss import as_s3
from dvtool.remote.drivers.oss import open_driver

KEYS = {"oss_key_id": "id", "oss_key_secret": "secret"}


def address(settings: dict[str, str], environ: dict[str, str] | None = None) -> Address:
    return Address("origin", "oss://bucket/some/path", settings, b"/", environ or {})


@pytest.mark.parametrize(
    ("endpoint", "url", "region"),
    [
        ("oss-cn-beijing.aliyuncs.com", "https://s3.oss-cn-beijing.aliyuncs.com", "cn-beijing"),
        ("https://oss-cn-beijing.aliyuncs.com/", "https://s3.oss-cn-beijing.aliyuncs.com", "cn-beijing"),
        ("oss-us-west-1-internal.aliyuncs.com", "https://s3.oss-us-west-1-internal.aliyuncs.com", "us-west-1"),
        ("s3.oss-cn-beijing.aliyuncs.com", "https://s3.oss-cn-beijing.aliyuncs.com", "cn-beijing"),
        ("http://oss.example:8080", "http://oss.example:8080", "us-east-1"),
    ],
)
def test_the_documented_address(endpoint: str, url: str, region: str) -> None:
    settings = as_s3(address({"oss_endpoint": endpoint, **KEYS})).settings
    assert (settings["endpointurl"], settings["region"], settings["addressing_style"]) == (url, region, "virtual")


def test_keys_from_variables_and_never_those_of_amazon() -> None:
    amazon = {"AWS_ACCESS_KEY_ID": "aws", "AWS_SECRET_ACCESS_KEY": "aws-secret"}
    environ = {"OSS_ENDPOINT": "oss-cn-x.aliyuncs.com", "OSS_ACCESS_KEY_ID": "id", "OSS_ACCESS_KEY_SECRET": "secret"}
    as_given = as_s3(address({}, {**environ, **amazon}))
    assert as_given.settings["access_key_id"] == "id"
    assert not set(as_given.environ) & set(amazon)
    with pytest.raises(ConfigError, match="no access key"):
        as_s3(address({"oss_endpoint": "oss-cn-x.aliyuncs.com"}, amazon))


@pytest.mark.parametrize(
    "settings",
    [
        KEYS,
        {"oss_endpoint": "https://user:secret@oss.example", **KEYS},
        {"oss_endpoint": "ftp://oss.example", **KEYS},
        {"oss_endpoint": "oss-cn-x.aliyuncs.com", "oss_key_id": "id"},
    ],
)
def test_what_makes_no_sense(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        as_s3(address(settings))


def test_what_the_service_does_not_have() -> None:
    remote = open_driver(address({"oss_endpoint": "oss-cn-x.aliyuncs.com", **KEYS}))
    assert remote.url == "oss://bucket/some/path"
    assert not remote.capabilities.create_only
    assert not remote.capabilities.unfinished
