"""``dvtool repro``: what runs, what is restored, what stays, and what is told."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project

CHAIN = """\
stages:
  first:
    cmd: echo first >> ran; cp in one
    deps: [in]
    outs: [one]
  second:
    cmd: echo second >> ran; cp one two
    deps: [one]
    outs: [two]
  third:
    cmd: echo third >> ran; wc -c < two > three
    deps: [two]
    metrics:
    - three: {cache: false}
"""


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return git_project(tmp_path / "repo")


def define(cli: CommandLine, text: str, **files: str) -> None:
    (cli.at / "dvtool.yaml").write_text(text)
    for name, content in files.items():
        (cli.at / name).write_text(content)


def read(cli: CommandLine, name: str) -> str:
    return (cli.at / name).read_text()


def ran(cli: CommandLine) -> list[str]:
    """The stages that ran since the last time, in order."""
    path = cli.at / "ran"
    found = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def states(cli: CommandLine, *argv: str, code: int = 0) -> dict[str, Any]:
    done = cli("repro", "--json", *argv)
    assert done.code == code, done
    return {stage["stage"]: stage["state"] for stage in done.document["stages"]}


def state_dir(cli: CommandLine) -> Path:
    return cli.at / ".git" / "dvtool"


def test_stages_run_in_order_once_and_are_recorded(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    out = cli.done("repro")
    assert ran(cli) == ["first", "second", "third"]
    assert "first: running, it never ran" in out
    assert "next: git add .gitignore dvtool.lock" in out
    assert read(cli, ".gitignore") == "/one\n/two\n"
    assert json.loads(read(cli, "dvtool.lock"))["stages"]["second"]["cmd"] == ["echo second >> ran; cp one two"]
    assert states(cli) == {"first": "skipped", "second": "skipped", "third": "skipped"}
    assert ran(cli) == []


def test_only_what_is_behind_a_change_runs_again(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    cli.done("repro")
    ran(cli)
    define(cli, CHAIN.replace("cp one two", "cat one > two"))
    assert states(cli) == {"first": "skipped", "second": "ran", "third": "skipped"}
    assert ran(cli) == ["second"]


def test_what_ran_with_these_inputs_before_is_restored(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    cli.done("repro")
    before = read(cli, "dvtool.lock")
    (cli.at / "in").write_text("345")
    cli.done("repro")
    assert read(cli, "three") == "3\n"
    ran(cli)
    (cli.at / "in").write_text("12")
    assert set(states(cli).values()) == {"restored"}
    assert (ran(cli), read(cli, "two"), read(cli, "three")) == ([], "12", "2\n")
    assert read(cli, "dvtool.lock") == before
    (cli.at / "in").write_text("345")
    assert set(states(cli, "--no-run-cache").values()) == {"ran"}


def test_a_failed_stage_gives_its_outputs_back_and_says_what_it_printed(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    cli.done("repro")
    lock = read(cli, "dvtool.lock")
    define(cli, CHAIN.replace("cp one two", "echo half > two; echo oh dear; exit 3"))
    done = cli("repro")
    assert done.code == 8
    assert "stage second failed with exit code 3\n    oh dear\n" in done.err
    assert "third: not run, stage second failed" in done.out
    assert (read(cli, "two"), read(cli, "dvtool.lock")) == ("12", lock)
    left = state_dir(cli) / "failed" / "second" / "two"
    assert left.read_text() == "half\n" and str(left.parent) in done.err
    assert not any((state_dir(cli) / "aside").iterdir())


def test_a_stage_that_fails_the_first_time_leaves_nothing_in_the_worktree(cli: CommandLine) -> None:
    define(cli, "stages:\n  a:\n    cmd: mkdir d; echo 1 > d/x; false\n    outs: [d]\n")
    assert cli("repro").code == 8
    assert not (cli.at / "d").exists() and not (cli.at / "dvtool.lock").exists()
    assert (state_dir(cli) / "failed" / "a" / "d" / "x").read_text() == "1\n"


def test_an_output_that_was_not_written_is_a_failure(cli: CommandLine) -> None:
    define(cli, "stages:\n  a:\n    cmd: echo 1 > x\n    outs: [x, y]\n")
    done = cli("repro")
    assert done.code == 8
    assert "stage a ended well, but did not write its output y" in done.err


def test_a_missing_dependency_is_named(cli: CommandLine) -> None:
    define(cli, CHAIN)
    done = cli("repro")
    assert done.code == 4
    assert "stage first depends on in, which is not there" in done.err


def test_what_the_user_edited_is_kept(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    cli.done("repro")
    (cli.at / "one").write_text("edited")
    (cli.at / "in").write_text("345")
    done = cli("repro")
    assert "one: not as stage first left it; what stood there is kept" in done.err
    assert read(cli, "one") == "345"
    assert "one" in cli.done("recover")
    (cli.at / "one").write_text("edited again")
    done = cli("repro")
    assert "first: restored, output one is not what the last run made" in done.out and "is kept" in done.err


def test_an_unknown_file_where_an_output_is_to_be_is_kept(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12", "one": "mine"})
    assert "what stood there is kept" in cli("repro").err
    assert "one" in cli.done("recover")


def test_a_repro_is_undone(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    cli.done("repro")
    lock = read(cli, "dvtool.lock")
    (cli.at / "in").write_text("345")
    cli.done("repro")
    cli.done("undo")
    assert (read(cli, "dvtool.lock"), read(cli, "two"), read(cli, "three")) == (lock, "12", "2\n")
    cli.done("undo")
    assert (read(cli, "two"), read(cli, "three")) == ("345", "3\n")


def test_the_first_repro_is_undone(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    cli.done("repro")
    cli.done("undo")
    assert not any((cli.at / name).exists() for name in ("dvtool.lock", "one", "two", "three", ".gitignore"))


def test_independent_stages_do_not_suffer_from_a_failure_with_keep_going(cli: CommandLine) -> None:
    text = "stages:\n  bad:\n    cmd: 'false'\n    outs: [b]\n  after:\n    cmd: cp b a\n    deps: [b]\n    outs: [a]\n"
    text += "  good:\n    cmd: echo 1 > g\n    outs: [g]\n"
    define(cli, text)
    assert states(cli, code=8) == {"bad": "failed", "after": "blocked", "good": "left"}
    assert states(cli, "-k", code=8) == {"bad": "failed", "after": "blocked", "good": "ran"}
    define(cli, text.replace("outs: [b]", "outs: [b]\n    on_error: continue"))
    assert states(cli, "-f", code=8) == {"bad": "failed", "after": "blocked", "good": "ran"}


def test_errors_can_be_ignored(cli: CommandLine) -> None:
    text = "stages:\n  bad:\n    cmd: 'false'\n    deps: [in]\n    outs: [b]\n"
    define(cli, text + "  good:\n    cmd: echo 1 > g\n    outs: [g]\n", **{"in": "1"})
    assert states(cli, "--ignore-errors") == {"bad": "failed", "good": "ran"}


def test_targets_and_their_surroundings(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    assert states(cli, "second") == {"first": "ran", "second": "ran"}
    assert states(cli, "-s", "-f", "second") == {"second": "ran"}
    assert states(cli, "--downstream", "second") == {"second": "skipped", "third": "ran"}
    assert states(cli, "--glob", "f*") == {"first": "skipped"}
    assert list(states(cli, "-p", "second")) == ["first", "second", "third"]
    assert list(states(cli, "two")) == ["first", "second"]
    below = cli.below("sub")
    assert below("repro").code == 2
    assert list(states(below, "-P")) == ["first", "second", "third"]
    assert list(states(cli, "-R", ".")) == ["first", "second", "third"]
    done = cli("repro", "secnd")
    assert done.code == 2 and "second" in done.err


def test_force_downstream(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    cli.done("repro")
    define(cli, CHAIN.replace("cp in one", "cat in > one"))
    assert states(cli, "--force-downstream") == {"first": "ran", "second": "ran", "third": "ran"}


def test_a_dry_run_starts_nothing(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    out = cli.done("repro", "--dry")
    assert out.splitlines() == [
        "first: would run, it never ran",
        "second: would run, it never ran; stage first comes before it",
        "third: would run, it never ran; stage second comes before it",
    ]
    assert ran(cli) == [] and not (cli.at / "dvtool.lock").exists()
    cli.done("repro")
    assert [each["action"] for each in cli("repro", "-n", "-f", "--json").document["plan"]] == ["run"] * 3


def test_locks_are_the_same_for_any_number_of_jobs(tmp_path: Path) -> None:
    text = "stages:\n"
    for number in range(12):
        deps = f"    deps: [o{number // 2}]\n" if number > 1 else ""
        text += f"  s{number}:\n    cmd: echo {number} > o{number}\n{deps}    outs: [o{number}]\n"
    written = set()
    for jobs in ("1", "5"):
        cli = git_project(tmp_path / jobs)
        define(cli, text)
        cli.done("repro", "-j", jobs)
        written.add((read(cli, "dvtool.lock"), read(cli, ".gitignore")))
    assert len(written) == 1


def test_stages_really_run_at_once(cli: CommandLine) -> None:
    """Each waits for the other one's sign of life."""
    text = "stages:\n"
    for mine, other in (("a", "b"), ("b", "a")):
        text += f"  {mine}:\n    cmd: touch go{mine}; until [ -e go{other} ]; do sleep 0.01; done; echo 1 > {mine}\n"
        text += f"    outs: [{mine}]\n    timeout: 60\n"
    define(cli, text)
    cli.done("repro", "-j", "2")


def test_a_resource_that_is_there_once_is_used_by_one_stage_at_a_time(cli: CommandLine) -> None:
    text = "stages:\n"
    for name in "abc":
        text += f"  {name}:\n    cmd: mkdir taken && sleep 0.05 && rmdir taken && echo 1 > {name}\n"
        text += f"    outs: [{name}]\n    resources: {{license: 1}}\n"
    define(cli, text)
    assert set(states(cli, "-j", "3").values()) == {"ran"}


def test_a_stage_out_of_time_is_ended_with_all_that_it_started(cli: CommandLine) -> None:
    define(cli, "stages:\n  a:\n    cmd: sleep 1000 & sleep 1000; wait\n    outs: [x]\n    timeout: 0.2\n")
    done = cli("repro")
    assert done.code == 8 and "stage a ran out of time" in done.err
    assert "out of time after 0.2 s" in done.out


def test_a_stage_is_tried_again(cli: CommandLine) -> None:
    define(
        cli,
        "stages:\n  a:\n    cmd: echo x >> tries; [ ! -e out ] || exit 9; echo 1 > out; [ $(wc -l < tries) = 3 ]\n"
        "    outs: [out]\n    retry: {times: 2, wait: 0.01, backoff: 2}\n",
    )
    document = cli("repro", "--json").document
    assert [(each["state"], each["attempts"]) for each in document["stages"]] == [("ran", 3)]


def test_a_command_list_runs_in_turn_until_one_fails(cli: CommandLine) -> None:
    define(cli, "stages:\n  a:\n    cmd:\n    - echo 1 > x\n    - exit 5\n    - echo 2 > y\n    outs: [x]\n")
    done = cli("repro", "--json")
    assert done.document["stages"][0]["exit_code"] == 5
    assert not (cli.at / "y").exists()


def test_words_without_a_shell_are_taken_as_they_are(cli: CommandLine) -> None:
    define(
        cli, "stages:\n  a:\n    argv: [cp, '$(touch hacked)', out]\n    deps: ['$(touch hacked)']\n    outs: [out]\n"
    )
    (cli.at / "$(touch hacked)").write_text("text")
    cli.done("repro")
    assert read(cli, "out") == "text" and not (cli.at / "hacked").exists()


def test_a_stage_knows_where_it_is(cli: CommandLine) -> None:
    (cli.at / "sub").mkdir()
    (cli.at / "sub" / "dvtool.yaml").write_text(
        'stages:\n  a:\n    cmd: pwd > out; echo "$DVTOOL_STAGE $DVTOOL_ROOT $MINE" >> out\n'
        "    outs: [out]\n    env: {vars: {MINE: yours}}\n"
    )
    cli.done("repro", "-P")
    lines = read(cli, "sub/out").splitlines()
    assert lines == [str(cli.at / "sub"), f"sub/dvtool.yaml:a {cli.at} yours"]
    assert (cli.at / "sub" / "dvtool.lock").exists() and read(cli, "sub/.gitignore") == "/out\n"


def test_an_output_that_persists_is_there_while_the_command_runs(cli: CommandLine) -> None:
    cli.done("config", "cache.type", "hardlink")
    define(
        cli,
        "stages:\n  a:\n    cmd: cat in >> all\n    deps: [in]\n    outs:\n    - all: {persist: true}\n",
        **{"in": "1"},
    )
    cli.done("repro")
    cli.done("checkout", "--relink")
    (cli.at / "in").write_text("2")
    cli.done("repro")
    assert read(cli, "all") == "12"
    cli.done("fsck")


def test_without_commit_the_cache_stays_empty(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    cli.done("repro", "--no-commit")
    assert not list((cli.at / ".git/dvtool/cache").glob("data/*/*"))
    assert set(states(cli).values()) == {"skipped"}


def test_outputs_that_git_tracks_are_refused(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12", "one": "1"})
    os.system(f"git -C {cli.at} add one")
    done = cli("repro")
    assert done.code == 6 and "one, an output of stage first, is tracked by Git" in done.err
    assert ran(cli) == []


def test_a_user_may_say_no(cli: CommandLine) -> None:
    define(cli, CHAIN, **{"in": "12"})
    done = cli("repro", "-i", stdin=b"y\nn\n")
    assert ran(cli) == ["first"]
    assert "Run stage second?" in done.err


def test_a_dependency_that_changes_while_the_stage_runs_is_noticed(cli: CommandLine) -> None:
    define(cli, "stages:\n  a:\n    cmd: cp in out; echo more >> in\n    deps: [in]\n    outs: [out]\n", **{"in": "1"})
    assert "in changed while stage a ran: it will run again next time" in cli("repro").err
    assert states(cli) == {"a": "ran"}
