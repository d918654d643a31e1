"""`runs`: what a run did can be looked up after it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project

DEFINITION = """\
stages:
  prepare:
    cmd: echo preparing; cp in prepared
    deps: [in]
    params: [lr]
    outs: [prepared]
  train:
    cmd: {train}
    deps: [prepared]
    outs: [model]
  report:
    cmd: cat model > report
    deps: [model]
    outs: [report]
"""


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    cli = git_project(tmp_path / "repo")
    (cli.at / "in").write_text("1\n")
    (cli.at / "params.yaml").write_text("lr: 1\n")
    define(cli, "cp prepared model")
    return cli


def define(cli: CommandLine, train: str) -> None:
    (cli.at / "dvtool.yaml").write_text(DEFINITION.format(train=train))


def failed(cli: CommandLine) -> None:
    define(cli, "echo working; exit 3")
    assert cli("repro").code == 8


def test_nothing_yet(cli: CommandLine) -> None:
    assert cli.done("runs", "list") == "nothing was run here yet\n"
    assert cli("runs", "show").code == 2
    assert cli("runs", "list", "--json").document == {"schema": "dvtool/runs-list/1", "runs": []}


def test_list(cli: CommandLine) -> None:
    cli.done("repro")
    (cli.at / "params.yaml").write_text("lr: 2\n")
    failed(cli)
    lines = cli.done("runs", "list").splitlines()
    assert [line.split()[0] for line in lines] == ["2", "1"]
    assert "failed" in lines[0]
    assert "1 ran, 1 failed, 1 blocked" in lines[0].replace("not run", "blocked")
    assert "done" in lines[1]
    assert "3 ran" in lines[1]
    assert len(cli.done("runs", "list", "-n", "1").splitlines()) == 1


def test_a_run_that_did_nothing_leaves_no_record(cli: CommandLine) -> None:
    cli.done("repro")
    cli.done("repro")
    assert len(cli.done("runs", "list").splitlines()) == 1


def test_show_says_what_and_why(cli: CommandLine) -> None:
    cli.done("repro")
    (cli.at / "params.yaml").write_text("lr: 2\n")
    cli.done("repro", "-j", "2")
    shown = cli.done("runs", "show")
    assert "run 2: done" in shown
    assert "prepare: ran" in shown
    assert "parameter params.yaml:lr changed: 1 -> 2" in shown
    assert "1 skipped" in shown or "2 skipped" in shown
    document = cli("runs", "show", "1", "--json").document
    assert document["schema"] == "dvtool/runs-show/1"
    assert (document["id"], document["state"], document["exit_code"]) == (1, "done", 0)
    assert document["counts"] == {"ran": 3}
    (prepare, *_) = document["stages"]
    assert (prepare["stage"], prepare["state"], prepare["exit_code"]) == ("prepare", "ran", 0)
    assert prepare["reasons"][0]["because"] == "never ran"
    assert prepare["peak_memory"] > 0


def test_logs(cli: CommandLine) -> None:
    failed(cli)
    assert cli.done("runs", "show", "--logs", "train") == "working\n"
    assert cli.done("runs", "show", "1", "--logs", "prepare") == "preparing\n"
    for stage, said in (("report", "was not started"), ("nope", "there is no stage nope")):
        ran = cli("runs", "show", "--logs", stage)
        assert (ran.code, said in ran.err) == (2, True), ran
    assert cli("runs", "show", "--logs", "train", "--json").code == 2


def test_a_damaged_record_is_told(cli: CommandLine) -> None:
    cli.done("repro")
    (cli.at / ".git/dvtool/runs/00000001/record").write_bytes(b"?")
    assert "damaged" in cli.done("runs", "list")
    assert "damaged" in cli.done("runs", "show")
    assert cli("runs", "show", "--logs", "train").code == 2


def test_a_killed_run_is_interrupted(cli: CommandLine) -> None:
    define(cli, "touch started; sleep 60; cp prepared model")
    process = subprocess.Popen([sys.executable, "-m", "dvtool", "repro"], cwd=cli.at, stdout=subprocess.DEVNULL)
    while not (cli.at / "started").exists():
        time.sleep(0.01)
    assert "running" in cli.done("runs", "list")
    process.send_signal(signal.SIGKILL)
    process.wait()
    shown = cli.done("runs", "show")
    assert "run 1: interrupted" in shown
    assert "train: unfinished" in shown
    assert cli("runs", "show", "--json").document["ended"] is None


def ran_in(out: str) -> list[str]:
    return [line.partition(":")[0] for line in out.splitlines() if ": running" in line]


def test_resume_goes_on_where_it_failed(cli: CommandLine) -> None:
    failed(cli)
    define(cli, "cp prepared model")
    ran = cli("resume")
    assert ran.code == 0
    assert ran_in(ran.out) == ["train", "report"]
    assert "going on with run 1" in ran.err
    assert [line.split()[0] for line in cli.done("runs", "list").splitlines()] == ["2", "1"]
    ran = cli("resume")
    assert ran.code == 2
    assert "run 2 ended well" in ran.err


def test_resume_asks_for_what_that_run_asked_for(cli: CommandLine) -> None:
    """Also from another directory, with its targets and its way of going on after a failure."""
    define(cli, "exit 1")
    below = cli.below("sub")
    assert below("repro", "../dvtool.yaml:train", "-k").code == 8
    define(cli, "cp prepared model")
    ran = cli("resume", "1")
    assert ran_in(ran.out) == ["train"]
    assert not (cli.at / "report").exists()


def test_resume_of_a_run_that_was_to_run_all(cli: CommandLine) -> None:
    cli.done("repro")
    define(cli, "test -e ready && cp prepared model")
    assert cli("repro", "-f").code == 8
    (cli.at / "ready").touch()
    assert ran_in(cli.done("resume")) == ["train", "report"]


def test_resume_from_a_stage(cli: CommandLine) -> None:
    cli.done("repro")
    assert ran_in(cli.done("resume", "--from", "train")) == ["train", "report"]
    ran = cli("resume", "--from", "nope")
    assert (ran.code, "had no stage nope" in ran.err) == (2, True)


def test_resume_of_an_interrupted_run(cli: CommandLine) -> None:
    define(cli, "test -e ready && cp prepared model || { touch started; exec sleep 60; }")
    process = subprocess.Popen([sys.executable, "-m", "dvtool", "repro"], cwd=cli.at, stdout=subprocess.DEVNULL)
    while not (cli.at / "started").exists():
        time.sleep(0.01)
    ran = cli("resume")
    assert (ran.code, "still goes on" in ran.err) == (5, True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (cli.at / "ready").touch()
    document = cli("resume", "--json").document
    assert document["resumed"] == 1
    assert {each["stage"]: each["state"] for each in document["stages"]} == {
        "prepare": "skipped",
        "train": "ran",
        "report": "ran",
    }


def test_a_stage_that_ended_before_a_kill_is_not_run_again(cli: CommandLine) -> None:
    """Killed before the stage was recorded: what it left says that it ended well."""
    define(cli, "test -e ready && cp prepared model || kill -9 $PPID")
    done = subprocess.run([sys.executable, "-m", "dvtool", "repro"], cwd=cli.at, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not (cli.at / "dvtool.lock").exists()
    (cli.at / "ready").touch()
    assert ran_in(cli.done("resume")) == ["train", "report"]


def test_a_request_of_another_version_is_refused(cli: CommandLine) -> None:
    failed(cli)
    from dvtool.formats.runrecord import RunRecord
    from dvtool.formats.runrecord import begin_line
    from dvtool.formats.runrecord import end_line

    record = RunRecord(("dvtool",), {"targets": [], "unheard_of": 1}, "", 1.0)
    (cli.at / ".git/dvtool/runs/00000001/record").write_bytes(begin_line(record) + end_line(2.0, 8, ""))
    ran = cli("resume")
    assert (ran.code, "another version" in ran.err) == (9, True)


def test_nothing_to_resume(cli: CommandLine) -> None:
    ran = cli("resume")
    assert (ran.code, "nothing was run here yet" in ran.err) == (2, True)
