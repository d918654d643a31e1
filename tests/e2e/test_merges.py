"""Two branches changed one tracked directory: real git merges them, with the driver that `dvtool install` names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.cli import Ran
from tests.support.mergerepo import MergeRepo
from tests.support.mergerepo import diverged
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.trees import normal
from tests.support.trees import tree_of

BASE: Tree = {"a": "1\n", "b": "1\n", "in": {"c": "1\n", "deep": {"e": "1\n"}}}

UNIONS: dict[str, tuple[Tree | None, Tree, Tree, Tree]] = {
    "both add": (
        BASE,
        {**BASE, "x": "ours\n", "new": {"o": "o\n"}},
        {**BASE, "y": "theirs\n", "new": {"t": "t\n"}},
        {**BASE, "x": "ours\n", "y": "theirs\n", "new": {"o": "o\n", "t": "t\n"}},
    ),
    "both change": (BASE, {**BASE, "a": "2\n"}, {**BASE, "b": "3\n"}, {**BASE, "a": "2\n", "b": "3\n"}),
    "both do the same": (
        BASE,
        {**BASE, "a": "2\n", "x": "2\n"},
        {**BASE, "a": "2\n", "x": "2\n", "y": "2\n"},
        {**BASE, "a": "2\n", "x": "2\n", "y": "2\n"},
    ),
    "both track it first": (None, {"a": "1\n"}, {"b": "1\n"}, {"a": "1\n", "b": "1\n"}),
    "one deletes, one adds": (
        BASE,
        {"a": "1\n", "in": BASE["in"]},
        {**BASE, "x": "1\n"},
        {"a": "1\n", "in": BASE["in"], "x": "1\n"},
    ),
    "both delete": (BASE, {"a": "1\n", "in": BASE["in"]}, {"b": "1\n", "in": BASE["in"]}, {"in": BASE["in"]}),
    "a directory is deleted, one adds in it": (
        BASE,
        {"a": "1\n", "b": "1\n"},
        {**BASE, "in": {"c": "1\n", "deep": {"e": "1\n"}, "new": "1\n"}},
        {"a": "1\n", "b": "1\n", "in": {"new": "1\n"}},
    ),
    "nested directories": (
        BASE,
        {**BASE, "in": {"c": "2\n", "deep": {"e": "1\n", "o": "1\n"}}},
        {**BASE, "in": {"c": "1\n", "deep": {"e": "2\n", "more": {"t": "1\n"}}}},
        {**BASE, "in": {"c": "2\n", "deep": {"e": "2\n", "o": "1\n", "more": {"t": "1\n"}}}},
    ),
    "rename against edit": (
        {"a": "1\n", "b": "7\n"},
        {"z": "1\n", "b": "7\n"},
        {"a": "2\n", "b": "7\n"},
        {"z": "2\n", "b": "7\n"},
    ),
    "a directory is renamed against edit": (
        {"in": {"c": "1\n", "deep": {"e": "5\n"}}},
        {"out": {"c": "1\n", "deep": {"e": "5\n"}}},
        {"in": {"c": "2\n", "deep": {"e": "5\n"}}},
        {"out": {"c": "2\n", "deep": {"e": "5\n"}}},
    ),
    "bytes against mode": (
        {"run": "1\n", "b": "1\n"},
        {"run": Executable("1\n"), "b": "1\n"},
        {"run": "2\n", "b": "1\n"},
        {"run": Executable("2\n"), "b": "1\n"},
    ),
    "links": (
        {"l": Link("a"), "a": "1\n"},
        {"l": Link("b"), "a": "1\n"},
        {"l": Link("a"), "a": "2\n"},
        {"l": Link("b"), "a": "2\n"},
    ),
    "a wide directory": (
        {f"{number:04}": "1\n" for number in range(1_500)},
        {f"{number:04}": "1\n" if number != 7 else "ours\n" for number in range(1_501)},
        {f"{number:04}": "1\n" if number != 1_400 else "theirs\n" for number in range(1, 1_500)},
        {f"{number:04}": {7: "ours\n", 1_400: "theirs\n"}.get(number, "1\n") for number in range(1, 1_501)},
    ),
}


@pytest.fixture(scope="module")
def union(tmp_path_factory: pytest.TempPathFactory) -> MergeRepo:
    """All of them in one merge, each story in a tracked directory of its own."""
    repo = diverged(tmp_path_factory.mktemp("unions") / "repo", {name: sides[:3] for name, sides in UNIONS.items()})
    ran = repo.merge()
    assert ran.code == 0, ran
    return repo


@pytest.mark.parametrize("story", UNIONS)
def test_what_both_did_comes_together(union: MergeRepo, story: str) -> None:
    """The hook has brought the data along."""
    assert tree_of(union.at / story) == normal(UNIONS[story][3])


def test_nothing_is_left_to_do(union: MergeRepo) -> None:
    assert union.git("status", "--porcelain") == ""
    assert union.is_clean()
    assert union.cli("resolve").out == "no pointer and no lock is in conflict\n"
    assert len(union.git("rev-list", "--parents", "-1", "HEAD").split()) == 3


CONFLICTS: dict[str, tuple[Tree | None, Tree, Tree, dict[str, str], Tree, Tree]] = {
    "both change one file": (
        BASE,
        {**BASE, "a": "2\n", "x": "1\n"},
        {**BASE, "a": "3\n", "y": "1\n"},
        {"a": "changed by both"},
        {**BASE, "a": "2\n", "x": "1\n", "y": "1\n"},
        {**BASE, "a": "3\n", "x": "1\n", "y": "1\n"},
    ),
    "both add one name": (
        BASE,
        {**BASE, "x": "2\n"},
        {**BASE, "x": "3\n"},
        {"x": "added by both"},
        {**BASE, "x": "2\n"},
        {**BASE, "x": "3\n"},
    ),
    "both track it first with one name": (
        None,
        {"a": "2\n", "o": "1\n"},
        {"a": "3\n", "t": "1\n"},
        {"a": "added by both"},
        {"a": "2\n", "o": "1\n", "t": "1\n"},
        {"a": "3\n", "o": "1\n", "t": "1\n"},
    ),
    "we delete what they change": (
        BASE,
        {"b": "1\n", "in": BASE["in"]},
        {**BASE, "a": "3\n"},
        {"a": "deleted by us"},
        {"b": "1\n", "in": BASE["in"]},
        {**BASE, "a": "3\n"},
    ),
    "they delete what we change": (
        BASE,
        {**BASE, "in": {"c": "2\n", "deep": {"e": "1\n"}}},
        {"a": "1\n", "b": "1\n"},
        {"in/c": "deleted by them"},
        {"a": "1\n", "b": "1\n", "in": {"c": "2\n"}},
        {"a": "1\n", "b": "1\n", "in": {}},
    ),
    "a file against a directory": (
        BASE,
        {**BASE, "a": {"now": "a directory\n"}},
        {**BASE, "a": "3\n"},
        {"a": "changed by both"},
        {**BASE, "a": {"now": "a directory\n"}},
        {**BASE, "a": "3\n"},
    ),
    "deep inside": (
        BASE,
        {**BASE, "in": {"c": "2\n", "deep": {"e": "2\n"}}},
        {**BASE, "in": {"c": "1\n", "deep": {"e": "3\n", "f": "3\n"}}},
        {"in/deep/e": "changed by both"},
        {**BASE, "in": {"c": "2\n", "deep": {"e": "2\n", "f": "3\n"}}},
        {**BASE, "in": {"c": "2\n", "deep": {"e": "3\n", "f": "3\n"}}},
    ),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[MergeRepo, Ran]:
    """All of them in one merge, which stops."""
    repo = diverged(tmp_path_factory.mktemp("conflicts") / "repo", {name: each[:3] for name, each in CONFLICTS.items()})
    return repo, repo.merge()


NAMED = {f"{story}/{path}": what for story, each in CONFLICTS.items() for path, what in each[3].items()}


@pytest.mark.parametrize("path", NAMED)
def test_what_both_changed_is_named(stopped: tuple[MergeRepo, Ran], path: str) -> None:
    repo, ran = stopped
    assert ran.code == 1
    assert re.search(rf"{NAMED[path]} +{path}\n +ours: .*; theirs: ", ran.err)
    assert repo.conflicts()[path] == NAMED[path]


def test_nothing_is_wedged(stopped: tuple[MergeRepo, Ran]) -> None:
    """What Git calls a conflict is a pointer that says what is sure, and ours for the rest."""
    repo, _ = stopped
    assert repo.conflicts() == NAMED
    assert repo.unmerged() == sorted(f"{story}.dvt" for story in CONFLICTS)
    assert repo.cli("status").code == 0
    assert repo.cli("checkout").code == 0
    for story, (_, _, _, named, with_ours, _) in CONFLICTS.items():
        if "deleted by us" not in named.values():
            assert tree_of(repo.at / story) == normal(with_ours)
    refused = repo.cli("resolve")
    assert refused.code == 1
    assert f"error: {len(NAMED)} conflicts are not decided yet\nhint: dvtool resolve --ours " in refused.err
    assert repo.unmerged() == sorted(f"{story}.dvt" for story in CONFLICTS)


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_one_command_decides(stopped: tuple[MergeRepo, Ran], tmp_path: Path, side: str) -> None:
    repo = stopped[0].copy(tmp_path / "repo")
    first, *others = sorted(NAMED)
    repo.cli.done("resolve", f"--{side}", first)
    assert repo.conflicts() == {path: NAMED[path] for path in others}
    assert repo.unmerged() == sorted(f"{story}.dvt" for story in CONFLICTS if not first.startswith(story))
    assert repo.cli.done("resolve", f"--{side}", ".").endswith("next: git commit\n")
    assert repo.unmerged() == []
    repo.git("commit", "-q", "-m", "merged")
    for story, (_, _, _, _, with_ours, with_theirs) in CONFLICTS.items():
        assert tree_of(repo.at / story) == normal(with_ours if side == "ours" else with_theirs)
    assert repo.is_clean()
    assert repo.git("status", "--porcelain") == ""


def test_a_file_of_ones_own_decides_too(stopped: tuple[MergeRepo, Ran], tmp_path: Path) -> None:
    repo = stopped[0].copy(tmp_path / "repo")
    repo.cli.done("checkout", "-q")
    place = repo.at / "both change one file" / "a"
    place.write_text("both\n")
    repo.cli.done("add", "-q", "both change one file")
    assert "both change one file/a" not in repo.conflicts()
    refused = repo.cli("resolve", "--json")
    assert refused.document["settled"] == [{"path": "both change one file.dvt"}]
    assert (refused.code, len(refused.document["left"])) == (1, len(NAMED) - 1)
    assert "both change one file.dvt" not in repo.unmerged()
    assert tree_of(place.parent) == normal({**BASE, "a": "both\n", "x": "1\n", "y": "1\n"})
