"""Buckets of Hugging Face, through the S3-compatible gateway that they have.

Their own interface takes content over the Xet protocol only: one more client, which reports on every transfer to its
makers. The gateway is plain S3, and so is this driver.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any
from typing import TypeVar

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.drivers.s3.driver import S3Remote
from dvtool.remote.drivers.s3.options import parse_s3
from dvtool.remote.redact import redact

T = TypeVar("T")

GATEWAY = "https://s3.hf.co"
_SETTINGS = {"region": "us-east-1", "addressing_style": "path"}


def open_driver(address: Address) -> Remote:
    """Raises `ConfigError` for anything but ``hf://buckets/OWNER/NAME/PATH``, `UnsafeInput`."""
    return BucketRemote(address)


def s3_address(address: Address) -> Address:
    """The same bucket as S3 clients are told to name it: the owner belongs to the endpoint."""
    kind, _, rest = address.rest.partition("/")
    owner, _, bucket = rest.partition("/")
    if kind in ("datasets", "models", "spaces"):
        raise ConfigError(
            f"remote {address.name}: {redact(address.url)} is a Git repository, in which every write is a commit",
            hint="make a bucket at huggingface.co/new-bucket: hf://buckets/OWNER/NAME/PATH",
        )
    if kind != "buckets" or not owner or not bucket.strip("/") or "@" in owner:
        raise ConfigError(
            f"remote {address.name}: {redact(address.url)} is not hf://buckets/OWNER/NAME/PATH",
            hint=f"`dvtool config remote.{address.name}.url`",
        )
    settings = {**_SETTINGS, "endpointurl": f"{GATEWAY}/{owner}", **address.settings}
    return replace(address, url=f"s3://{bucket}", settings=settings)


class BucketRemote(S3Remote):
    """`S3Remote` that goes by its own URL and knows where its keys come from."""

    def __init__(self, address: Address) -> None:
        super().__init__(address.name, parse_s3(s3_address(address)))
        self.url = address.url

    def _run(self, doing: str, call: Callable[..., Coroutine[Any, Any, T]]) -> T:
        try:
            return super()._run(doing, call)
        except AccessDenied as error:
            advice = "in the settings of Hugging Face an access token has `Generate S3 credentials` (HF_TOKEN is none)"
            raise AccessDenied(error.message, hint=f"{error.hint}; {advice}") from error
