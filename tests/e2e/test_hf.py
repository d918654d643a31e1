"""Hugging Face's buckets through the command line, behind the stub of their gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hfgateway import OWNER
from tests.support.hfgateway import Gateway
from tests.support.hfgateway import gateway
from tests.support.remotestory import nobody_listens
from tests.support.remotestory import refuses_absent_server
from tests.support.remotestory import refuses_credentials
from tests.support.remotestory import run_story
from tests.support.seaweed import Seaweed

pytestmark = [pytest.mark.s3, pytest.mark.e2e]


@pytest.fixture
def hub(seaweed: Seaweed) -> Iterator[Gateway]:
    with gateway(seaweed) as found:
        yield found


def test_the_story(hub: Gateway, tmp_path: Path) -> None:
    run_story(tmp_path, f"{hub.new_url()}/birds", hub.settings)
    assert hub.refused == []


def test_credentials_that_are_refused(hub: Gateway, tmp_path: Path) -> None:
    settings = {**hub.settings, "secret_access_key": "wrong-secret"}
    refuses_credentials(
        tmp_path, hub.new_url(), settings, words=["secret key"], hint=["HF_TOKEN"], hidden=["wrong-secret"]
    )


def test_a_server_that_is_not_there(hub: Gateway, tmp_path: Path) -> None:
    with nobody_listens() as port:
        settings = {**hub.settings, "endpointurl": f"http://127.0.0.1:{port}/{OWNER}"}
        refuses_absent_server(tmp_path, hub.new_url(), settings, words=[f"127.0.0.1:{port}"])
