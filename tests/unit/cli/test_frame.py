"""Options that every verb has, verbs that do not exist, help."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dvtool import __version__
from tests.support.cli import CommandLine

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


@pytest.mark.parametrize("argv", [("--version",), ("-q", "--version"), ("--version", "root")])
def test_the_version(cli: CommandLine, argv: tuple[str, ...]) -> None:
    assert cli.done(*argv) == f"dvtool {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (("vershion",), "dvtool has no verb 'vershion'", "did you mean `dvtool version`?"),
        (("xyzzy",), "dvtool has no verb 'xyzzy'", "see `dvtool --help`"),
        (("remote", "lst"), "dvtool remote has no verb 'lst'", "did you mean `dvtool remote list`?"),
        (("root", "--jsn"), "no such option '--jsn'", "did you mean --json?"),
        (("root", "--fooo"), "no such option '--fooo'", "see `dvtool root --help`"),
        (("root", "-C"), "option '-C' requires an argument", "see `dvtool root --help`"),
        (("root", "x"), "got unexpected extra argument (x)", "see `dvtool root --help`"),
        (("remote", "add", "x"), "missing argument 'URL'", "see `dvtool remote add --help`"),
        (("--cd", "nowhere", "root"), "--cd: nowhere is not a directory", None),
    ],
)
def test_a_wrong_command_line(cli: CommandLine, argv: tuple[str, ...], message: str, hint: str | None) -> None:
    ran = cli(*argv)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"error: {message}\n" + (f"hint: {hint}\n" if hint else "")


@pytest.mark.parametrize(("argv", "needs"), [((), "a verb, such as "), (("remote",), "one of: add, ")])
def test_a_missing_verb(cli: CommandLine, argv: tuple[str, ...], needs: str) -> None:
    ran = cli(*argv)
    assert ran.code == 2
    assert f" needs {needs}" in ran.err
    assert "--help`" in ran.err


def test_a_usage_error_in_json(cli: CommandLine) -> None:
    assert cli("root", "--json", "--nope").document["kind"] == "usage"


@pytest.mark.parametrize("argv", [("-C", "a/b", "root", "--json"), ("root", "-C", "a", "--cd=b", "--json")])
def test_cd_before_or_after_the_verb(cli: CommandLine, argv: tuple[str, ...]) -> None:
    (cli.at / "a" / "b").mkdir(parents=True)
    (cli.at / "b").mkdir()
    cli.done("init", "--no-scm", "-q")
    assert cli(*argv).document["root"] == str(cli.at.resolve())


def test_cd_twice_goes_deeper(cli: CommandLine) -> None:
    (cli.at / "a" / "b").mkdir(parents=True)
    cli.done("init", "--no-scm", "-q")
    assert cli("-C", "a", "root", "-C", "b", "--json").document["relative"] == "../.."


def test_quiet_before_or_after_the_verb(cli: CommandLine) -> None:
    assert cli.done("-q", "init", "--no-scm") == ""
    assert cli.done("init", "--no-scm", "-f", "--quiet") == ""
    assert cli.done("init", "--no-scm", "-f") != ""


def test_colour_only_where_it_was_asked(cli: CommandLine) -> None:
    assert cli("xyzzy", "--color", "always").err.startswith("error:")
    assert cli("--color", "always", "xyzzy").err.startswith("\x1b[31;1merror:\x1b[0m")
    assert cli("--color=sometimes", "root").code == 2


@pytest.mark.parametrize("argv", [("--help",), ("root", "-h"), ("remote", "--help"), ("remote", "add", "--help")])
def test_every_help_page_ends_alike(cli: CommandLine, argv: tuple[str, ...]) -> None:
    text = cli.done(*argv)
    assert "\nExamples:\n" in text
    assert "\nCommon options:\n" in text
    assert "  10        not in a repository\n" in text


def test_no_verb_is_imported_for_the_help() -> None:
    program = (
        "import sys\nfrom dvtool.cli.main import main\nsys.argv[1:] = ['--help']\nmain()\n"
        "print([n for n in sys.modules if n.startswith(('dvtool.cli.verbs', 'dvtool.api'))], file=sys.stderr)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stderr == "[]\n"


def test_click_is_not_imported_for_the_version() -> None:
    program = (
        "import sys\nfrom dvtool.cli.main import main\nsys.argv[1:] = ['--version']\nmain()\n"
        "print('click' in sys.modules, file=sys.stderr)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stderr == "False\n"


def test_the_public_interface_is_lazy() -> None:
    program = (
        "import sys\nimport dvtool.api\nprint([name for name in sys.modules if name.startswith('dvtool.')])\n"
        "for name in dvtool.api.__all__:\n    getattr(dvtool.api, name)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout == "['dvtool.api']\n"


@pytest.mark.parametrize(
    ("words", "position", "offered"),
    [
        ("dvtool rem", 1, "remote"),
        ("dvtool remote mod", 2, "modify"),
        ("dvtool config --show", 2, "--show-origin"),
        ("dvtool remote remove or", 3, "origin"),
        ("dvtool config core.auto", 2, "core.autostage"),
    ],
)
def test_completion(tmp_path: Path, words: str, position: int, offered: str) -> None:
    cli = CommandLine(tmp_path)
    cli.done("init", "--no-scm", "-q")
    cli.done("remote", "add", "-q", "origin", "s3://bucket")
    environ = {"_DVTOOL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(position)}
    run = subprocess.run(
        [sys.executable, "-m", "dvtool"],
        cwd=tmp_path,
        env={**os.environ, **environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"plain,{offered}" in run.stdout.splitlines()
    assert run.stderr == ""
