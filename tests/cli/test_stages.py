"""``dag``, ``stage``, ``freeze``: looking at pipelines and writing them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project

Capture = pytest.CaptureFixture[str]
DEFINITION = """\
# Ours.
stages:
  prepare:  # takes a minute
    cmd: python prepare.py
    deps:
    - raw.csv
    outs:
    - clean

  train:
    cmd: python train.py
    desc: The model.
    deps:
    - clean
    params:
    - lr
    outs:
    - model.bin
    metrics:
    - metrics.json:
        cache: false
"""


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    made = git_project(tmp_path / "repo")
    (made.at / "dvtool.yaml").write_text(DEFINITION)
    (made.at / "raw.csv").write_text("1\n")
    made.done("add", "-q", "raw.csv")
    return made


def definition(cli: CommandLine) -> str:
    return (cli.at / "dvtool.yaml").read_text()


def test_the_graph_as_text(cli: CommandLine) -> None:
    assert cli.done("dag").splitlines() == ["raw.csv.dvt", "↓ prepare", "↓ train"]


def test_the_graph_of_files(cli: CommandLine) -> None:
    assert cli.done("dag", "--outs").splitlines() == ["raw.csv", "↓ clean", "├─ model.bin", "↓ metrics.json"]


@pytest.mark.parametrize(
    ("flag", "first"), [("--dot", "strict digraph {"), ("--mermaid", "flowchart TD"), ("--md", "```mermaid")]
)
def test_the_graph_for_others(cli: CommandLine, flag: str, first: str) -> None:
    assert cli.done("dag", flag).splitlines()[0] == first


def test_the_graph_as_json(cli: CommandLine) -> None:
    document = cli("dag", "--json").document
    assert document["schema"] == "dvtool/dag/1"
    assert [node["name"] for node in document["nodes"]] == ["raw.csv.dvt", "prepare", "train"]
    assert document["edges"] == [{"from": "raw.csv.dvt", "to": "prepare"}, {"from": "prepare", "to": "train"}]


@pytest.mark.parametrize("target", ["prepare", "clean", "dvtool.yaml:prepare"])
def test_a_target_is_shown_with_what_it_needs(cli: CommandLine, target: str) -> None:
    assert cli.done("dag", target).splitlines() == ["raw.csv.dvt", "↓ prepare"]


def test_a_target_with_all_that_hangs_together_with_it(cli: CommandLine) -> None:
    assert cli.done("dag", "--full", "prepare") == cli.done("dag")


@pytest.mark.parametrize("target", ["raw.csv", "raw.csv.dvt"])
def test_tracked_data_is_a_target_too(cli: CommandLine, target: str) -> None:
    assert cli.done("dag", target).splitlines() == ["raw.csv.dvt"]
    assert cli.done("dag", "--outs", target).splitlines() == ["raw.csv"]


def test_outputs_are_named_from_where_one_stands(cli: CommandLine) -> None:
    assert cli.below("sub").done("dag", "../clean").splitlines() == ["raw.csv.dvt", "↓ prepare"]


def test_a_wrong_target_is_answered_with_the_nearest(cli: CommandLine) -> None:
    ran = cli("dag", "trian")
    assert ran.code == 2
    assert "did you mean `train`?" in ran.err


def test_two_forms_at_once_are_refused(cli: CommandLine) -> None:
    assert cli("dag", "--dot", "--mermaid").code == 2


def test_no_stages_yet(tmp_path: Path) -> None:
    empty = git_project(tmp_path / "empty")
    assert "dvtool stage add" in empty.done("dag")
    assert "dvtool stage add" in empty("stage", "list").err


def test_stages_are_listed(cli: CommandLine) -> None:
    assert cli.done("stage", "list").splitlines() == ["prepare  makes clean", "train    The model."]
    assert cli.done("stage", "list", "--name-only", "train") == "train\n"


def test_a_listed_stage_as_json(cli: CommandLine) -> None:
    prepare, train = cli("stage", "list", "--json").document["stages"]
    assert (prepare["address"], prepare["cmd"], prepare["deps"]) == ("prepare", ["python prepare.py"], ["raw.csv"])
    assert train["params"] == [{"file": "params.yaml", "keys": ["lr"]}]
    assert [(out["path"], out["kind"], out["cache"]) for out in train["outs"]] == [
        ("model.bin", "outs", True),
        ("metrics.json", "metrics", False),
    ]


def test_stages_of_other_directories_are_listed_on_demand(cli: CommandLine) -> None:
    other = cli.below("models")
    other.done("stage", "add", "-n", "tune", "-o", "best", "tune")
    assert other.done("stage", "list", "--name-only") == "models/dvtool.yaml:tune\n"
    assert cli.done("stage", "list", "--name-only").split() == ["prepare", "train"]
    assert cli.done("stage", "list", "--all", "--name-only").split() == ["prepare", "train", "models/dvtool.yaml:tune"]
    assert cli.done("stage", "list", "-R", "models", "--name-only").split() == ["models/dvtool.yaml:tune"]
    assert "3 stages elsewhere" in cli.below("empty")("stage", "list").err


def test_a_stage_is_added_behind_the_others(cli: CommandLine) -> None:
    out = cli.done(
        *("stage", "add", "-n", "eval", "-d", "model.bin", "-d", "eval.py", "-p", "lr,depth", "-p", "other.json:a"),
        *(
            "-p",
            "more.toml:",
            "-o",
            "report",
            "-O",
            "notes",
            "--outs-persist",
            "log",
            "--outs-persist-no-cache",
            "seen",
        ),
        *("-m", "scores.json", "-M", "small.json", "--plots", "curve.csv", "--plots-no-cache", "roc.csv"),
        *("-w", ".", "--always-changed", "--desc", "How good.", "python", "eval.py", "--title", "two words"),
    )
    assert "stage eval added in dvtool.yaml" in out
    assert definition(cli).startswith(DEFINITION)
    assert definition(cli)[len(DEFINITION) :].splitlines() == [
        "  eval:",
        "    desc: How good.",
        '    cmd: python eval.py --title "two words"',
        "    deps:",
        "    - model.bin",
        "    - eval.py",
        "    params:",
        "    - lr",
        "    - depth",
        "    - other.json:",
        "      - a",
        "    - more.toml:",
        "    outs:",
        "    - report",
        "    - notes:",
        "        cache: false",
        "    - log:",
        "        persist: true",
        "    - seen:",
        "        cache: false",
        "        persist: true",
        "    metrics:",
        "    - scores.json",
        "    - small.json:",
        "        cache: false",
        "    plots:",
        "    - curve.csv",
        "    - roc.csv:",
        "        cache: false",
        "    always_changed: true",
    ]
    ignored = (cli.at / ".gitignore").read_text().split()
    assert {"/report", "/log", "/scores.json", "/curve.csv"} <= set(ignored)
    assert not {"/notes", "/seen", "/small.json", "/roc.csv"} & set(ignored)


def test_words_without_a_shell(cli: CommandLine) -> None:
    cli.done("stage", "add", "-n", "say", "--argv", "echo", "a; b", "$HOME")
    assert cli("stage", "list", "say", "--json").document["stages"][0]["argv"] == ["echo", "a; b", "$HOME"]


def test_a_stage_is_replaced_only_by_force(cli: CommandLine) -> None:
    ran = cli("stage", "add", "-n", "prepare", "-o", "clean", "other")
    assert (ran.code, definition(cli)) == (2, DEFINITION)
    assert "replaced" in cli.done("stage", "add", "-f", "-n", "prepare", "-o", "clean", "other")
    assert definition(cli).startswith(
        "# Ours.\nstages:\n  prepare:\n    cmd: other\n    outs:\n    - clean\n\n  train:"
    )


def test_paths_are_relative_to_the_working_directory(cli: CommandLine) -> None:
    (cli.at / "src").mkdir()
    cli.done("stage", "add", "-n", "build", "-w", "src", "-d", "in", "-o", "out", "make")
    document = cli("stage", "list", "build", "--json").document["stages"][0]
    assert (document["wdir"], document["deps"], document["outs"][0]["path"]) == ("src", ["src/in"], "src/out")


def test_a_first_stage_makes_the_file_and_undo_takes_it_back(tmp_path: Path) -> None:
    cli = git_project(tmp_path / "repo")
    cli.done("stage", "add", "-n", "one", "-o", "out", "echo hi > out")
    assert "    cmd: echo hi > out" in definition(cli)
    cli.done("undo")
    assert not (cli.at / "dvtool.yaml").exists()
    assert "/out" not in (cli.at / ".gitignore").read_text() if (cli.at / ".gitignore").exists() else True


def test_editors_find_the_schema(tmp_path: Path) -> None:
    cli = git_project(tmp_path / "repo")
    copy = cli.at / ".dvtool/dvtool.schema.json"
    below = cli.below("sub")
    below.done("stage", "add", "-n", "one", "echo hi")
    assert definition(below).startswith("# yaml-language-server: $schema=../.dvtool/dvtool.schema.json\n")
    current = copy.read_bytes()
    copy.write_bytes(b"{}")
    below.done("stage", "add", "-n", "two", "echo hi")
    assert copy.read_bytes() == current
    cli.done("undo")
    assert copy.read_bytes() == b"{}"


def test_a_definition_without_the_line_gets_no_schema(tmp_path: Path) -> None:
    cli = git_project(tmp_path / "repo")
    (cli.at / "dvtool.yaml").write_text("# mine\nstages:\n  a: {cmd: x}\n")
    cli.done("stage", "add", "-n", "two", "echo hi")
    assert not (cli.at / ".dvtool/dvtool.schema.json").exists()


@pytest.mark.parametrize(
    ("options", "places"),
    [
        (("-o", "clean"), ("dvtool.yaml:25", "dvtool.yaml:8", "stage prepare")),
        (("-o", "clean/part"), ("dvtool.yaml:25", "dvtool.yaml:8", "lies in clean")),
        (("-o", "raw.csv"), ("dvtool.yaml:25", "raw.csv.dvt")),
        (("-d", "model.bin", "-o", "loop", "-o", "raw.csv/x"), ("raw.csv.dvt",)),
    ],
    ids=["twice", "inside", "tracked", "inside tracked"],
)
def test_a_path_with_an_owner_is_refused_with_both_places(
    cli: CommandLine, options: tuple[str, ...], places: tuple[str, ...]
) -> None:
    ran = cli("stage", "add", "-n", "other", *options, "run")
    assert ran.code == 9
    assert all(place in ran.err for place in places), ran.err
    assert definition(cli) == DEFINITION


def test_a_circle_is_refused(cli: CommandLine) -> None:
    ran = cli("stage", "add", "-f", "-n", "prepare", "-d", "model.bin", "-o", "clean", "run")
    assert ran.code == 9
    assert "in a circle" in ran.err and "train" in ran.err
    assert definition(cli) == DEFINITION


def test_what_git_tracks_is_no_cached_output(cli: CommandLine) -> None:
    (cli.at / "notes").write_text("")
    subprocess.run(["git", "add", "notes"], cwd=cli.at, check=True)
    ran = cli("stage", "add", "-n", "other", "-o", "notes", "run")
    assert ran.code == 6
    assert "git rm -r --cached notes" in ran.err
    cli.done("stage", "add", "-n", "other", "-O", "notes", "run")


def test_freezing_keeps_comments_and_layout(cli: CommandLine) -> None:
    assert cli.done("freeze", "prepare", "train").splitlines() == ["prepare frozen", "train frozen"]
    assert definition(cli).replace("    frozen: true\n", "") == DEFINITION
    assert [stage["frozen"] for stage in cli("stage", "list", "--json").document["stages"]] == [True, True]
    assert cli.done("freeze", "train") == "train was frozen before\n"
    assert cli("unfreeze", "train", "prepare", "--json").document["changed"] == ["train", "prepare"]
    assert definition(cli) == DEFINITION


def test_freezing_all_or_none(cli: CommandLine) -> None:
    assert cli("freeze", "prepare", "nothing").code == 2
    assert definition(cli) == DEFINITION


def test_a_stage_of_another_directory_is_frozen(cli: CommandLine) -> None:
    other = cli.below("models")
    other.done("stage", "add", "-n", "tune", "-o", "best", "tune")
    assert cli.done("freeze", "models/dvtool.yaml:tune") == "models/dvtool.yaml:tune frozen\n"
    assert other.done("unfreeze", "tune") == "models/dvtool.yaml:tune set free\n"


def test_a_stage_is_added_and_run_at_once(cli: CommandLine) -> None:
    out = cli.done("stage", "add", "--run", "-n", "hello", "-o", "hi", "echo hi > hi")
    assert "stage hello added" in out
    assert (cli.at / "hi").read_text() == "hi\n"
    assert not (cli.at / "clean").exists()
    ran = cli("stage", "add", "--run", "--json", "-n", "bad", "exit 3")
    assert (ran.code, ran.document["address"], ran.document["run"]["stages"][0]["state"]) == (8, "bad", "failed")


def test_a_stage_is_removed_with_its_record_and_its_outputs_stay(cli: CommandLine) -> None:
    cli.done("stage", "add", "-q", "--run", "-n", "hello", "-o", "hi", "echo hi > hi")
    assert "/hi" in (cli.at / ".gitignore").read_text().split()
    done = cli.done("remove", "hello")
    assert "hello: no stage any more" in done and "hi: not tracked any more" in done
    assert definition(cli) == DEFINITION
    assert '"hello"' not in (cli.at / "dvtool.lock").read_text()
    assert "/hi" not in (cli.at / ".gitignore").read_text().split()
    assert (cli.at / "hi").read_text() == "hi\n"
    cli.done("undo")
    assert "hello" in definition(cli) and '"hello"' in (cli.at / "dvtool.lock").read_text()
    assert "up to date" in cli.done("plan", "hello")


def test_a_stage_is_removed_with_its_outputs(cli: CommandLine) -> None:
    cli.done("stage", "add", "-q", "--run", "-n", "hello", "-o", "hi", "echo hi > hi")
    (cli.at / "hi").write_text("edited")
    ran = cli("remove", "--outs", "hello")
    assert ran.code == 1 and "hello" in definition(cli)
    cli.done("remove", "--outs", "--force", "hello")
    assert not (cli.at / "hi").exists()


def test_a_stage_that_never_ran_is_removed(cli: CommandLine) -> None:
    assert cli("remove", "train", "raw.csv", "--json").document["stages"] == ["train"]
    assert "train" not in definition(cli) and "# takes a minute" in definition(cli)
    assert not (cli.at / "raw.csv.dvt").exists()
    cli.done("remove", "prepare")
    assert definition(cli).rstrip() == "# Ours.\nstages:"
    assert cli("remove", "nothing").code == 2


@pytest.mark.parametrize("verb", ["dag", "plan", "why", "freeze", "unfreeze", "repro", "stage list"])
def test_shells_complete_stages(cli: CommandLine, verb: str, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    cli.below("models").done("stage", "add", "-q", "-n", "tune", "-o", "best", "tune")

    def completed(at: CommandLine, word: str) -> list[str]:
        words = f"dvtool {verb} {word}"
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
        ran = at(environ={"_DVTOOL_COMPLETE": "bash_complete"})
        return (ran.out + capfd.readouterr().out).split()

    assert completed(cli, "t") == ["plain,train"]
    assert completed(cli, "mod") == ["plain,models/dvtool.yaml:tune"]
    assert completed(cli.below("models"), "t") == ["plain,tune"]
    assert completed(cli, "raw") == ["file,raw"]
