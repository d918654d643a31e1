"""What `repro` gets from elsewhere: remotes, servers, commands."""

from __future__ import annotations

import random
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


CHAIN = """\
stages:
  one: {cmd: python3 make.py raw/a a1 A, deps: [raw/a], outs: [a1]}
  two: {cmd: python3 make.py a1 a2 B, deps: [a1], outs: [a2]}
  three: {cmd: mkdir a3 && python3 make.py a2 a3/x C, deps: [a2], outs: [a3]}
  four: {cmd: python3 make.py a3/x a4 D && cp a4 side4, deps: [a3/x], outs: [a4, side4]}
  five: {cmd: python3 make.py a4 a5 E && cat raw/b >> a5, deps: [a4, raw/b], params: [lr], outs: [a5]}
  all: {cmd: cat raw/* > sums, deps: [raw], outs: [sums]}
"""
SIZE = 1_500_000
MAKE = f"""\
import random, sys
source, target, seed = sys.argv[1:]
random.seed(open(source, "rb").read()[:100].hex() + seed)
open(target, "wb").write(random.randbytes({SIZE}))
"""


@pytest.fixture
def chain(tmp_path: Path) -> CommandLine:
    """Five stages one behind the other, of which each makes 1.5 MB that cannot be packed closer; pushed."""
    cli = git_project(tmp_path / "repo")
    (cli.at / "raw").mkdir()
    for name in "ab":
        (cli.at / "raw" / name).write_bytes(random.Random(name).randbytes(SIZE))
    (cli.at / "dvtool.yaml").write_text(CHAIN)
    (cli.at / "make.py").write_text(MAKE)
    (cli.at / "params.yaml").write_text("lr: 1\n")
    cli.done("remote", "add", "-d", "origin", str(tmp_path / "remote"))
    cli.done("add", "-q", "raw")
    cli.done("repro", "-q", "-P")
    cli.done("push", "-q")
    git(cli.at, "add", "-A")
    git(cli.at, "commit", "-m", "all")
    return cli


def held(cli: CommandLine) -> int:
    """How many bytes of data the cache of a clone has."""
    cache = cli.at / ".git" / "dvtool" / "cache"
    found = [*(cache / "data").rglob("*"), *(cache / "objects").rglob("*")]
    return sum(path.stat().st_size for path in found if path.is_file())


def test_a_job_fetches_what_the_changed_stage_reads(chain: CommandLine) -> None:
    """Of five stages the last is changed: its inputs come, no more than that, and no stage is taken for changed."""
    other = clone(chain)
    (other.at / "params.yaml").write_text("lr: 2\n")
    flags = ("-P", "--pull", "--allow-missing")
    assert states(other, *flags) == dict.fromkeys(["one", "two", "three", "four", "all"], "skipped") | {"five": "ran"}
    assert (other.at / "a5").stat().st_size == 2 * SIZE
    assert not [name for name in ("a1", "a2", "a3", "side4", "sums") if (other.at / name).exists()]
    # `raw` comes whole, for another stage looks at all of it; what was made is in the cache as well.
    assert held(other) < (3 + 2) * SIZE + 200_000
    assert states(other, *flags) == dict.fromkeys(["one", "two", "three", "four", "all", "five"], "skipped")


def test_a_job_with_nothing_to_do_fetches_nothing(chain: CommandLine) -> None:
    other = clone(chain)
    assert set(states(other, "-P", "--pull", "--allow-missing").values()) == {"skipped"}
    assert held(other) == 0 and not (other.at / "a5").exists()


def test_a_part_is_fetched_where_nobody_looks_at_more(chain: CommandLine) -> None:
    (chain.at / "dvtool.yaml").write_text(CHAIN[: CHAIN.index("  all:")])
    other = clone(chain)
    (other.at / "dvtool.yaml").write_text(CHAIN[: CHAIN.index("  all:")].replace("A, deps", "Z, deps"))
    found = states(other, "--pull", "--allow-missing", "one")
    assert found == {"one": "ran"}
    assert (other.at / "raw" / "a").exists() and not (other.at / "raw" / "b").exists()
    assert held(other) < 2 * SIZE + 100_000


def test_a_stage_in_the_middle_has_all_behind_it_run(chain: CommandLine) -> None:
    other = clone(chain)
    (other.at / "dvtool.yaml").write_text(CHAIN.replace("a3/x C", "a3/x Z"))
    found = states(other, "--pull", "--allow-missing", "five")
    assert found == {"one": "skipped", "two": "skipped", "three": "ran", "four": "ran", "five": "ran"}
    assert (other.at / "a2").exists() and not (other.at / "a1").exists()


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
