"""Aliyun OSS, through its S3-compatible endpoint.

Not through ossfs: it stands on libraries of 2024. By its documentation OSS takes the bucket in the host name
only and no chunked signed bodies (the S3 driver sends none, for its checksums are off), and has at this endpoint
no condition on a put and no list of unfinished uploads.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

from dvtool.errors import ConfigError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.redact import redact

_NATIVE = re.compile(r"oss-(?P<region>[a-z0-9-]+?)(-internal)?\.aliyuncs\.com", re.ASCII)
_COMPATIBLE = "s3."
_KEYS_HELP = (
    "set OSS_ACCESS_KEY_ID and OSS_ACCESS_KEY_SECRET, or `dvtool remote modify --local {name} oss_key_secret SECRET`"
)


def open_driver(address: Address) -> Remote:
    """Raises `ConfigError`, `UnsafeInput` for a URL or settings that make no sense."""
    from dvtool.remote.drivers.s3.driver import S3Remote
    from dvtool.remote.drivers.s3.options import Service
    from dvtool.remote.drivers.s3.options import parse_s3

    service = Service(
        scheme="oss",
        endpoint_key="oss_endpoint",
        keys_help=_KEYS_HELP,
        create_only=False,
        unfinished=False,
    )
    return S3Remote(address.name, replace(parse_s3(as_s3(address)), service=service))


def as_s3(address: Address) -> Address:
    """The same place as an S3 remote."""
    name, environ = address.name, address.environ
    read = SettingsReader(address)
    bucket = address.rest.partition("/")[0]
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", bucket, re.ASCII):
        raise ConfigError(
            f"remote {name}: {redact(address.url)} is not oss://BUCKET/PATH", hint=f"`dvtool config remote.{name}.url`"
        )
    url, region = _server(address, read.text("oss_endpoint") or environ.get("OSS_ENDPOINT") or "")
    key, secret, token = read.text("oss_key_id"), read.text("oss_key_secret"), None
    if key is None and secret is None:
        key, secret = environ.get("OSS_ACCESS_KEY_ID") or None, environ.get("OSS_ACCESS_KEY_SECRET") or None
        token = environ.get("OSS_SESSION_TOKEN") or None
    anonymous = read.flag("allow_anonymous_login", default=False)
    if not anonymous and (key is None or secret is None):
        raise ConfigError(
            f"remote {name}: no access key for {url}: oss_key_id and oss_key_secret go together",
            hint=_KEYS_HELP.format(name=name),
        )
    keys = {"access_key_id": key, "secret_access_key": secret, "session_token": token}
    own = ("oss_endpoint", "oss_key_id", "oss_key_secret", "region", "profile", "credentialpath", "configpath")
    settings = {key: value for key, value in address.settings.items() if key not in own}
    settings |= {"endpointurl": url, "region": region, "addressing_style": "virtual"}
    if not anonymous:
        settings |= {key: value for key, value in keys.items() if value}
    # What stands in AWS_* is nobody's business here.
    other = {variable: value for variable, value in environ.items() if not variable.startswith("AWS_")}
    return replace(address, url=f"s3://{address.rest}", settings=settings, environ=other)


def _server(address: Address, endpoint: str) -> tuple[str, str]:
    """The URL of the S3-compatible server and its region."""
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    host = (parts.hostname or "").lower()
    if not host or parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.path.strip("/"):
        raise ConfigError(
            f"remote {address.name}: oss_endpoint = {redact(endpoint)} is not the address of a region of OSS",
            hint=f"`dvtool config remote.{address.name}.oss_endpoint oss-REGION.aliyuncs.com`",
        )
    native = _NATIVE.fullmatch(host)
    found = native or _NATIVE.fullmatch(host.removeprefix(_COMPATIBLE))
    netloc = (_COMPATIBLE if native else "") + parts.netloc.lower()
    return f"{parts.scheme}://{netloc}", found["region"] if found else "us-east-1"
