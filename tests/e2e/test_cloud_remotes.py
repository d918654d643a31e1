"""Azure Blob, Google Cloud Storage and Aliyun OSS, start to end; and what goes wrong first."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.support.azurite import Azurite
from tests.support.azurite import azurite
from tests.support.fakegcs import FakeGcs
from tests.support.fakegcs import fakegcs
from tests.support.googlelogin import GoogleLogin
from tests.support.googlelogin import google_key
from tests.support.googlelogin import googlelogin
from tests.support.remotestory import Where
from tests.support.remotestory import assert_one_line
from tests.support.remotestory import nobody_listens
from tests.support.remotestory import project
from tests.support.remotestory import refuses_absent_server
from tests.support.remotestory import refuses_credentials
from tests.support.remotestory import run_story
from tests.support.seaweed import Seaweed
from tests.support.seaweed import oss_settings

__all__ = ["azurite", "fakegcs", "google_key", "googlelogin"]


def test_azure(azurite: Azurite, tmp_path: Path) -> None:
    run_story(tmp_path, azurite.new_url(), azurite.settings)


def test_azure_refuses_a_wrong_key(azurite: Azurite, tmp_path: Path) -> None:
    wrong = base64.b64encode(b"not the key of this account").decode()
    refuses_credentials(
        tmp_path,
        azurite.new_url(),
        {**azurite.settings, "account_key": wrong},
        words=("403",),
        hint=("account_key", "az login"),
        hidden=(wrong,),
    )


def test_azure_absent_server(tmp_path: Path) -> None:
    with nobody_listens() as port:
        text = f"AccountName=devaccount;AccountKey=bm8ga2V5;BlobEndpoint=http://127.0.0.1:{port}/devaccount;"
        refuses_absent_server(
            tmp_path, "az://container/path", environ={"AZURE_STORAGE_CONNECTION_STRING": text}, words=(str(port),)
        )


def test_azure_absent_container(azurite: Azurite, tmp_path: Path) -> None:
    ann = project(tmp_path / "ann", Where("azure://no-such-container/x", azurite.settings, {}), {"a": "a\n"})
    assert_one_line(ann("push"), words=("no-such-container", "does not exist"), hint=("az storage container create",))


def test_gcs(fakegcs: FakeGcs, tmp_path: Path) -> None:
    run_story(tmp_path, fakegcs.new_url(), fakegcs.settings)


def test_gcs_refuses_a_dead_key(fakegcs: FakeGcs, googlelogin: GoogleLogin, tmp_path: Path) -> None:
    key = googlelogin.key_file(tmp_path / "key.json", client="gone")
    refuses_credentials(
        tmp_path,
        fakegcs.new_url(),
        {**fakegcs.settings, "credentialpath": str(key)},
        words=("invalid_grant",),
        hint=("key.json", "gcloud auth application-default login"),
        hidden=(json.loads(key.read_text())["private_key"][40:80],),
    )


def test_gcs_absent_server(tmp_path: Path) -> None:
    with nobody_listens() as port:
        refuses_absent_server(
            tmp_path, "gs://bucket/path", {"endpointurl": f"http://127.0.0.1:{port}"}, words=(str(port),)
        )


def test_gcs_absent_bucket(fakegcs: FakeGcs, tmp_path: Path) -> None:
    ann = project(tmp_path / "ann", Where("gs://no-such-bucket/x", fakegcs.settings, {}), {"a": "a\n"})
    assert_one_line(ann("push"), words=("no-such-bucket", "does not exist"), hint=("gcloud storage buckets create",))


@pytest.mark.s3
def test_oss(seaweed: Seaweed, tmp_path: Path) -> None:
    run_story(tmp_path, f"oss{seaweed.new_url()[2:]}", oss_settings(seaweed))


@pytest.mark.s3
def test_oss_refuses_a_wrong_key(seaweed: Seaweed, tmp_path: Path) -> None:
    refuses_credentials(
        tmp_path,
        f"oss{seaweed.new_url()[2:]}",
        {**oss_settings(seaweed), "oss_key_secret": "not-the-secret"},
        words=("the secret key is wrong",),
        hint=("dvke***", "OSS_ACCESS_KEY_ID"),
        hidden=("not-the-secret",),
    )


def test_oss_absent_server(tmp_path: Path) -> None:
    with nobody_listens() as port:
        settings = {
            "oss_endpoint": "http://oss-cn-test.aliyuncs.com",
            "oss_key_id": "someone",
            "oss_key_secret": "secret",
            "proxy": f"http://127.0.0.1:{port}",
        }
        refuses_absent_server(tmp_path, "oss://bucket/path", settings, words=("s3.oss-cn-test.aliyuncs.com",))
