"""`dvtool install`: what it writes, keeps and takes away."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from dvtool.git.attributes import DIFF_ATTRIBUTES
from dvtool.git.attributes import MERGE_ATTRIBUTES
from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.hookrepo import HookRepo

HOOKS = ["post-checkout", "post-commit", "post-merge", "post-rewrite", "pre-commit", "pre-push"]


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return git_project(tmp_path / "repo")


def hooks(cli: CommandLine, folder: str = ".git/hooks") -> dict[str, str]:
    found = (cli.at / folder).glob("*")
    return {path.name: path.read_text() for path in found if not path.name.endswith(".sample")}


def script(path: Path, text: str, mode: int = 0o755) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def config(cli: CommandLine) -> str:
    return (cli.at / ".git/config").read_text()


def test_all_of_it_and_nothing_left_behind(cli: CommandLine) -> None:
    before = config(cli)
    out = cli.done("install")
    assert sorted(hooks(cli)) == HOOKS
    assert ".git/hooks/pre-push: uploads the data of what is pushed first" in out
    assert (cli.at / ".git/info/attributes").read_text().splitlines() == [*MERGE_ATTRIBUTES, *DIFF_ATTRIBUTES]
    assert "git-hook merge-driver %O %A %B %P" in config(cli)
    assert subprocess.run(["git", "status", "--porcelain"], cwd=cli.at, capture_output=True, check=True).stdout == (
        b"A  .dvtool/config\nA  .dvtoolignore\n"
    ), "nothing of it is in the work tree"
    written = hooks(cli)
    assert cli.done("install") == "nothing to do: all is in place\n"
    assert hooks(cli) == written
    cli.done("install", "--uninstall")
    assert hooks(cli) == {}
    assert (cli.at / ".git/info/attributes").read_text() == ""
    assert config(cli) == before
    assert cli.done("install", "--uninstall") == "nothing to do: dvtool is not in Git here\n"


def test_a_dry_run_changes_nothing(cli: CommandLine) -> None:
    before = config(cli)
    planned = cli.done("install", "--dry-run")
    assert (hooks(cli), config(cli)) == ({}, before)
    assert cli.done("install") == planned


def test_json(cli: CommandLine) -> None:
    script(cli.at / ".git/hooks/pre-push", "#!/bin/sh\n")
    document = cli("install", "--json").document
    assert document["schema"] == "dvtool/install/1"
    changes = {hook["name"]: hook["change"] for hook in document["hooks"]}
    assert changes == {**dict.fromkeys(HOOKS, "written"), "pre-push": "chained"}
    undone = cli("install", "--uninstall", "--json").document
    assert {hook["name"]: hook["change"] for hook in undone["hooks"]}["pre-push"] == "restored"


def test_own_lines_and_settings_stay(cli: CommandLine) -> None:
    (cli.at / ".git/info").mkdir(exist_ok=True)
    (cli.at / ".git/info/attributes").write_text("*.png binary\n")
    subprocess.run(["git", "config", "diff.word.textconv", "cat"], cwd=cli.at, check=True)
    before = config(cli)
    cli.done("install")
    cli.done("install", "--uninstall")
    assert (cli.at / ".git/info/attributes").read_text() == "*.png binary\n"
    assert config(cli) == before


@pytest.mark.parametrize("kind", ["python", "link", "not executable"])
def test_a_hook_of_ones_own_stays_and_runs_first(cli: CommandLine, kind: str) -> None:
    repo = HookRepo(cli.at)
    own = cli.at / ".git/hooks/pre-commit"
    was: tuple[str | None, str, int]
    text = "#!/usr/bin/env python3\nprint('mine', flush=True)\nraise SystemExit(1)\n"
    if kind == "link":
        script(cli.at / "tools/check", text)
        own.parent.mkdir(exist_ok=True)
        own.symlink_to("../../tools/check")
    else:
        script(own, text, 0o644 if kind == "not executable" else 0o755)
    was = (os.readlink(own) if own.is_symlink() else None, own.read_text(), stat.S_IMODE(own.stat().st_mode))
    cli.done("install")
    assert "git-hook pre-commit" in own.read_text()
    repo.write({"m": "m\n"})
    cli.done("add", "-q", "m")
    repo.git("add", "-f", "m")
    ran = repo.run("commit", "-m", "x")
    assert ran.code == 1
    assert ("mine" in ran.err + ran.out) == (kind != "not executable")
    assert ("m.dvt stands for it" in ran.err) == (kind == "not executable"), "theirs said no first"
    cli.done("install", "--uninstall")
    assert was == (
        os.readlink(own) if own.is_symlink() else None,
        own.read_text(),
        stat.S_IMODE(own.stat().st_mode),
    )
    assert sorted(hooks(cli)) == ["pre-commit"]


def test_standard_input_goes_to_both(cli: CommandLine) -> None:
    repo = HookRepo(cli.at)
    script(cli.at / ".git/hooks/pre-push", "#!/bin/sh\ncat > .git/seen\n")
    cli.done("install")
    subprocess.run(["git", "init", "-q", "--bare", "up.git"], cwd=cli.at.parent, check=True)
    repo.git("commit", "-q", "-m", "first")
    repo.write({"m": "m\n"})
    cli.done("add", "-q", "m")
    repo.git("add", ".gitignore", "m.dvt")
    repo.git("commit", "-q", "-m", "second")
    ran = repo.run("push", "-q", "../up.git", "main")
    assert "no remote is configured" in ran.err, "ours has read what is pushed"
    assert (cli.at / ".git/seen").read_text().startswith("refs/heads/main ")


def test_hooks_that_changed_hands_are_not_guessed_about(cli: CommandLine) -> None:
    own = cli.at / ".git/hooks/pre-commit"
    script(own, "#!/bin/sh\necho first\n")
    cli.done("install")
    script(own, "#!/bin/sh\necho second\n")
    ran = cli("install")
    assert ran.code == 9
    assert "pre-commit.before-dvtool" in ran.err
    assert own.read_text().endswith("second\n")


def test_the_directory_that_core_hookspath_names(cli: CommandLine, tmp_path: Path) -> None:
    repo = HookRepo(cli.at)
    repo.git("config", "core.hooksPath", ".githooks")
    cli.done("install")
    assert sorted(hooks(cli, ".githooks")) == HOOKS
    assert "program=dvtool\n" in hooks(cli, ".githooks")["pre-commit"], "what is committed names no path of one machine"
    repo.git("config", "core.hooksPath", str(tmp_path / "everybody"))
    ran = cli("install")
    assert ran.code == 9
    assert "--force" in ran.err
    assert not (tmp_path / "everybody").exists()
    cli.done("install", "--force")
    assert len(list((tmp_path / "everybody").iterdir())) == len(HOOKS)


def test_no_link_of_the_work_tree_is_written_through(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (cli.at / ".githooks").symlink_to(tmp_path / "outside")
    HookRepo(cli.at).git("config", "core.hooksPath", ".githooks")
    assert cli("install").code == 6
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_hook_without_dvtool_says_so(cli: CommandLine) -> None:
    repo = HookRepo(cli.at)
    cli.done("install")
    for path in (cli.at / ".git/hooks").glob("p*"):
        lines = path.read_text().splitlines()
        gone = ["program=/gone/dvtool" if line.startswith("program=") else line for line in lines]
        path.write_text("\n".join([*gone, ""]))
    bare = {"PATH": "/usr/bin:/bin"}
    refused = repo.run("commit", "-m", "x", environ=bare)
    assert refused.code == 1
    assert "`git commit --no-verify` goes past it" in refused.err
    repo.git("commit", "-q", "-m", "x")
    switched = repo.run("switch", "-q", "-c", "b", environ=bare)
    assert switched.code == 0
    assert "dvtool is not on the PATH" in switched.err


def test_doctor_knows_whether_git_finds_dvtool(cli: CommandLine) -> None:
    def state() -> str:
        checks = {check["name"]: check["state"] for check in cli("doctor", "--json").document["checks"]}
        return str(checks["hooks"])

    assert state() == "note"
    cli.done("install")
    assert state() == "ok"
    hook = cli.at / ".git/hooks/pre-commit"
    hook.write_text(hook.read_text().replace("program=/", "program=/gone/"))
    assert state() == "problem"
    cli.done("install")
    assert state() == "ok"


def test_without_git_there_is_nothing_to_install(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path)
    cli.done("init", "-q", "--no-scm")
    assert cli("install").code == 2
