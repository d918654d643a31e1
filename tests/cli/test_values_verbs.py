"""`metrics` and `params`: any number of revisions side by side, and what is missing said in words."""

from __future__ import annotations

import csv
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project

DEFINITION = """\
stages:
  train:
    cmd: cp source.json metrics.json
    deps: [source.json]
    params: [lr, model.depth]
    metrics:
      - metrics.json{how}
metrics: [top.yaml]
"""


class Story:
    """Two tagged commits, and a change that is not committed."""

    def __init__(self, place: Path, how: str = ": {cache: false}") -> None:
        self.at = place
        self.cli = git_project(place)
        self.write("dvtool.yaml", DEFINITION.format(how=how))
        self.write("top.yaml", "top: 3\n")
        self.version(0.8123456789, 0.1, "v1")
        self.version(0.9, 0.2, "v2")

    def write(self, path: str, text: str) -> None:
        (self.at / path).parent.mkdir(parents=True, exist_ok=True)
        (self.at / path).write_text(text)

    def version(self, accuracy: float, rate: float, tag: str) -> None:
        self.write("params.yaml", f"lr: {rate}\nseed: 1\nmodel: {{depth: 3, kind: tree}}\n")
        self.write("source.json", f'{{"acc": {accuracy}, "loss": {{"val": 1.5, "all": [1, 2]}}, "note": null}}')
        self.cli.done("repro", "-q")
        self.git("add", "-A")
        self.git("commit", "-qm", tag)
        self.git("tag", tag)

    def git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.at, check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("values") / "repo"
    Story(place)
    return place


@pytest.fixture
def cli(made: Path, tmp_path: Path) -> CommandLine:
    shutil.copytree(made, tmp_path / "repo", symlinks=True)
    return CommandLine(tmp_path / "repo")


def test_show(cli: CommandLine) -> None:
    assert cli.done("metrics", "show").splitlines() == [
        "path          acc  loss.val  top",
        "metrics.json  0.9  1.5       -",
        "top.yaml      -    -         3",
    ]
    assert cli.done("metrics", "show", "--no-path", "top.yaml").splitlines() == ["top", "3"]


def test_show_revisions(cli: CommandLine) -> None:
    (cli.at / "metrics.json").write_text('{"acc": 1}')
    assert cli.done("metrics", "show", "-T", "metrics.json").splitlines() == [
        "revision  path          acc      loss.val",
        "worktree  metrics.json  1        -",
        "v1        metrics.json  0.81235  1.5",
        "v2        metrics.json  0.9      1.5",
    ]
    lines = cli.done("metrics", "show", "--rev", "v1", "--rev", "v2", "--precision", "2", "metrics.json").splitlines()
    assert [line.split()[2] for line in lines] == ["acc", "0.81", "0.9"]
    commits = [line.split()[0] for line in cli.done("metrics", "show", "-A", "top.yaml").splitlines()]
    assert len(commits) == 4
    assert len(set(commits)) == 4


def test_show_as_csv_and_markdown(cli: CommandLine) -> None:
    rows = list(csv.reader(StringIO(cli.done("metrics", "show", "--csv", "--rev", "v1"))))
    assert rows == [
        ["path", "acc", "loss.val", "top"],
        ["metrics.json", "0.8123456789", "1.5", ""],
        ["top.yaml", "", "", "3"],
    ]
    assert cli.done("metrics", "show", "--md", "top.yaml").splitlines() == [
        "| path | top |",
        "|---|---|",
        "| top.yaml | 3 |",
    ]


def test_show_json(cli: CommandLine) -> None:
    document = cli("metrics", "show", "--json", "--rev", "v1", "metrics.json").document
    assert document["schema"] == "dvtool/metrics-show/1"
    (revision,) = document["revisions"]
    assert revision["revision"] == "v1"
    assert len(revision["commit"]) == 40
    assert revision["files"] == [
        {
            "path": "metrics.json",
            "values": [{"key": "acc", "value": 0.8123456789}, {"key": "loss.val", "value": 1.5}],
        }
    ]
    assert document["problems"] == []


def test_diff(cli: CommandLine) -> None:
    assert cli.done("metrics", "diff") == ""
    assert cli.done("metrics", "diff", "v1").splitlines() == [
        "path          key  v1       worktree  diff",
        "metrics.json  acc  0.81235  0.9       0.087654",
    ]
    (row,) = cli("metrics", "diff", "v1", "--json").document["rows"]
    assert (row["key"], row["old"], row["new"], row["diff"]) == ("acc", 0.8123456789, 0.9, 0.9 - 0.8123456789)
    assert len(cli.done("metrics", "diff", "v1", "--all").splitlines()) == 4


def test_diff_of_any_number(cli: CommandLine) -> None:
    (cli.at / "metrics.json").write_text('{"acc": 1}')
    assert cli.done("metrics", "diff", "v1", "v2", "worktree", "--targets", "metrics.json").splitlines() == [
        "path          key       v1       v2   worktree   diff v2   diff worktree",
        "metrics.json  acc       0.81235  0.9  1          0.087654  0.18765",
        "metrics.json  loss.val  1.5      1.5  (missing)  0",
    ]


def test_params_diff(cli: CommandLine) -> None:
    (cli.at / "params.yaml").write_text("lr: 0.2\nseed: 2\nmodel: {depth: 3, kind: forest}\n")
    assert cli.done("params", "diff", "v1").splitlines() == [
        "path         key         v1    worktree  diff",
        "params.yaml  lr          0.1   0.2       0.1",
        "params.yaml  seed        1     2         1",
        "params.yaml  model.kind  tree  forest",
    ]
    assert cli.done("params", "diff", "v1", "--deps", "--no-path", "--md").splitlines() == [
        "| key | v1 | worktree | diff |",
        "|---|---|---|---|",
        "| lr | 0.1 | 0.2 | 0.1 |",
    ]
    assert cli.done("params", "diff", "v1", "v2", "--targets", "params.yaml", "--csv").splitlines()[1:] == [
        "params.yaml,lr,0.1,0.2,0.1"
    ]


def test_missing_things_are_said_in_words(cli: CommandLine) -> None:
    (cli.at / "top.yaml").unlink()
    ran = cli("metrics", "diff")
    assert ran.code == 0
    assert "top.yaml is not there in the worktree" in ran.err
    assert "(missing)" in ran.out
    for words, said in (
        (("metrics", "show", "nope.json"), "there is no nope.json in the worktree"),
        (("metrics", "diff", "nope"), "there is no revision 'nope'"),
        (("params", "diff", "--targets", "nope.yaml"), "there is no nope.yaml in HEAD or the worktree"),
        (("metrics", "diff", "--json", "--md"), "cannot go together"),
    ):
        ran = cli(*words)
        assert (ran.code, said in ran.err) == (2, True), ran


def test_a_file_that_cannot_be_read(cli: CommandLine) -> None:
    (cli.at / "metrics.json").write_text("{bad")
    ran = cli("metrics", "show")
    assert ran.code == 9
    assert "metrics.json:1:2: cannot be read" in ran.err
    assert ran.out.splitlines() == ["path      top", "top.yaml  3"]
    document = cli("metrics", "diff", "v1", "--json")
    assert document.code == 9
    assert [each["path"] for each in document.document["problems"]] == ["metrics.json"]


def test_a_broken_definition_of_old_stops_nothing_else(cli: CommandLine) -> None:
    good = (cli.at / "dvtool.yaml").read_text()
    (cli.at / "dvtool.yaml").write_text("stages: [\n")
    subprocess.run(["git", "commit", "-qam", "broken"], cwd=cli.at, check=True)
    (cli.at / "dvtool.yaml").write_text(good)
    ran = cli("metrics", "show", "-A")
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 1 + 3 * 2
    assert "dvtool.yaml" in ran.err
    assert cli("metrics", "diff").code == 9


def test_nothing_to_show(tmp_path: Path) -> None:
    cli = git_project(tmp_path)
    ran = cli("metrics", "show")
    assert (ran.code, ran.out) == (0, "")
    assert "there are no metrics" in ran.err
    ran = cli("metrics", "diff")
    assert ran.code == 2
    assert "no commit yet" in ran.err


def test_a_directory_of_metrics(cli: CommandLine) -> None:
    (cli.at / "eval/sub").mkdir(parents=True)
    (cli.at / "eval/a.json").write_text('{"a": 1}')
    (cli.at / "eval/sub/b.yaml").write_text("b: 2")
    assert cli.done("metrics", "show", "eval").splitlines() == [
        "path             a  b",
        "eval/a.json      1  -",
        "eval/sub/b.yaml  -  2",
    ]
    assert cli.below("eval").done("metrics", "show", "a.json", "--csv").splitlines() == ["path,a", "eval/a.json,1"]


def test_metrics_in_the_cache_come_from_there_at_old_revisions(tmp_path: Path) -> None:
    story = Story(tmp_path / "repo", how="")
    cli = story.cli
    assert not (story.at / "metrics.json.dvt").exists()
    assert cli.done("metrics", "diff", "v1", "v2", "--no-path").splitlines()[1] == "acc  0.81235  0.9  0.087654"
    (story.at / "metrics.json").unlink()
    assert cli.done("metrics", "show", "metrics.json").splitlines()[1] == "metrics.json  0.9  1.5"
    shutil.rmtree(story.at / ".git/dvtool/cache")
    ran = cli("metrics", "diff", "v1", "v2")
    assert ran.code == 4
    assert "metrics.json is not in the cache" in ran.err
    assert "dvtool fetch" in ran.err


def test_a_project_below_the_top_of_the_repository(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    below = CommandLine(tmp_path / "deep")
    below.at.mkdir()
    below.done("init", "-q", "--subdir")
    (below.at / "dvtool.yaml").write_text("metrics: [m.json]\n")
    (below.at / "m.json").write_text('{"a": 1}')
    subprocess.run("git add -A && git commit -qm one", cwd=tmp_path, check=True, shell=True)
    (below.at / "m.json").write_text('{"a": 2}')
    assert below.done("metrics", "diff", "--csv").splitlines()[1] == "m.json,a,1,2,1"
