"""Signing in to Google Drive: the browser is played by the test, Google by the stub."""

from __future__ import annotations

import json
import stat
import threading
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.drivehttp import CLIENT_ID
from tests.support.drivehttp import CLIENT_SECRET
from tests.support.drivehttp import REFRESH_TOKEN
from tests.support.drivehttp import DriveServer
from tests.support.gdrive import drive
from tests.support.gdrive import robot_key

__all__ = ["drive", "robot_key"]


@pytest.fixture
def cli(drive: DriveServer, tmp_path: Path) -> CommandLine:
    cli = git_project(tmp_path / "project")
    cli.environ["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    cli.done("remote", "add", "-d", "origin", f"gdrive://{drive.drive.root}/data")
    cli.done("config", "--local", "remote.origin.gdrive_endpointurl", drive.url)
    client = {
        "installed": {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "auth_uri": f"{drive.url}/o/oauth2/v2/auth",
            "token_uri": f"{drive.url}/token",
            "redirect_uris": ["http://localhost"],
        }
    }
    (cli.at / "client.json").write_text(json.dumps(client))
    return cli


def agree(page: str) -> str:
    """Where Google sends the browser of a user who says yes."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: Any, **kwargs: Any) -> None:
            return None

    try:
        urllib.request.build_opener(Stay, urllib.request.ProxyHandler({})).open(page)
    except urllib.error.HTTPError as error:
        with error:
            return error.headers["Location"]
    raise AssertionError("Google did not send the browser back")


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the page of dvtool's own said, once the user has agreed."""
    said: list[bytes] = []

    def visit(page: str) -> bool:
        back = agree(page)

        def follow() -> None:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(back) as answer:
                said.append(answer.read())

        threading.Thread(target=follow).start()
        return True

    monkeypatch.setattr(webbrowser, "open", visit)
    return said


def kept(cli: CommandLine) -> Path:
    return Path(cli.environ["XDG_CONFIG_HOME"]) / "dvtool" / "gdrive" / f"{CLIENT_ID}.json"


def test_signing_in_and_pushing(cli: CommandLine, drive: DriveServer, browser: list[bytes]) -> None:
    (cli.at / "a").write_text("a\n")
    cli.done("add", "a")
    before = cli("push")
    assert before.code == 7 and "no credentials" in before.err
    assert "dvtool remote login origin" in before.err
    assert str(kept(cli)) in cli.done("remote", "login", "--client", "client.json", "origin")
    assert stat.S_IMODE(kept(cli).stat().st_mode) == 0o600
    assert json.loads(kept(cli).read_text())["refresh_token"] == REFRESH_TOKEN
    assert "refresh" not in (cli.at / ".git/dvtool/config").read_text()
    cli.done("push")
    assert drive.drive.named("dvtool-store.json")


def test_without_a_browser_here(cli: CommandLine) -> None:
    """The page is on standard error; the user pastes where their browser ended."""
    import io

    class Reader(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            page = next(line for line in err.getvalue().splitlines() if line.startswith("http"))
            return agree(page).encode() + b"\n"

    import os

    from dvtool.cli.main import run

    out, err = io.StringIO(), io.StringIO()
    argv = ("remote", "login", "--paste", "--client", "client.json")
    assert run(argv, Reader(), out, err, {**os.environ, **cli.environ}, os.fsencode(cli.at)) == 0, err.getvalue()
    assert kept(cli).exists()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("http://127.0.0.1:1/?code=4/x&state=other", "not the address"),
        ("", "not the address"),
        ("http://127.0.0.1:1/?error=access_denied", "access_denied"),
    ],
)
def test_an_answer_that_is_none(cli: CommandLine, answer: str, words: str) -> None:
    ran = cli("remote", "login", "--paste", "--client", "client.json", stdin=answer.encode() + b"\n")
    assert ran.code in (2, 7) and words in ran.err
    assert not kept(cli).exists()


def test_a_client_that_google_does_not_know(cli: CommandLine, browser: list[bytes]) -> None:
    text = (cli.at / "client.json").read_text().replace(CLIENT_SECRET, "GOCSPX-other")
    (cli.at / "client.json").write_text(text)
    ran = cli("remote", "login", "--client", "client.json")
    assert ran.code == 7 and "OAuth client" in ran.err
    assert "GOCSPX" not in ran.err
    assert not kept(cli).exists()


def test_a_sign_in_without_a_client(cli: CommandLine) -> None:
    ran = cli("remote", "login")
    assert ran.code == 9 and "--client FILE" in ran.err


@pytest.mark.parametrize("text", ["", "{}", '{"web": {}}', '{"installed": []}'])
def test_a_file_that_is_no_client(cli: CommandLine, text: str) -> None:
    (cli.at / "client.json").write_text(text)
    ran = cli("remote", "login", "--client", "client.json")
    assert ran.code == 9 and "client.json" in ran.err


def test_other_remotes_need_none(cli: CommandLine) -> None:
    cli.done("remote", "add", "nas", "../nas")
    ran = cli("remote", "login", "nas")
    assert ran.code == 2 and "only Google Drive" in ran.err


def test_the_page_asks_for_what_is_needed(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[str] = []
    monkeypatch.setattr(webbrowser, "open", pages.append)
    monkeypatch.setattr("dvtool.cli.remote_login.PATIENCE", 0.0)
    assert cli("remote", "login", "--client", "client.json").code == 5
    query = parse_qs(urlsplit(pages[0]).query)
    assert query["scope"] == ["https://www.googleapis.com/auth/drive"]
    assert query["code_challenge_method"] == ["S256"]
    assert CLIENT_SECRET not in pages[0]
