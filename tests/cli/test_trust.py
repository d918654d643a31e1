"""Secrets stay with their server, and `remote trust`: seen from the command line, with a server that listens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project


class Listener:
    """A server that answers nothing useful and notes who asked what."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                heard.append(f"{self.command} {self.path}\n{self.headers}")
                self.send_response(403)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        for method in ("GET", "PUT", "HEAD", "POST"):
            setattr(Handler, f"do_{method}", Handler.answer)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def evil() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """The user has set a secret for a server; something is there to be pushed."""
    cli = git_project(tmp_path / "repo")
    cli.done("remote", "add", "-q", "-d", "origin", "s3://bucket/x")
    cli.done("remote", "modify", "origin", "endpointurl", "http://minio.example:9000")
    cli.done("remote", "modify", "--local", "origin", "access_key_id", "AKID")
    cli.done("remote", "modify", "--local", "origin", "secret_access_key", "hush")
    (cli.at / "a").write_text("a\n")
    cli.done("add", "-q", "a")
    return cli


def commit(cli: CommandLine, old: str, new: str) -> None:
    """What comes with `git pull`."""
    path = cli.at / ".dvtool/config"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_nothing_reaches_a_server_that_the_secret_was_not_set_for(cli: CommandLine, evil: Listener) -> None:
    commit(cli, "http://minio.example:9000", evil.url)
    for argv in (("push",), ("pull",), ("fetch",), ("status", "--cloud"), ("fsck", "--remote", "origin")):
        ran = cli(*argv)
        assert ran.code == 6, (argv, ran)
        assert "remote origin: nothing was sent: access_key_id and secret_access_key in the local config" in ran.err
        assert "http://minio.example:9000" in ran.err
        assert "hint: look at it, and if it is right: dvtool remote trust origin\n" in ran.err
        assert "hush" not in ran.err
    assert cli("whereis", "--check", "a").code == 0, "it is in the cache, and the rest goes on"
    assert cli("doctor", "--remote").code == 1
    assert evil.heard == []


def test_trust_lets_the_requests_go_and_ends_with_the_next_change(cli: CommandLine, evil: Listener) -> None:
    commit(cli, "http://minio.example:9000", evil.url)
    ran = cli("remote", "trust", "origin")
    assert ran.code == 2, "nobody was there to answer"
    ran = cli("remote", "trust", "--yes", "origin")
    assert ran.code == 0
    assert f"endpointurl = {evil.url}" in ran.err
    assert "secret_access_key   (the local config)" in ran.err
    assert "hush" not in ran.err + ran.out
    ran = cli("push")
    assert ran.code == 7
    assert "access key AKID" in ran.err or "access_key_id ***" in ran.err, "which credential was tried"
    assert evil.heard
    heard = len(evil.heard)
    assert not any("hush" in request for request in evil.heard), "it only signs"
    cli.done("remote", "trust", "--revoke", "origin")
    assert cli("push").code == 6
    cli.done("remote", "trust", "--yes", "origin")
    commit(cli, evil.url, evil.url + "/other")
    assert cli("push").code == 6
    assert len(evil.heard) == heard


def test_in_ci_a_variable_holds_the_digest(cli: CommandLine, evil: Listener) -> None:
    commit(cli, "http://minio.example:9000", evil.url)
    asked = cli("remote", "trust", "origin", "--json").document
    assert asked["needed"]
    assert not asked["trusted"]
    assert asked["stated"] == {"endpointurl": evil.url, "url": "s3://bucket/x"}
    assert cli("push", environ={"DVTOOL_TRUST": "1"}).code == 6
    assert evil.heard == []
    assert cli("push", environ={"DVTOOL_TRUST": asked["digest"]}).code == 7
    assert evil.heard


def test_a_committed_setting_that_needs_trust_stops_its_remote_and_nothing_else(tmp_path: Path) -> None:
    cli = git_project(tmp_path / "repo")
    (tmp_path / "nas").mkdir()
    cli.done("remote", "add", "-q", "-d", "origin", "s3://bucket/x")
    cli.done("remote", "add", "-q", "nas", "../nas")
    ran = cli("remote", "modify", "origin", "ssl_verify", "false")
    assert ran.code == 6
    assert "dvtool remote modify --project origin ssl_verify VALUE" in ran.err
    cli.done("remote", "modify", "--project", "origin", "ssl_verify", "false")
    (cli.at / "a").write_text("a\n")
    cli.done("add", "-q", "a")
    ran = cli("push")
    assert ran.code == 6
    assert "the committed .dvtool/config sets ssl_verify, which a repository must not decide alone" in ran.err
    cli.done("push", "-q", "-r", "nas")
    cli.done("status")
    (listed,) = (one for one in cli("remote", "list", "--json").document["remotes"] if one["name"] == "origin")
    assert listed["trust"] == "needed"
    assert "not usable before `dvtool remote trust origin`" in cli.done("remote", "list")
    cli.done("remote", "trust", "-q", "--yes", "origin")
    assert "trusted" in cli.done("remote", "list")
    assert cli("remote", "modify", "--project", "origin", "secret_access_key", "x").code == 6, "a secret never"


def test_undo_takes_trust_back(cli: CommandLine) -> None:
    commit(cli, "minio", "other")
    cli.done("remote", "trust", "-q", "--yes", "origin")
    assert cli("remote", "trust", "origin", "--json").document["trusted"]
    cli.done("undo")
    assert not cli("remote", "trust", "origin", "--json").document["trusted"]


def test_the_list_shows_secrets_redacted_with_their_place(cli: CommandLine) -> None:
    out = cli.done("remote", "list")
    assert "secret_access_key *** (the local config)" in out
    assert "hush" not in out + cli.done("remote", "list", "--json")
