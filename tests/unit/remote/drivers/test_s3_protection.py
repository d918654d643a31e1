"""Encryption on the server and access lists of S3."""

from __future__ import annotations

import pytest

from dvtool.errors import ConfigError
from dvtool.remote.address import Address
from dvtool.remote.drivers.s3.options import parse_s3
from dvtool.remote.drivers.s3.protection import Protection

OWN_KEY = "k" * 32


def protection(**settings: str) -> Protection:
    return parse_s3(Address("origin", "s3://bucket/x", settings, b"/", {})).protection


def test_what_each_setting_says_to_the_server() -> None:
    assert protection() == Protection({}, {})
    new = protection(sse="aws:kms", sse_kms_key_id="arn:key", acl="bucket-owner-full-control").new
    assert new == {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:key", "ACL": "bucket-owner-full-control"}
    grants = protection(grant_read="id=1", grant_read_acp="id=2", grant_write_acp="id=3", grant_full_control="id=4")
    assert grants.new == {
        "GrantRead": "id=1",
        "GrantReadACP": "id=2",
        "GrantWriteACP": "id=3",
        "GrantFullControl": "id=4",
    }
    assert grants.body == {}
    own = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": OWN_KEY}
    assert protection(sse_customer_key=OWN_KEY) == Protection(own, {})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"acl": "private", "grant_read": "id=1"}, "acl and grant_read exclude each other"),
        ({"sse_kms_key_id": "arn:key"}, "key that is not used"),
        ({"sse": "AES256", "sse_kms_key_id": "arn:key"}, "key that is not used"),
        ({"sse": "AES256", "sse_customer_key": OWN_KEY}, "exclude each other"),
        ({"sse_customer_key": "short"}, "has 5 bytes, AES-256 takes 32"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_is_sent(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        protection(**settings)
    assert OWN_KEY not in str(error.value)
