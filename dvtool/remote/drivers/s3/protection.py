"""How objects are encrypted on the server and who may read them: parameters of each request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dvtool.errors import ConfigError
from dvtool.remote.address import Address
from dvtool.remote.address import SettingsReader

_NEW_OBJECTS = {
    "sse": "ServerSideEncryption",
    "sse_kms_key_id": "SSEKMSKeyId",
    "acl": "ACL",
    "grant_read": "GrantRead",
    "grant_read_acp": "GrantReadACP",
    "grant_write_acp": "GrantWriteACP",
    "grant_full_control": "GrantFullControl",
}
_GRANTS = [key for key in _NEW_OBJECTS if key.startswith("grant_")]
_OWN_KEY_BYTES = 32


class Protection(NamedTuple):
    """``body``: what every request that carries bytes must say, in either direction; ``new``: what makes an object
    says besides."""

    body: Mapping[str, str] = {}
    new: Mapping[str, str] = {}


UNPROTECTED = Protection()


def parse_protection(address: Address, read: SettingsReader) -> Protection:
    """Raises `ConfigError` for settings that exclude each other."""
    name = address.name
    new = {parameter: value for key, parameter in _NEW_OBJECTS.items() if (value := read.text(key)) is not None}
    if "ACL" in new and (grants := [key for key in _GRANTS if _NEW_OBJECTS[key] in new]):
        raise ConfigError(
            f"remote {name}: acl and {grants[0]} exclude each other", hint=f"dvtool config --unset remote.{name}.acl"
        )
    if "SSEKMSKeyId" in new and "kms" not in new.get("ServerSideEncryption", ""):
        raise ConfigError(
            f"remote {name}: sse_kms_key_id names a key that is not used",
            hint=f"dvtool remote modify {name} sse aws:kms",
        )
    own_key = read.text("sse_customer_key")
    if own_key is None:
        return Protection({}, new)
    if "ServerSideEncryption" in new:
        raise ConfigError(
            f"remote {name}: sse and sse_customer_key exclude each other",
            hint=f"dvtool config --unset remote.{name}.sse",
        )
    if len(own_key.encode("utf-8")) != _OWN_KEY_BYTES:
        raise ConfigError(
            f"remote {name}: sse_customer_key has {len(own_key.encode('utf-8'))} bytes, AES-256 takes {_OWN_KEY_BYTES}"
        )
    algorithm = read.text("sse_customer_algorithm") or "AES256"
    return Protection({"SSECustomerAlgorithm": algorithm, "SSECustomerKey": own_key}, new)
