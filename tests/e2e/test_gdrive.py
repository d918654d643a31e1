"""Google Drive through the command line, against the stub."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.drivehttp import DriveServer
from tests.support.gdrive import drive
from tests.support.gdrive import robot_key
from tests.support.remotestory import nobody_listens
from tests.support.remotestory import refuses_absent_server
from tests.support.remotestory import refuses_credentials
from tests.support.remotestory import run_story

__all__ = ["drive", "robot_key"]


def test_the_story(drive: DriveServer, tmp_path: Path) -> None:
    run_story(tmp_path, drive.folder_url("/datasets/birds"), drive.settings)


def test_credentials_that_are_refused(drive: DriveServer, tmp_path: Path) -> None:
    key = json.loads(Path(drive.key_file).read_text())
    (tmp_path / "bad.json").write_text(json.dumps({**key, "client_email": "nobody@project.iam.gserviceaccount.com"}))
    settings = {**drive.settings, "gdrive_service_account_json_file_path": str(tmp_path / "bad.json")}
    refuses_credentials(
        tmp_path, drive.folder_url(), settings, words=["Google"], hint=["bad.json"], hidden=["PRIVATE KEY"]
    )


def test_a_server_that_is_not_there(drive: DriveServer, tmp_path: Path) -> None:
    with nobody_listens() as port:
        settings = {**drive.settings, "gdrive_endpointurl": f"http://127.0.0.1:{port}"}
        refuses_absent_server(tmp_path, drive.folder_url(), settings, words=[f"127.0.0.1:{port}"])
