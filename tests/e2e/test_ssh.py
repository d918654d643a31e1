"""What a user does with a directory on an SSH server, and what can be wrong with keys on both sides."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.remotestory import assert_one_line
from tests.support.remotestory import nobody_listens
from tests.support.remotestory import refuses_absent_server
from tests.support.remotestory import refuses_credentials
from tests.support.remotestory import run_story
from tests.support.sshd import Sshd
from tests.support.sshd import new_key


def test_story(sshd: Sshd, tmp_path: Path) -> None:
    run_story(tmp_path, sshd.new_url(), sshd.settings, sshd.environment)


def test_a_key_that_is_not_let_in(sshd: Sshd, tmp_path: Path) -> None:
    new_key(tmp_path / "other")
    settings = {"keyfile": os.fspath(tmp_path / "other")}
    refuses_credentials(
        tmp_path,
        sshd.new_url(),
        settings,
        sshd.environment,
        words=["origin", f"127.0.0.1:{sshd.port}", "refuses the login"],
        hint=["user", f"keyfile {tmp_path}/other"],
    )


def test_an_absent_server(sshd: Sshd, tmp_path: Path) -> None:
    with nobody_listens() as port:
        url = f"ssh://127.0.0.1:{port}/data"
        refuses_absent_server(tmp_path, url, sshd.settings, sshd.environment, words=["origin", "connection refused"])


def test_a_directory_that_is_not_there(sshd: Sshd, tmp_path: Path) -> None:
    url = sshd.url("/no such/directory")
    refuses_absent_server(tmp_path, url, sshd.settings, sshd.environment, words=["there is no directory"])


def test_a_server_that_is_not_known_is_refused_until_its_key_is_accepted(sshd: Sshd, stranger: CommandLine) -> None:
    ran = stranger("push")
    assert_one_line(ran, words=["is not known", "ed25519 SHA256:"], hint=["ssh-keyscan"])
    command = re.search(r"ssh-keyscan .*", ran.err)
    assert command is not None
    environ = {**os.environ, **stranger.environ}
    subprocess.run(command[0], shell=True, env=environ, check=True, capture_output=True)
    stranger.done("push")


def test_a_server_with_another_key_than_before_is_refused(sshd: Sshd, stranger: CommandLine, tmp_path: Path) -> None:
    new_key(tmp_path / "old")
    known = Path(stranger.environ["HOME"]) / ".ssh/known_hosts"
    old = " ".join((tmp_path / "old.pub").read_text().split()[:2])
    known.write_text(f"# servers\n[127.0.0.1]:{sshd.port} {old}\n")
    ran = stranger("push")
    assert_one_line(ran, words=["another key than before"], hint=["ssh-keygen -R", "ssh-keyscan"])
    command = re.search(r"ssh-keygen .*", ran.err)
    assert command is not None
    environ = {**os.environ, **stranger.environ}
    subprocess.run(command[0].replace("~", environ["HOME"]), shell=True, env=environ, check=True, capture_output=True)
    stranger.done("push")


def test_what_stands_in_ssh_config_counts(sshd: Sshd, stranger: CommandLine, tmp_path: Path) -> None:
    home = Path(stranger.environ["HOME"])
    (home / ".ssh/known_hosts").write_text(sshd.line.replace(f"[127.0.0.1]:{sshd.port}", f"[depot]:{sshd.port}"))
    (home / ".ssh/config").write_text(
        f"Host store\n  HostName 127.0.0.1\n  Port {sshd.port}\n  HostKeyAlias depot\n  IdentityFile {sshd.keyfile}\n"
    )
    (sshd.root / tmp_path.name).mkdir()
    stranger.done("config", "--local", "remote.origin.url", f"ssh://store{sshd.root}/{tmp_path.name}")
    stranger.done("config", "--local", "--unset", "remote.origin.keyfile")
    stranger.done("push")


def test_a_key_of_the_agent(sshd: Sshd, stranger: CommandLine, agent: str, tmp_path: Path) -> None:
    (Path(stranger.environ["HOME"]) / ".ssh/known_hosts").write_text(sshd.line)
    stranger.done("config", "--local", "--unset", "remote.origin.keyfile")
    new_key(tmp_path / "locked", passphrase="secret words")
    authorized = sshd.authorized.read_text()
    sshd.authorized.write_text(authorized + (tmp_path / "locked.pub").read_text())
    assert_one_line(stranger("push"), words=["refuses the login"])
    stranger.environ["SSH_AUTH_SOCK"] = agent
    askpass = tmp_path / "askpass"
    askpass.write_text("#!/bin/sh\necho secret words\n")
    askpass.chmod(0o755)
    environ = {**os.environ, **stranger.environ, "SSH_ASKPASS": os.fspath(askpass), "SSH_ASKPASS_REQUIRE": "force"}
    subprocess.run(["ssh-add", "-q", tmp_path / "locked"], env=environ, check=True, stdin=subprocess.DEVNULL)
    stranger.done("config", "--local", "remote.origin.allow_agent", "false")
    assert_one_line(stranger("push"), words=["refuses the login"])
    stranger.done("config", "--local", "remote.origin.allow_agent", "true")
    stranger.done("push")


def test_an_encrypted_key_file(sshd: Sshd, stranger: CommandLine, tmp_path: Path) -> None:
    (Path(stranger.environ["HOME"]) / ".ssh/known_hosts").write_text(sshd.line)
    new_key(tmp_path / "locked", passphrase="secret words")
    sshd.authorized.write_text(sshd.authorized.read_text() + (tmp_path / "locked.pub").read_text())
    stranger.done("config", "--local", "remote.origin.keyfile", os.fspath(tmp_path / "locked"))
    assert_one_line(stranger("push"), words=["is encrypted"], hint=["ssh-add", "passphrase"], code=9)
    stranger.done("config", "--local", "remote.origin.passphrase", "wrong words")
    ran = stranger("push")
    assert_one_line(ran, words=["with that passphrase"], code=9)
    assert "wrong words" not in ran.err
    stranger.done("config", "--local", "remote.origin.passphrase", "secret words")
    stranger.done("push")


@pytest.fixture
def stranger(sshd: Sshd, tmp_path: Path) -> CommandLine:
    """A project with a remote on the server, whose user has never been there."""
    (tmp_path / "home/.ssh").mkdir(parents=True)
    cli = git_project(tmp_path / "project")
    cli.environ.update(sshd.environment, HOME=os.fspath(tmp_path / "home"))
    cli.done("remote", "add", "-d", "origin", sshd.new_url())
    for key, value in sshd.settings.items():
        cli.done("config", "--local", f"remote.origin.{key}", value)
    (cli.at / "data").write_text("data\n")
    cli.done("add", "data")
    return cli


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[str]:
    """The socket of an agent without keys."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield os.fspath(socket)
    finally:
        process.terminate()
        process.communicate()
