"""`dvtool verify`: a commit is looked at in Git and on remotes, in a clone without any data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Node

STAGES = """\
vars: [{n: 2}]
stages:
  prep:
    cmd: mkdir -p clean && cat data/train/* > clean/all && cp conf.json clean/conf
    deps: [src, data/train, conf.json, 'glob: extra/*.txt']
    outs: [clean]
  train:
    cmd: head -n ${n} clean/all > model && echo '{"acc":0.5}' > metrics.json
    deps: [clean/all, data/labels, {key: 'conf.json:a.b'}]
    params: [lr]
    outs: [model]
    metrics: [{metrics.json: {cache: false}}]
"""


def stages_text(text: str) -> str:
    return text.replace("'glob: extra/*.txt'", "{glob: 'extra/*.txt'}").replace(
        "{key: 'conf.json:a.b'}", "{path: conf.json, key: a.b}"
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("verify")
    repo = DataRepo(place / "repo")
    repo.write(
        {
            "data": {"train": {"1": "one\n", "2": "two\n"}, "labels": "x\n"},
            "src": {"a.py": Executable("print()\n"), "b.py": Link("a.py"), "deep": {"c.py": "c\n"}, "scratch": "no\n"},
            "extra": {"x.txt": "x\n", "y.md": "y\n"},
            "conf.json": '{"a": {"b": 1}, "c": 2}\n',
            "params.yaml": "lr: 0.1\nother: 1\n",
            "dvtool.yaml": stages_text(STAGES),
            ".dvtoolignore": "scratch\n",
            ".gitignore": "scratch\n",
        }
    )
    repo.cli.done("remote", "add", "-q", "-d", "origin", str(place / "store"))
    repo.add("data/train", "data/labels")
    repo.cli.done("repro", "-q")
    repo.commit("all")
    repo.cli.done("push", "-q")
    return place


@pytest.fixture
def store(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template / "store", tmp_path / "store")
    return tmp_path / "store"


@pytest.fixture
def job(template: Path, store: Path, tmp_path: Path) -> DataRepo:
    """A fresh clone; its remote is a copy of its own."""
    made = DataRepo(template / "repo", CommandLine(template / "repo"))
    made.git("clone", "-q", str(made.at), str(tmp_path / "job"))
    cli = CommandLine(tmp_path / "job", {"DVTOOL_REMOTE_ORIGIN_URL": str(store)})
    return DataRepo(tmp_path / "job", cli)


def verified(repo: DataRepo, *argv: str, code: int = 0) -> Any:
    ran = repo.cli("verify", "--json", *argv)
    assert ran.code == code, ran
    return json.loads(ran.out.splitlines()[0])


def why(found: Any) -> dict[str, list[tuple[str, str | None]]]:
    return {
        each["stage"]: [(reason["because"], reason["subject"]) for reason in each["reasons"]]
        for each in found["outdated"]
    }


def cached_bytes(repo: DataRepo) -> int:
    cache = repo.at / ".git" / "dvtool" / "cache"
    return sum(path.stat().st_size for path in (cache / "data").rglob("*") if path.is_file())


def test_a_whole_commit_without_its_data(job: DataRepo) -> None:
    found = verified(job)
    assert found["whole"] and found["outdated"] == [] and found["lacking"] == [] and found["unchecked"] == []
    assert (found["stages"], found["tracked"]) == (2, 4)
    assert cached_bytes(job) == 0 and job.git("status", "--porcelain") == ""
    assert job.cli.done("verify", "-q") == ""
    assert "is whole: 2 stages, 4 tracked paths" in job.cli.done("verify")


CHANGES: dict[str, tuple[dict[str, Node], dict[str, list[tuple[str, str | None]]]]] = {
    "code": ({"src": {"deep": {"c.py": "changed\n"}}}, {"prep": [("dependency changed", "src")]}),
    "mode": ({"src": {"deep": {"c.py": Executable("c\n")}}}, {"prep": [("dependency changed", "src")]}),
    "new file": ({"src": {"d.py": ""}}, {"prep": [("dependency changed", "src")]}),
    "ignored": ({"extra": {"y.md": "changed\n"}}, {}),
    "glob": ({"extra": {"z.txt": ""}}, {"prep": [("dependency changed", "glob:extra/*.txt")]}),
    "other key": ({"conf.json": '{"a": {"b": 1}, "c": 3}\n'}, {"prep": [("dependency changed", "conf.json")]}),
    "parameter": ({"params.yaml": "lr: 0.2\n"}, {"train": [("parameter changed", "params.yaml:lr")]}),
    "other parameter": ({"params.yaml": "lr: 0.1\nother: 2\n"}, {}),
    "command": ({"dvtool.yaml": STAGES.replace("n: 2", "n: 3")}, {"train": [("command changed", None)]}),
    "output in Git": ({"metrics.json": "{}\n"}, {"train": [("output changed", "metrics.json")]}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_was_committed_without_a_run(job: DataRepo, name: str) -> None:
    tree, expected = CHANGES[name]
    if "dvtool.yaml" in tree:
        tree = {"dvtool.yaml": stages_text(STAGES.replace("n: 2", "n: 3"))}
    for path in tree:
        if path.endswith((".yaml", ".json")):
            (job.at / path).unlink()
    job.write(tree)
    job.commit(name)
    found = verified(job, code=1 if expected else 0)
    own = {each["stage"] for each in found["outdated"] if not each["follows"]}
    assert own == set(expected)
    assert {stage: reasons for stage, reasons in why(found).items() if stage in own} == expected
    # What stands in the worktree, and was not committed, does not count.
    (job.at / "src" / "a.py").write_text("edited\n")
    assert verified(job, "--rev", "HEAD~")["whole"]


def test_a_stage_behind_an_outdated_one_follows_it(job: DataRepo) -> None:
    (job.at / "src" / "a.py").write_text("changed\n")
    job.commit("code")
    follows = {each["stage"]: each["follows"] for each in verified(job, code=1)["outdated"]}
    assert follows == {"prep": False, "train": True}


def test_a_pointer_without_a_run(job: DataRepo) -> None:
    job.cli.done("pull", "-q")
    job.write({"data": {"train": {"3": "three\n"}}})
    job.add("data/train")
    job.commit("more data")
    found = verified(job, code=4)
    assert ("dependency changed", "data/train") in why(found)["prep"]
    assert {item["path"] for item in found["lacking"]} == {"data/train", "data/train/3"}
    job.cli.done("push", "-q")
    assert verified(job, code=1)["lacking"] == []


def test_data_that_is_on_no_remote(job: DataRepo, store: Path) -> None:
    shutil.rmtree(store / "data")
    found = verified(job, code=4)
    assert "data/labels" in {item["path"] for item in found["lacking"]}
    ran = job.cli("verify")
    assert ran.code == 4 and "dvtool push" in ran.err and "data/labels is not on origin" in ran.err
    assert verified(job, "--no-remote")["lacking"] is None
    annotated = job.cli("verify", "--annotate", "github")
    assert "::error file=data/labels.dvt,line=1,title=dvtool%3A not-pushed::" in annotated.out


def test_what_a_mirror_has_is_there(job: DataRepo, store: Path, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "mirror")
    shutil.rmtree(store / "data")
    job.cli.done("remote", "add", "-q", "--local", "mirror", str(tmp_path / "mirror"))
    job.cli.done("config", "--local", "remote.origin.mirrors", "mirror")
    assert verified(job)["whole"]
    verified(job, "-r", "origin", code=0)


def test_a_remote_that_cannot_be_asked(job: DataRepo, store: Path) -> None:
    shutil.rmtree(store)
    assert job.cli("verify").code in (4, 7)


def test_a_stage_that_never_ran(job: DataRepo) -> None:
    (job.at / "dvtool.lock").unlink()
    job.commit("no lock")
    found = verified(job, code=1)
    assert ("never ran", None) in why(found)["prep"]


def test_what_a_commit_does_not_tell_is_named(job: DataRepo) -> None:
    text = stages_text(STAGES).replace("deps: [src,", "deps: [src, {env: DVTOOL_TEST_THING},")
    (job.at / "dvtool.yaml").write_text(text)
    job.cli.done("pull", "-q")
    job.cli.done("repro", "-q")
    job.cli.done("push", "-q")
    job.commit("a variable")
    found = verified(job)
    (unchecked,) = found["unchecked"]
    assert unchecked["stage"] == "prep" and "DVTOOL_TEST_THING" in unchecked["subject"]
    assert "not looked at: prep: " in job.cli.done("verify")


def test_a_project_below_the_top_of_the_repository(tmp_path: Path) -> None:
    place = tmp_path / "mono"
    (place / "ml").mkdir(parents=True)
    outer = DataRepo(place, CommandLine(place))
    outer.git("init", "-q")
    repo = DataRepo(place, CommandLine(place / "ml"))
    repo.cli.done("init", "-q", "--subdir")
    (place / "ml" / "dvtool.yaml").write_text("stages:\n  a:\n    cmd: cp in out\n    deps: [in]\n    outs: [out]\n")
    (place / "ml" / "in").write_text("1\n")
    repo.cli.done("repro", "-q")
    repo.commit("all")
    assert repo.cli("verify", "--no-remote").code == 0
    (place / "ml" / "in").write_text("2\n")
    repo.commit("in")
    assert "::error file=ml/dvtool.yaml,line=2," in repo.cli("verify", "--no-remote", "--annotate", "github").out


def test_arguments_that_make_no_sense(job: DataRepo) -> None:
    assert job.cli("verify", "--rev", "nowhere").code == 2
    assert job.cli("verify", "--no-remote", "-r", "origin").code == 2
    assert job.cli("verify", "--json", "--annotate", "github").code == 2


def test_the_key_of_a_ci_cache_is_of_the_data_alone(job: DataRepo) -> None:
    key = job.cli.done("cache", "key").strip()
    assert key.startswith("dvtool-1-") and len(key) == len("dvtool-1-") + 32
    job.write({"README": "words\n"})
    job.commit("words")
    assert job.cli.done("cache", "key").strip() == key == job.cli.done("cache", "key", "--rev", "HEAD~").strip()
    assert job.cli.done("cache", "key", "data/train").strip() != key
    job.cli.done("pull", "-q")
    job.write({"data": {"labels2": "y\n"}})
    job.add("data/labels2")
    assert job.cli.done("cache", "key").strip() != key
    assert job.cli("cache", "key", "--json").document["key"] == job.cli.done("cache", "key").strip()
