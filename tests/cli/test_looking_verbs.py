"""check-ignore, doctor, completion: argv to text, JSON and exit codes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    made = git_project(tmp_path / "repo")
    (made.at / ".dvtoolignore").write_text("*.tmp\n!keep.tmp\nbuild/\n")
    (made.at / "build").mkdir()
    return made


@pytest.mark.parametrize(
    ("argv", "code", "lines"),
    [
        (("a.tmp", "b"), 0, ["a.tmp"]),
        (("keep.tmp", "b"), 1, []),
        (("build", "build/deep/x", "build2/"), 0, ["build", "build/deep/x"]),
        (("-d", "a.tmp", "keep.tmp", "b"), 0, [".dvtoolignore:1:*.tmp\ta.tmp", ".dvtoolignore:2:!keep.tmp\tkeep.tmp"]),
        (("-d", "-n", "b", "x/"), 1, ["::\tb", "::\tx/"]),
        (("-q", "a.tmp"), 0, []),
        (("odd\x1b.tmp",), 0, ["odd\\x1b.tmp"]),
    ],
)
def test_check_ignore(cli: CommandLine, argv: tuple[str, ...], code: int, lines: list[str]) -> None:
    ran = cli("check-ignore", *argv)
    assert (ran.code, ran.out.splitlines(), ran.err) == (code, lines, "")


def test_check_ignore_from_a_subdirectory_and_from_standard_input(cli: CommandLine) -> None:
    below = cli.below("sub")
    (below.at / ".dvtoolignore").write_text("!*.tmp\n")
    assert below("check-ignore", "a.tmp").code == 1
    assert below.done("check-ignore", "../a.tmp") == "../a.tmp\n"
    assert cli.done("check-ignore", "--stdin", stdin=b"a.tmp\nb\n\nc.tmp\n") == "a.tmp\nc.tmp\n"
    assert cli.done("check-ignore", "--stdin", stdin=b"a\nb.tmp\0c\0") == "a\\nb.tmp\n"


def test_check_ignore_as_json(cli: CommandLine) -> None:
    document = cli("check-ignore", "--json", "a.tmp", "b").document
    assert document["schema"] == "dvtool/check-ignore/1"
    assert document["paths"] == [
        {"path": "a.tmp", "ignored": True, "file": ".dvtoolignore", "line": 1, "pattern": "*.tmp"},
        {"path": "b", "ignored": False, "file": None, "line": None, "pattern": None},
    ]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "which paths?"),
        (("--stdin", "a"), "name paths or use --stdin, not both"),
        (("-n", "a"), "--non-matching needs --details"),
        (("../../a",), "is outside the project"),
    ],
)
def test_check_ignore_refuses(cli: CommandLine, argv: tuple[str, ...], message: str) -> None:
    ran = cli("check-ignore", *argv)
    assert ran.code == 2
    assert message in ran.err


def states(cli: CommandLine, *argv: str) -> dict[str, str]:
    return {check["name"]: check["state"] for check in cli("doctor", "--json", *argv).document["checks"]}


def test_a_healthy_project(cli: CommandLine) -> None:
    cli.done("remote", "add", "-d", "o", "/mnt/o")
    ran = cli("doctor")
    assert ran.code == 0, ran
    assert [line.split()[:2] for line in ran.out.splitlines() if line.startswith("ok")][:3] == [
        ["ok", "python"],
        ["ok", "git"],
        ["ok", "project"],
    ]
    assert "problem" not in states(cli).values()
    assert states(cli)["remote"] == "ok"


def test_doctor_outside_of_a_project(tmp_path: Path) -> None:
    ran = CommandLine(tmp_path)("doctor", "-q")
    assert ran.code == 1
    assert ran.out.startswith("problem  project  ")
    assert "`dvtool init`" in ran.out


def test_doctor_without_git(cli: CommandLine) -> None:
    ran = cli("doctor", "--json", environ={"PATH": ""})
    assert ran.code == 1
    git = next(check for check in ran.document["checks"] if check["name"] == "git")
    assert (git["state"], git["hint"]) == ("problem", "install Git 2.31 or newer")


def test_doctor_names_what_is_wrong_with_remotes(cli: CommandLine, tmp_path: Path) -> None:
    assert states(cli)["remote"] == "note"
    (tmp_path / "store").mkdir()
    cli.done("remote", "add", "here", str(tmp_path / "store"))
    cli.done("remote", "add", "gone", str(tmp_path / "gone"))
    assert states(cli)["remote"] == "note"
    cli.done("config", "core.remote", "nix")
    found = states(cli, "--remote")
    assert found["remote"] == "problem"
    assert found["remote here"] == "ok"
    assert found["remote gone"] == "problem"


def test_doctor_changes_nothing(cli: CommandLine) -> None:
    before = sorted(cli.at.rglob("*"))
    cli("doctor")
    assert sorted(cli.at.rglob("*")) == before


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_one(tmp_path: Path, shell: str) -> None:
    script = CommandLine(tmp_path).done("completion", shell)
    assert f"_DVTOOL_COMPLETE={shell}_complete" in script
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=script, text=True, check=True)


def test_another_shell_is_refused(tmp_path: Path) -> None:
    ran = CommandLine(tmp_path)("completion", "tcsh")
    assert ran.code == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in ran.err
