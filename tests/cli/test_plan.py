"""``plan``: what a run would do, and that it is what the run then does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project

DEFINITION = """\
stages:
  prepare:
    cmd: sort raw > clean
    deps: [raw]
    outs: [clean]
  train:
    cmd: cat clean params.yaml > model
    deps: [clean]
    params: [lr]
    outs: [model]
  report:
    cmd: wc -c model > report
    deps: [model]
    outs:
    - report:
        cache: false
  other:
    cmd: touch started other
    outs: [other]
"""


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    made = git_project(tmp_path / "repo")
    (made.at / "dvtool.yaml").write_text(DEFINITION)
    (made.at / "params.yaml").write_text("lr: 1\n")
    (made.at / "raw").write_text("b\na\n")
    made.done("add", "-q", "raw")
    return made


@pytest.fixture
def ran(cli: CommandLine) -> CommandLine:
    cli.done("repro", "-q")
    (cli.at / "started").unlink()
    return cli


def planned(cli: CommandLine, *options: str) -> dict[str, str]:
    return {stage["stage"]: stage["action"] for stage in document(cli, *options)["stages"]}


def document(cli: CommandLine, *options: str) -> Any:
    return json.loads(cli.done("plan", "--json", *options))


def test_nothing_is_started(cli: CommandLine) -> None:
    out = cli.done("plan")
    assert "prepare  runs" in out
    assert "4 stages: 4 to run." in out
    assert not (cli.at / "started").exists()
    assert not (cli.at / "dvtool.lock").exists()


def test_all_up_to_date(ran: CommandLine) -> None:
    assert ran.done("plan") == "4 stages: 4 up to date.\n"
    assert ran("plan", "--exit-code", "-q").code == 0
    assert "nothing changed" in ran.done("plan", "-v")


def test_a_changed_parameter(ran: CommandLine) -> None:
    (ran.at / "params.yaml").write_text("lr: 2\n")
    assert planned(ran) == {"prepare": "skip", "train": "run", "report": "may run", "other": "skip"}
    assert "train   runs        parameter params.yaml:lr changed: 1 -> 2" in ran.done("plan")
    assert ran("plan", "--exit-code", "-q").code == 1
    assert document(ran)["stages"][1]["seconds"] is not None
    ran.done("repro", "-q")
    assert set(planned(ran).values()) == {"skip"}


def test_what_an_earlier_run_made_is_restored_and_decides_what_comes_after(ran: CommandLine) -> None:
    (ran.at / "params.yaml").write_text("lr: 2\n")
    ran.done("repro", "-q")
    (ran.at / "params.yaml").write_text("lr: 1\n")
    assert planned(ran) == {"prepare": "skip", "train": "restore", "report": "restore", "other": "skip"}
    assert planned(ran, "--no-run-cache")["train"] == "run"


def test_a_target_with_what_it_needs(ran: CommandLine) -> None:
    (ran.at / "raw").write_text("c\n")
    assert planned(ran, "train") == {"prepare": "run", "train": "may run"}
    assert planned(ran, "-s", "train") == {"train": "skip"}
    assert planned(ran, "--downstream", "train") == {"train": "skip", "report": "skip"}
    assert planned(ran, "-f", "-s", "train") == {"train": "run"}
    assert planned(ran, "--force-downstream", "train") == {"prepare": "run", "train": "run"}


def test_an_output_that_is_gone_is_restored(ran: CommandLine) -> None:
    (ran.at / "clean").unlink()
    assert planned(ran)["prepare"] == "restore"
    assert planned(ran)["train"] == "skip"


def test_a_frozen_stage_says_so(ran: CommandLine) -> None:
    (ran.at / "raw").write_text("c\n")
    ran.done("freeze", "-q", "prepare")
    assert planned(ran)["prepare"] == "skip"
    assert "it is frozen" in ran.done("plan", "-v")


def test_a_missing_source_blocks_and_so_does_what_comes_after(ran: CommandLine) -> None:
    (ran.at / "raw").unlink()
    assert planned(ran) == {"prepare": "blocked", "train": "blocked", "report": "blocked", "other": "skip"}
    assert "dependency raw is not there" in ran.done("plan")


def test_what_is_not_here_can_count_as_fetched(ran: CommandLine) -> None:
    (ran.at / "raw").unlink()
    (ran.at / "clean").unlink()
    shutil.rmtree(ran.at / ".git/dvtool/cache")
    (ran.at / "report").unlink()
    found = document(ran, "--pull")
    assert {stage["stage"]: stage["action"] for stage in found["stages"]} == {
        "prepare": "restore",
        "train": "skip",
        "report": "run",
        "other": "skip",
    }
    assert (found["stages"][0]["fetch_files"], found["stages"][0]["fetch_bytes"]) == (2, 8)
    assert "8 B to fetch" in ran.done("plan", "--pull")
    assert planned(ran, "--allow-missing") == {"prepare": "skip", "train": "skip", "report": "skip", "other": "skip"}


def test_stages_of_the_directory_and_of_all(ran: CommandLine) -> None:
    below = ran.below("models")
    below.done("stage", "add", "-q", "-n", "tune", "-o", "best", "touch best")
    assert planned(below) == {"models/dvtool.yaml:tune": "run"}
    assert len(planned(ran, "-P")) == 5
    assert ran.below("empty").done("plan") == "No stages here.\n"


def test_a_saved_plan_is_run(cli: CommandLine) -> None:
    assert "dvtool apply p" in cli.done("plan", "-o", "p", "train")
    cli.done("apply", "-q", "p")
    assert (cli.at / "model").read_text() == "a\nb\nlr: 1\n"
    assert not (cli.at / "report").exists()


def test_a_saved_plan_is_run_from_any_directory(cli: CommandLine) -> None:
    below = cli.below("models")
    below.done("stage", "add", "-q", "-n", "tune", "-d", "../raw", "-o", "best", "touch best")
    below.done("plan", "-o", "../p", "tune")
    cli.done("apply", "p")
    assert (below.at / "best").exists()
    assert not (cli.at / "clean").exists()


def spoil_definition(cli: CommandLine) -> None:
    (cli.at / "dvtool.yaml").write_text(DEFINITION.replace("touch started other", "touch started other || true"))


def spoil_lock(cli: CommandLine) -> None:
    (cli.at / "dvtool.lock").unlink()


def spoil_input(cli: CommandLine) -> None:
    (cli.at / "raw").write_text("other\n")


def spoil_parameter(cli: CommandLine) -> None:
    (cli.at / "params.yaml").write_text("lr: 3\n")


def spoil_output(cli: CommandLine) -> None:
    (cli.at / "other").write_text("edited")


def add_stage(cli: CommandLine) -> None:
    cli.done("stage", "add", "-q", "-n", "more", "-o", "m", "touch m")


def remove_stage(cli: CommandLine) -> None:
    (cli.at / "dvtool.yaml").write_text(DEFINITION[: DEFINITION.index("  other:")])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_definition, "stage other: its definition changed"),
        (spoil_lock, "stage prepare: what its lock says changed"),
        (spoil_input, "stage prepare: dependency raw changed"),
        (spoil_parameter, "stage train: parameter params.yaml:lr changed"),
        (spoil_output, "stage other: output other changed"),
        (add_stage, "stage more is new"),
        (remove_stage, "stage other is gone"),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
def test_a_plan_is_refused_once_anything_has_changed(
    ran: CommandLine, spoil: Callable[[CommandLine], None], words: str
) -> None:
    (ran.at / "params.yaml").write_text("lr: 2\n")
    ran.done("plan", "-o", "p")
    spoil(ran)
    applied = ran("apply", "p")
    assert applied.code == 2
    assert words in applied.err
    assert not (ran.at / "started").exists()
    assert (ran.at / "model").read_text().endswith("lr: 1\n")


def test_comments_and_descriptions_spoil_no_plan(cli: CommandLine) -> None:
    cli.done("plan", "-o", "p", "prepare")
    (cli.at / "dvtool.yaml").write_text("# more\n\n" + DEFINITION.replace("  prepare:", "  prepare:\n    desc: First."))
    cli.done("apply", "-q", "p")


def test_what_is_no_plan_is_refused(cli: CommandLine) -> None:
    assert cli("apply", "nothing").code == 2
    assert cli("apply", "dvtool.yaml").code == 9
    cli.done("plan", "-o", "p")
    text = (cli.at / "p").read_text()
    (cli.at / "p").write_text(text.replace('"force": false', '"force": 3'))
    assert cli("apply", "p").code == 9
    (cli.at / "p").write_text(text.replace('"directory": ""', '"directory": "../x"'))
    assert cli("apply", "p").code == 6


def test_what_only_a_run_looks_at_spoils_no_plan(cli: CommandLine) -> None:
    text = DEFINITION.replace("deps: [raw]", "deps: [raw, {cmd: cat version}]")
    (cli.at / "dvtool.yaml").write_text(text)
    (cli.at / "version").write_text("1")
    cli.done("repro", "-q")
    assert planned(cli)["prepare"] == "may run"
    assert "only looked at by `dvtool repro`" in cli.done("plan")
    (cli.at / "version").write_text("2")
    cli.done("plan", "-o", "p", "prepare")
    states = {stage["stage"]: stage["state"] for stage in cli("apply", "--json", "p").document["stages"]}
    assert states == {"prepare": "ran"}


def test_a_plan_that_fetches_is_run_in_a_clone(ran: CommandLine, tmp_path: Path) -> None:
    ran.done("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    ran.done("push", "-q")
    for path in ("raw", "clean", "model", "other"):
        (ran.at / path).unlink()
    shutil.rmtree(ran.at / ".git/dvtool/cache")
    assert "to fetch" in ran.done("plan", "--pull", "-o", "p")
    applied = ran("apply", "--json", "p")
    assert {stage["state"] for stage in applied.document["stages"]} <= {"restored", "skipped"}, applied
    assert (ran.at / "model").read_text() == "a\nb\nlr: 1\n"
    assert not (ran.at / "started").exists()
