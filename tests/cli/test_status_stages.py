"""``status`` with stages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

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
    metrics:
    - scores.json:
        cache: false
"""


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    made = git_project(tmp_path / "repo")
    text = DEFINITION.replace("> model\n", "> model; touch started; echo 1 > scores.json\n")
    (made.at / "dvtool.yaml").write_text(text)
    (made.at / "params.yaml").write_text("lr: 1\n")
    (made.at / "raw").write_text("b\na\n")
    made.done("add", "-q", "raw")
    return made


@pytest.fixture
def ran(cli: CommandLine) -> CommandLine:
    cli.done("repro", "-q")
    (cli.at / "started").unlink()
    return cli


def stages(cli: CommandLine, *targets: str) -> dict[str, list[str]]:
    found = cli("status", "--json", *targets).document["stages"]
    return {stage["stage"]: [reason["because"] for reason in stage["reasons"]] for stage in found}


def test_a_stage_that_never_ran(cli: CommandLine) -> None:
    out = cli.done("status")
    assert "Stages out of date (bring up to date with: dvtool repro):\n  prepare  it never ran\n" in out
    assert stages(cli) == {"prepare": ["never ran"], "train": ["never ran"]}
    assert not (cli.at / "started").exists()


def test_nothing_to_do(ran: CommandLine) -> None:
    out = ran.done("status")
    assert "Stages" not in out
    document = ran("status", "--json").document
    assert (document["stage_count"], document["stages"]) == (2, [])


def test_changes_are_told_with_their_reasons(ran: CommandLine) -> None:
    (ran.at / "params.yaml").write_text("lr: 2\n")
    assert stages(ran) == {"train": ["parameter changed"]}
    assert "  train  parameter params.yaml:lr changed: 1 -> 2" in ran.done("status")
    assert ran("status", "--exit-code").code == 1


def test_what_only_waits_is_counted(ran: CommandLine) -> None:
    (ran.at / "raw").write_text("c\n")
    assert stages(ran) == {"prepare": ["dependency changed"], "train": []}
    assert "  1 stage after those may follow" in ran.done("status")


def test_an_edited_output_is_told_once(ran: CommandLine) -> None:
    (ran.at / "clean").write_text("edited")
    assert stages(ran) == {}
    assert "modified  clean" in ran.done("status")


def test_an_output_that_git_keeps_is_told_with_its_stage(ran: CommandLine) -> None:
    (ran.at / "scores.json").write_text("9")
    assert stages(ran) == {"train": ["output changed"]}


def test_a_clone_without_data_has_no_stage_out_of_date(ran: CommandLine) -> None:
    for name in ("raw", "clean", "model"):
        (ran.at / name).unlink()
    shutil.rmtree(ran.at / ".git/dvtool/cache")
    assert stages(ran) == {}
    assert {one["path"] for one in ran("status", "--json").document["missing"]} == {"raw", "clean", "model"}


def test_frozen_stages_are_told(ran: CommandLine) -> None:
    (ran.at / "raw").write_text("c\n")
    ran.done("freeze", "-q", "prepare")
    assert "Frozen (set free with: dvtool unfreeze STAGE):\n  prepare\n" in ran.done("status")
    found = ran("status", "--json").document["stages"]
    assert [(stage["stage"], stage["frozen"], stage["reasons"]) for stage in found] == [("prepare", True, [])]


def test_targets_are_stages_outputs_definitions_or_tracked_data(ran: CommandLine) -> None:
    (ran.at / "raw").write_text("c\n")
    (ran.at / "params.yaml").write_text("lr: 2\n")
    assert stages(ran, "train") == stages(ran, "model") == {"train": ["parameter changed"]}
    assert set(stages(ran, "dvtool.yaml")) == {"prepare", "train"}
    assert stages(ran, "raw") == {}
    assert [one["path"] for one in ran("status", "--json", "raw").document["workspace"]] == ["raw"]
    assert ran("status", "--json", "train").document["workspace"] == []
    assert ran("status", "nothing").code == 2


def test_a_definition_that_cannot_be_read_is_told_by_line(ran: CommandLine) -> None:
    (ran.at / "dvtool.yaml").write_text("stages:\n  a:\n    cmdd: x\n")
    done = ran("status")
    assert done.code == 9
    assert "dvtool.yaml:3" in done.err


def test_a_path_with_two_owners_is_told(ran: CommandLine) -> None:
    (ran.at / "dvtool.yaml").write_text("stages:\n  a:\n    cmd: x\n    outs: [raw]\n")
    done = ran("status")
    assert done.code == 9
    assert "raw.dvt" in done.err and "dvtool.yaml:4" in done.err


def test_what_only_a_run_looks_at_is_told_and_is_no_difference(ran: CommandLine) -> None:
    text = (ran.at / "dvtool.yaml").read_text().replace("deps: [raw]", "deps: [raw, {cmd: touch started}]")
    (ran.at / "dvtool.yaml").write_text(text)
    ran.done("repro", "-q")
    (ran.at / "started").unlink()
    subprocess.run(["git", "add", "-A"], cwd=ran.at, check=True)
    subprocess.run(["git", "commit", "-qm", "all"], cwd=ran.at, check=True)
    done = ran("status", "--exit-code")
    assert done.code == 0
    assert "Not looked at (only dvtool repro does):\n  prepare  dependency cmd:touch started" in done.out
    assert "may follow" not in done.out
    assert not (ran.at / "started").exists()
    (ran.at / "raw").write_text("z\n")
    assert ran("status", "--exit-code").code == 1
    assert "Stages out of date" in ran.done("status")


def test_a_definition_that_cannot_be_read_hides_no_data(ran: CommandLine) -> None:
    (ran.at / "dvtool.yaml").write_text('stages: {train: {cmd: python -c "a: b"}}\n')
    (ran.at / "raw").write_text("other\n")
    told = ran("status")
    assert told.code == 9
    assert "modified  raw" in told.out
    assert "error: dvtool.yaml:1:" in told.err
    document = ran("status", "--json").document
    assert [one["path"] for one in document["workspace"]] == ["raw"]
    assert document["stages_error"]["message"].startswith("dvtool.yaml:1:")
    assert ran("status", "raw").code == 9
    assert "error: dvtool.yaml:1:" in ran("status", "train").err


def test_a_colon_in_a_command_is_explained(cli: CommandLine) -> None:
    (cli.at / "dvtool.yaml").write_text("stages:\n  train:\n    cmd: echo loss: 3\n")
    assert "takes quotes" in cli("status").err
