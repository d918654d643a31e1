"""``dvtool gc`` at the prompt."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import Ran
from tests.support.cli import git_project


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """Two versions of a directory and a large file; only the second is needed by the worktree."""
    project = git_project(tmp_path / "project")
    (project.at / "d").mkdir()
    for number in (1, 2):
        for name in ("a", "b", "c"):
            (project.at / "d" / name).write_text(f"{name} {number if name == 'a' else ''}\n" * 500)
        (project.at / "big").write_text(f"{number}" * 150_000)
        project.done("add", "-q", "d", "big")
        git(project, "add", "-A")
        git(project, "commit", "-q", "-m", f"version {number}")
    return project


def git(cli: CommandLine, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=cli.at, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def on_a_terminal(cli: CommandLine, monkeypatch: pytest.MonkeyPatch, answer: bytes, *argv: str) -> Ran:
    from io import BytesIO

    monkeypatch.setattr("tests.support.cli.BytesIO", type("Tty", (BytesIO,), {"isatty": lambda _: True}))
    return cli(*argv, stdin=answer)


def test_it_wants_to_know_what_to_keep(cli: CommandLine) -> None:
    for argv in (("gc",), ("gc", "-f"), ("gc", "--dry-run"), ("gc", "-n", "0", "-f")):
        ran = cli(*argv)
        assert ran.code == 2
        assert "say what to keep" in ran.err
        assert "dvtool gc --workspace" in ran.err


def test_without_a_terminal_it_does_not_ask(cli: CommandLine) -> None:
    ran = cli("gc", "-w", "--grace", "0")
    assert ran.code == 2
    assert "nobody to ask" in ran.err
    assert "--force" in ran.err


def test_nothing_to_collect_says_what_is_too_young(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = on_a_terminal(cli, monkeypatch, b"", "gc", "-w")
    assert ran.code == 0
    assert "in files younger than 1d: they stay (--grace 0 takes them too)" in ran.out
    assert "nothing to collect" in ran.out


def test_it_asks_and_takes_no_for_an_answer(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in (b"", b"n\n", b"yess\n"):
        ran = on_a_terminal(cli, monkeypatch, answer, "gc", "-w", "--grace", "0")
        assert ran.code == 1
        assert "go on? [y/N]" in ran.err
        assert "big, last in" in ran.err
    assert "3 objects" in cli.done("gc", "-w", "--grace", "0", "--dry-run")
    ran = on_a_terminal(cli, monkeypatch, b"y\n", "gc", "-w", "--grace", "0")
    assert ran.code == 0
    assert "moved to the trash" in ran.out
    assert "nothing to collect" in cli.done("gc", "-w", "--grace", "0", "--force")


def test_both_runs_print_one_plan(cli: CommandLine) -> None:
    first = git(cli, "rev-parse", "HEAD~1")
    dry = cli("gc", "-w", "--grace", "0", "--dry-run", "--json").document
    wet = cli("gc", "-w", "--grace", "0", "--force", "--json").document
    assert dry["schema"] == "dvtool/gc/1"
    assert (dry["done"], wet["done"]) == (False, True)
    assert dry["objects"] == wet["objects"]
    assert dry["bytes_freed"] == wet["bytes_freed"] > 150_000
    assert {(each["path"], each["kind"], each["commit"]) for each in wet["objects"]} == {
        ("big", "file", first),
        ("d", "listing", first),
        ("d/a", "file", first),
    }
    assert {key: dry[key] for key in dry if key not in ("done", "trash_run")} == {
        key: wet[key] for key in wet if key not in ("done", "trash_run")
    }


def test_text_of_a_dry_run(cli: CommandLine) -> None:
    out = cli.done("gc", "--all-tags", "--grace", "0", "--dry-run")
    assert out.splitlines()[0] == "keeps what the worktree, Git's index, stashes and HEAD need; all tags"
    assert "d/a" in out
    assert "would go to the trash for 2w" in out


def test_what_is_new_stays_for_a_day(cli: CommandLine) -> None:
    out = cli.done("gc", "-w", "-f")
    assert "younger than 1d: they stay (--grace 0 takes them too)" in out
    assert "nothing to collect" in out
    cli.done("config", "--local", "gc.grace", "0")
    assert "moved to the trash" in cli.done("gc", "-w", "-f")


def test_undo_brings_it_back(cli: CommandLine) -> None:
    cli.done("gc", "-w", "--grace", "0", "-f")
    assert "3 objects" not in cli.done("gc", "-w", "--grace", "0", "--dry-run")
    cli.done("undo")
    git(cli, "checkout", "-q", "HEAD~1")
    cli.done("checkout")
    assert (cli.at / "big").read_text() == "1" * 150_000
    assert (cli.at / "d" / "a").read_text().startswith("a 1\n")
    assert "sound" in cli.done("fsck", "--deep")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--grace", "soon"), "is not a duration"),
        (("--date", "yesterday"), "is not a date"),
        (("--rev", "nothing"), "no revision"),
        (("--min-copies", "2", "-w"), "remote"),
    ],
)
def test_it_refuses(cli: CommandLine, argv: tuple[str, ...], message: str) -> None:
    ran = cli("gc", "-f", "-w", *argv)
    assert ran.code in (2, 9)
    assert message in ran.err


def test_an_empty_pointer_stops_all(cli: CommandLine) -> None:
    (cli.at / "big.dvt").write_text("")
    before = sorted(path for path in (cli.at / ".git" / "dvtool" / "cache").rglob("*/*/*"))
    ran = cli("gc", "-w", "-f", "--grace", "0", "--no-trash")
    assert ran.code == 9
    assert "big.dvt" in ran.err
    assert sorted(path for path in (cli.at / ".git" / "dvtool" / "cache").rglob("*/*/*")) == before


def test_date_and_number(cli: CommandLine) -> None:
    assert "nothing to collect" in cli.done("gc", "-n", "2", "-f", "--grace", "0")
    assert "; the last commit of HEAD\n" in cli.done("gc", "-n", "1", "--dry-run")
    assert "nothing to collect" in cli.done("gc", "--date", "2020-01-01", "-f", "--grace", "0")
    assert "would go" in cli.done("gc", "--date", "2200-01-01", "--dry-run", "--grace", "0")


def test_only_what_remotes_prove_to_have(cli: CommandLine, tmp_path: Path) -> None:
    cli.done("remote", "add", "-d", "one", str(tmp_path / "one"))
    cli.done("remote", "add", "two", str(tmp_path / "two"))
    cli.done("push", "-q", "--all-commits")
    cli.done("push", "-q", "-r", "two")
    rules = ("-w", "--grace", "0", "--json")
    assert cli("gc", *rules, "--dry-run", "--min-copies", "2").document["objects"] == []
    assert cli("gc", *rules, "--dry-run", "--min-copies", "2").document["unproved_objects"] == 3
    assert len(cli("gc", *rules, "--dry-run", "--min-copies", "1").document["objects"]) == 3
    cli.done("push", "-q", "-r", "two", "--all-commits")
    assert len(cli("gc", *rules, "--force", "--min-copies", "2").document["objects"]) == 3
    shutil.rmtree(tmp_path / "one" / "data")
    (cli.at / "big").write_text("3" * 150_000)
    cli.done("add", "big")
    ran = cli("gc", *rules, "--force", "--min-copies", "1")
    assert json.loads(ran.out)["objects"] == []
