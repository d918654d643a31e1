"""The settings of an S3 remote, read once and checked."""

from __future__ import annotations

from dataclasses import dataclass

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader
from dvtool.remote.drivers.s3.protection import UNPROTECTED
from dvtool.remote.drivers.s3.protection import Protection
from dvtool.remote.drivers.s3.protection import parse_protection
from dvtool.remote.network import network_of
from dvtool.remote.redact import redact

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0

_SLOWEST = 64 << 10
_ADDRESSING = ("auto", "path", "virtual")


@dataclass(frozen=True, slots=True)
class Service:
    """Whose service speaks S3, where it differs from Amazon's.

    ``endpoint_key``, ``keys_help``: the setting that names the server, what to do about refused credentials
    (with ``{name}`` of the remote). ``create_only``, ``unfinished``: as in `Capabilities`.
    """

    scheme: str = "s3"
    endpoint_key: str = "endpointurl"
    keys_help: str = (
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or `dvtool remote modify --local {name} profile PROFILE`"
    )
    create_only: bool = True
    unfinished: bool = True


@dataclass(frozen=True, slots=True)
class S3Options:
    """Where the bucket is and as whom it is opened. Times in seconds.

    ``prefix`` is empty or ends in ``/``. Without ``access_key`` or ``profile`` botocore's own
    chain finds credentials: environment, ``~/.aws``, container, instance.
    """

    bucket: str
    prefix: str
    endpoint: str | None = None
    region: str | None = None
    profile: str | None = None
    credential_path: str | None = None
    config_path: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    verify: bool | str = True
    proxy: str | None = None
    use_ssl: bool = True
    anonymous: bool = False
    addressing: str = "auto"
    connect_timeout: float = CONNECT_SECONDS
    read_timeout: float = READ_SECONDS
    service: Service = Service()
    protection: Protection = UNPROTECTED

    @property
    def url(self) -> str:
        return f"{self.service.scheme}://{self.bucket}/{self.prefix}".rstrip("/")

    def patience(self, size: int) -> float:
        """Seconds that sending *size* bytes in one request may take: a line slower than 64 KiB/s counts as dead.

        aiohttp has no time limit of its own while it sends or waits for "100 Continue".
        """
        return self.connect_timeout + self.read_timeout + size / _SLOWEST

    @property
    def host(self) -> str:
        """What is contacted, as it may be shown."""
        return redact(self.endpoint) if self.endpoint else f"Amazon S3 ({self.region or 'default region'})"


def parse_s3(address: Address) -> S3Options:
    """Check URL and settings; raises `ConfigError`, `UnsafeInput`."""
    name, environ = address.name, address.environ
    bucket, prefix = _bucket_and_prefix(name, address.url)
    read = SettingsReader(address)
    access_key, secret_key = read.text("access_key_id"), read.text("secret_access_key")
    token = read.text("session_token")
    if (access_key is None) != (secret_key is None):
        raise ConfigError(
            f"remote {name}: access_key_id and secret_access_key go together",
            hint=f"`dvtool remote modify --local {name} secret_access_key ...`",
        )
    profile = read.text("profile")
    if access_key is None and profile is None and environ.get("AWS_SECRET_ACCESS_KEY"):
        access_key, secret_key = environ.get("AWS_ACCESS_KEY_ID"), environ["AWS_SECRET_ACCESS_KEY"]
        token = environ.get("AWS_SESSION_TOKEN")
    endpoint = read.endpoint("endpointurl")
    secure = read.flag("use_ssl", default=True)
    server = endpoint or f"{'https' if secure else 'http'}://{bucket}.s3.amazonaws.com"
    network = network_of(address, server, ca_variables=("AWS_CA_BUNDLE",))
    return S3Options(
        bucket=bucket,
        prefix=prefix,
        endpoint=endpoint,
        region=read.text("region"),
        profile=profile,
        credential_path=read.path("credentialpath"),
        config_path=read.path("configpath"),
        access_key=access_key,
        secret_key=secret_key,
        session_token=token,
        verify=network.verify,
        proxy=network.proxy,
        use_ssl=secure,
        anonymous=read.flag("allow_anonymous_login", default=False),
        addressing=read.choice("addressing_style", _ADDRESSING),
        connect_timeout=read.seconds("connect_timeout", CONNECT_SECONDS),
        read_timeout=read.seconds("read_timeout", READ_SECONDS),
        protection=parse_protection(address, read),
    )


def _bucket_and_prefix(name: str, url: str) -> tuple[str, str]:
    rest = url[len("s3://") :]
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket:
        raise UnsafeInput(
            f"remote {name}: the URL carries a user or a password: {redact(url)}",
            hint=f"`dvtool remote modify --local {name} access_key_id ...`, or use a profile",
        )
    parts = [part for part in prefix.split("/") if part]
    if not bucket or ":" in bucket or any(part in (".", "..") for part in parts) or "?" in url or "#" in url:
        raise ConfigError(
            f"remote {name}: {redact(url)} is not s3://BUCKET/PATH", hint=f"`dvtool config remote.{name}.url`"
        )
    return bucket, "".join(part + "/" for part in parts)
