"""`dvtool report`: what a change brings, as a comment on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo

STAGES = """\
stages:
  train:
    cmd: cat data/* > model
    deps: [data]
    params: [lr, names]
    outs: [model]
    metrics: [metrics.json]
"""
MARK = "<!-- dvtool report -->"


@pytest.fixture
def repo(tmp_path: Path) -> DataRepo:
    """Two commits with data, parameters and metrics; the metrics are in the cache, and pushed."""
    repo = DataRepo(tmp_path / "repo")
    repo.cli.done("remote", "add", "-q", "-d", "origin", str(tmp_path / "store"))
    text = STAGES.replace("> model", "> model && cp next.json metrics.json")
    repo.write({"data": {"a": "1\n"}, "dvtool.yaml": text, "params.yaml": "lr: 0.1\nnames: [a]\n"})
    (repo.at / "next.json").write_text('{"train": {"acc": 0.5, "loss": 1.25}}')
    repo.add("data")
    repo.cli.done("repro", "-q")
    repo.commit("first")
    repo.git("branch", "base")
    repo.write({"data": {"b|`c`": "22\n"}})
    (repo.at / "params.yaml").write_text("lr: 0.2\nnames: ['@everyone <b>|`']\n")
    (repo.at / "next.json").write_text('{"train": {"acc": 0.75, "loss": 1.25}}')
    repo.add("data")
    repo.cli.done("repro", "-q")
    repo.commit("second")
    repo.cli.done("push", "-q", "-A")
    return repo


def job_of(repo: DataRepo) -> DataRepo:
    place = repo.at.parent / "job"
    repo.git("clone", "-q", "--no-local", str(repo.at), str(place))
    return DataRepo(place, CommandLine(place))


def tables(markdown: str) -> dict[str, list[list[str]]]:
    """The rendered cells below each heading of the third level, as a reader sees them."""
    found: dict[str, list[list[str]]] = {}
    title, in_heading = "", False
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "heading_open":
            in_heading = token.tag == "h3"
        elif token.type == "inline" and in_heading:
            title, in_heading = token.content, False
            found[title] = []
        elif token.type == "tr_open" and title:
            found[title].append([])
        elif token.type == "inline" and title and found[title] and token.level >= 4:
            found[title][-1].append("".join(each.content for each in token.children or ()))
    return found


def test_a_comment_in_a_job_without_data(repo: DataRepo) -> None:
    job = job_of(repo)
    text = job.cli.done("report", "origin/base...HEAD", "--md")
    assert text.startswith(MARK)
    # The merge base is a commit without a name; the branch is what people know.
    assert "## `origin/base` → `HEAD`" in text
    found = tables(text)
    assert list(found) == ["Data", "Metrics", "Parameters"]
    assert "origin/base" in found["Metrics"][0]
    assert found["Metrics"][1:] == [["metrics.json", "train.acc", "0.5", "0.75", "0.25"]]
    assert ["params.yaml", "lr", "0.1", "0.2", "0.1"] in found["Parameters"]
    assert ["added", "data/b|`c`", "3 B"] in found["Data"]
    # Of the data nothing came: two files of metrics.
    assert not (job.at / "model").exists()


def test_what_a_value_holds_is_no_markup(repo: DataRepo) -> None:
    text = repo.cli.done("report", "base", "HEAD", "--md")
    html = MarkdownIt("commonmark").enable("table").render(text.replace(MARK, ""))
    assert "<b>" not in html and "&lt;b&gt;" in html
    (row,) = [each for each in tables(text)["Parameters"] if each[1] == "names"]
    assert '["@everyone <b>|`"]' in row[3].replace("&lt;", "<")


def test_parts_without_a_difference_are_left_out(repo: DataRepo) -> None:
    (repo.at / "params.yaml").write_text("lr: 0.4\nnames: [a]\n")
    repo.commit("a parameter")
    assert list(tables(repo.cli.done("report", "HEAD~", "HEAD", "--md"))) == ["Parameters"]
    assert "No data, parameter or metric differs." in repo.cli.done("report", "HEAD", "HEAD", "--md")
    assert repo.cli.done("report") == "no data, parameter or metric differs\n"


def test_words_and_json(repo: DataRepo) -> None:
    text = repo.cli.done("report", "base", "HEAD")
    assert [line for line in text.splitlines() if line in ("Data", "Metrics", "Parameters")] == [
        "Data",
        "Metrics",
        "Parameters",
    ]
    document = repo.cli("report", "base", "HEAD", "--json").document
    assert document["schema"] == "dvtool/report/1"
    assert [each["path"] for each in document["data"]["added"]] == ["data/b|`c`"]
    assert document["metrics"]["rows"][0]["diff"] == 0.25


def test_many_paths_and_values_fit_into_a_comment(repo: DataRepo) -> None:
    repo.write({"data": {f"{'long' * 20}-{number:04}": "x\n" for number in range(1500)}})
    (repo.at / "params.yaml").write_text("lr: 1\n" + "".join(f"key{'y' * 30}{at}: 1\n" for at in range(1500)))
    repo.add("data")
    repo.commit("many")
    text = repo.cli.done("report", "HEAD~", "HEAD", "--md")
    assert len(text) < 65_536
    assert text.count("<details>") == text.count("</details>") == 2
    assert "more" in text.rpartition("### ")[2] and "1,500 paths" in text


def test_without_a_remote_the_report_says_what_it_lacks(repo: DataRepo, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "store")
    ran = job_of(repo).cli("report", "origin/base", "HEAD", "--md")
    assert ran.code != 0
    found = tables(ran.out)
    assert found["Parameters"] and "> " in ran.out


def test_only_some_data(repo: DataRepo) -> None:
    text = repo.cli.done("report", "base", "HEAD", "model", "--md")
    assert [row[1] for row in tables(text)["Data"][1:]] == ["model"]
