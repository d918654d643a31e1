"""What a user does with a folder on an SMB share, and what can be wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.remotestory import nobody_listens
from tests.support.remotestory import refuses_absent_server
from tests.support.remotestory import refuses_credentials
from tests.support.remotestory import run_story
from tests.support.samba import Samba


def test_story(samba: Samba, tmp_path: Path) -> None:
    run_story(tmp_path, samba.new_url(), samba.settings)


def test_a_wrong_password(samba: Samba, tmp_path: Path) -> None:
    settings = {**samba.settings, "password": "wr0ng-samba"}
    refuses_credentials(
        tmp_path,
        samba.new_url(),
        settings,
        words=["origin", "the login is refused"],
        hint=["user root", "password"],
        hidden=["wr0ng-samba"],
    )


def test_no_credentials(samba: Samba, tmp_path: Path) -> None:
    refuses_credentials(tmp_path, samba.new_url(), words=["no login that it takes"], hint=["Kerberos", "netrc"])


def test_an_absent_server(samba: Samba, tmp_path: Path) -> None:
    with nobody_listens() as port:
        url = f"smb://127.0.0.1:{port}/share/data"
        refuses_absent_server(tmp_path, url, samba.settings, words=["origin", "connection refused"])


@pytest.mark.parametrize(
    ("share", "place", "words"),
    [("nowhere", "data", "no such share"), ("share", "no such/folder", "no folder")],
)
def test_a_place_that_is_not_there(samba: Samba, tmp_path: Path, share: str, place: str, words: str) -> None:
    refuses_absent_server(tmp_path, samba.url(place, share), samba.settings, words=[words])
