"""Aliyun OSS through its S3-compatible endpoint, on SeaweedFS with the bucket in the host name.

The service itself was not there; what its documentation says of that endpoint is asserted of the requests.
"""

from __future__ import annotations

import pytest

from dvtool.remote.address import Address
from dvtool.remote.table import open_bare
from dvtool.testing.remote_suite import OpenClient
from dvtool.testing.remote_suite import RemoteSuite
from tests.support.seaweed import Seaweed
from tests.support.seaweed import oss_settings


@pytest.mark.s3
class TestOss(RemoteSuite):
    large = 20 << 20
    many = 64

    @pytest.fixture
    def address(self, seaweed: Seaweed) -> Address:
        return Address("origin", f"oss{seaweed.new_url()[2:]}/some/path", oss_settings(seaweed), b"/", {})

    @pytest.fixture
    def open_absent(self, seaweed: Seaweed) -> OpenClient:
        return lambda: open_bare(Address("origin", "oss://no-such-bucket/x", oss_settings(seaweed), b"/", {}))
