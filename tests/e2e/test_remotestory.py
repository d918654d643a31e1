"""The story of any remote, with those that every installation has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.remotestory import nobody_listens
from tests.support.remotestory import refuses_absent_server
from tests.support.remotestory import refuses_credentials
from tests.support.remotestory import run_story
from tests.support.seaweed import Seaweed

pytestmark = pytest.mark.e2e

S3_KEYS = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "hush-hush"}


def test_directory(tmp_path: Path) -> None:
    run_story(tmp_path, str(tmp_path / "remote"))


@pytest.mark.s3
def test_s3(tmp_path: Path, seaweed: Seaweed) -> None:
    run_story(tmp_path, seaweed.new_url(), seaweed.settings)


@pytest.mark.s3
def test_s3_credentials(tmp_path: Path, seaweed: Seaweed) -> None:
    refuses_credentials(
        tmp_path,
        seaweed.new_url(),
        {"endpointurl": seaweed.endpoint},
        S3_KEYS,
        words=["origin", "access key"],
        hint=["AWS_ACCESS_KEY_ID"],
        hidden=["hush-hush"],
    )


def test_s3_absent(tmp_path: Path) -> None:
    with nobody_listens() as port:
        endpoint = f"http://127.0.0.1:{port}"
        refuses_absent_server(tmp_path, "s3://bucket/x", {"endpointurl": endpoint}, S3_KEYS, words=["origin", endpoint])
