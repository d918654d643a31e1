"""Ctrl-C while a remote says nothing: the command ends by itself, with one line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.cli import git_project

ROOT = Path(__file__).parents[2]
SAID = "interrupted: nothing is lost, the same command goes on from here\n"


@pytest.mark.parametrize("verb", ["push", "pull"])
def test_ctrl_c_ends_it_with_one_line(tmp_path: Path, verb: str) -> None:
    cli = git_project(tmp_path / "repo")
    (cli.at / "f").write_bytes(os.urandom(300_000))
    cli.done("add", "f")
    if verb == "pull":
        subprocess.run(["rm", "-rf", ".git/dvtool/cache", "f"], cwd=cli.at, check=True)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        cli.done("remote", "add", "-d", "origin", "s3://bucket/x")
        cli.done("remote", "modify", "origin", "endpointurl", f"http://127.0.0.1:{server.getsockname()[1]}")
        environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "dvtool", verb],
            cwd=cli.at,
            env={**os.environ, **environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = server.accept()  # the request is under way; nobody will answer it
        with connection:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", SAID)
