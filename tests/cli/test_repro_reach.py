"""What `repro` gets from elsewhere: remotes, servers, commands."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import HTTPServer
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project

TRAIN = """\
stages:
  train:
    cmd: echo ran >> ran; cat data/* > model; wc -c < model > score
    deps: [data]
    outs: [model]
    metrics:
    - score: {cache: false}
  pack:
    cmd: echo packed >> ran; cp model packed
    deps: [model]
    outs: [packed]
"""


def git(place: Path, *argv: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *argv], cwd=place, check=True, capture_output=True)


@pytest.fixture
def pushed(tmp_path: Path) -> CommandLine:
    """A project whose pipeline ran once, pushed and committed."""
    cli = git_project(tmp_path / "repo")
    (cli.at / "data").mkdir()
    (cli.at / "data" / "a").write_text("1234")
    (cli.at / "dvtool.yaml").write_text(TRAIN)
    (tmp_path / "remote").mkdir()
    cli.done("remote", "add", "-d", "origin", str(tmp_path / "remote"))
    cli.done("add", "data")
    cli.done("repro", "-q")
    (cli.at / "ran").unlink()
    cli.done("push")
    git(cli.at, "add", "-A")
    git(cli.at, "commit", "-m", "all")
    return cli


def clone(cli: CommandLine, name: str = "clone") -> CommandLine:
    place = cli.at.parent / name
    git(cli.at.parent, "clone", "--quiet", str(cli.at), str(place))
    return CommandLine(place)


def states(cli: CommandLine, *argv: str) -> dict[str, str]:
    return {stage["stage"]: stage["state"] for stage in cli("repro", "--json", *argv).document["stages"]}


def test_a_clone_restores_what_is_recorded(pushed: CommandLine) -> None:
    other = clone(pushed)
    assert states(other, "--pull") == {"train": "restored", "pack": "restored"}
    assert (other.at / "packed").read_text() == "1234"
    assert not (other.at / "data").exists() and not (other.at / "ran").exists()


def test_a_stage_that_has_to_run_gets_its_dependencies(pushed: CommandLine) -> None:
    other = clone(pushed)
    (other.at / "dvtool.yaml").write_text(TRAIN.replace("cat data/*", "cat data/* data/*"))
    assert states(other, "--pull") == {"train": "ran", "pack": "ran"}
    assert (other.at / "packed").read_text() == "12341234"


def test_a_colleague_restores_from_the_run_cache(pushed: CommandLine) -> None:
    """The lock does not know the run, the remote does."""
    (pushed.at / "data" / "a").write_text("changed")
    pushed.done("add", "data")
    git(pushed.at, "add", "-A")
    git(pushed.at, "commit", "-m", "new data, not run yet")
    other = clone(pushed)
    pushed.done("repro", "-q")
    pushed.done("push")
    assert states(other, "--pull") == {"train": "restored", "pack": "restored"}
    assert (other.at / "packed").read_text() == "changed" and not (other.at / "ran").exists()


def test_missing_data_is_no_reason_to_run_where_it_is_allowed(pushed: CommandLine) -> None:
    other = clone(pushed)
    assert states(other, "--allow-missing") == {"train": "skipped", "pack": "skipped"}
    assert other("repro").code == 4


def test_a_command_decides(tmp_path: Path) -> None:
    cli = git_project(tmp_path / "repo")
    (cli.at / "answer").write_text("1")
    (cli.at / "dvtool.yaml").write_text(
        "stages:\n  a:\n    cmd: echo x >> ran; cp answer out\n    deps: [{cmd: cat answer}]\n    outs: [out]\n"
    )
    assert states(cli) == {"a": "ran"}
    assert states(cli) == {"a": "skipped"}
    (cli.at / "answer").write_text("2")
    assert states(cli) == {"a": "ran"}
    (cli.at / "answer").unlink()
    done = cli("repro")
    assert done.code == 8 and "the dependency `cat answer` failed" in done.err and "dvtool.yaml:4" in done.err


class _Versions(BaseHTTPRequestHandler):
    tag = '"one"'

    def do_HEAD(self) -> None:
        self.send_response(404 if self.path == "/gone" else 200)
        if self.path != "/silent":
            self.send_header("ETag", type(self).tag)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    _Versions.tag = '"one"'
    with HTTPServer(("127.0.0.1", 0), _Versions) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_a_server_decides(tmp_path: Path, server: str) -> None:
    cli = git_project(tmp_path / "repo")
    text = "stages:\n  a:\n    cmd: echo x > out\n    deps: [{{url: '{}'}}]\n    outs: [out]\n"
    (cli.at / "dvtool.yaml").write_text(text.format(f"{server}/data"))
    assert states(cli) == {"a": "ran"}
    assert states(cli) == {"a": "skipped"}
    _Versions.tag = '"two"'
    assert states(cli) == {"a": "ran"}
    (cli.at / "dvtool.yaml").write_text(text.format(f"{server}/gone"))
    assert cli("repro").code == 4
    (cli.at / "dvtool.yaml").write_text(text.format(f"{server}/silent"))
    done = cli("repro")
    assert done.code == 9 and "does not tell versions apart" in done.err
