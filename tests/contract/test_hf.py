"""Hugging Face's buckets, behind a stub of their S3 gateway: the real service was not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dvtool.errors import AccessDenied
from dvtool.errors import ConfigError
from dvtool.remote.address import Address
from dvtool.remote.drivers.hf import s3_address
from dvtool.remote.table import open_bare
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.hfgateway import OWNER
from tests.support.hfgateway import Gateway
from tests.support.hfgateway import gateway
from tests.support.seaweed import Seaweed


@pytest.fixture
def hub(seaweed: Seaweed) -> Iterator[Gateway]:
    with gateway(seaweed) as found:
        yield found
        assert set(found.refused) <= {"InvalidAccessKeyId", "SignatureDoesNotMatch"}


@pytest.mark.s3
class TestBucket(RemoteSuite):
    large = 12 << 20
    many = 40

    @pytest.fixture
    def address(self, hub: Gateway) -> Address:
        return Address("origin", f"{hub.new_url()}/some/path", hub.settings, b"/", {})

    @pytest.fixture
    def open_absent(self, hub: Gateway) -> OpenClient:
        return lambda: open_bare(Address("origin", f"hf://buckets/{OWNER}/no-such-bucket/x", hub.settings, b"/", {}))


def test_the_owner_belongs_to_the_endpoint() -> None:
    address = s3_address(Address("origin", "hf://buckets/me/birds/some/path", {"profile": "hf"}, b"/", {}))
    assert address.url == "s3://birds/some/path"
    assert address.settings == {
        "endpointurl": "https://s3.hf.co/me",
        "region": "us-east-1",
        "addressing_style": "path",
        "profile": "hf",
    }


def test_it_goes_by_its_own_url() -> None:
    assert open_bare(Address("origin", "hf://buckets/me/birds/x", {}, b"/", {})).url == "hf://buckets/me/birds/x"


@pytest.mark.parametrize("url", ["hf://datasets/me/birds", "hf://models/me/birds", "hf://spaces/me/x"])
def test_git_repositories_are_no_remotes(url: str) -> None:
    with pytest.raises(ConfigError, match="every write is a commit") as caught:
        open_bare(Address("origin", url, {}, b"/", {}))
    assert "new-bucket" in str(caught.value.hint)


@pytest.mark.parametrize(
    "url", ["hf://", "hf://buckets", "hf://buckets/me", "hf://buckets/me/", "hf://me/birds", "hf://buckets/a@b/c"]
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_bare(Address("origin", url, {}, b"/", {}))
    assert "hf://buckets/OWNER/NAME/PATH" in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.s3
@pytest.mark.parametrize("wrong", [{"access_key_id": "HFAKother"}, {"secret_access_key": "hush"}])
def test_keys_that_are_refused(hub: Gateway, wrong: dict[str, str]) -> None:
    remote = open_bare(Address("origin", hub.new_url(), {**hub.settings, **wrong}, b"/", {}))
    with pytest.raises(AccessDenied) as caught:
        list(remote.list(""))
    remote.close()
    assert "Generate S3 credentials" in str(caught.value.hint)
    assert "hush" not in f"{caught.value.message}{caught.value.hint}"
