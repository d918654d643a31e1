"""What else meets in a merge: ignore files, whole files, pointers that go or move, locks; and every way Git has to
merge, in clones with and without the data, the driver, and the network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.hookrepo import HookRepo
from tests.support.mergerepo import MergeRepo
from tests.support.mergerepo import new_repo
from tests.support.trees import create_tree

PIPELINE = """stages:
  one:
    cmd: cat lr.yaml one.txt > one.out
    deps: [one.txt]
    params:
      - lr.yaml:
    outs: [one.out]
  two:
    cmd: cp two.txt two.out
    deps: [two.txt]
    outs: [two.out]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> MergeRepo:
    """A directory and a file that are tracked, and a pipeline that ran."""
    repo = new_repo(tmp_path_factory.mktemp("ways") / "repo")
    create_tree(repo.at, {"d": {"a": "1\n", "b": "1\n"}, "f.csv": "1\n", "one.txt": "1\n", "two.txt": "1\n"})
    create_tree(repo.at, {"lr.yaml": "lr: 1\n", "dvtool.yaml": PIPELINE})
    repo.cli.done("add", "-q", "d", "f.csv")
    repo.cli.done("repro", "-q")
    repo.commit("base")
    return repo


@pytest.fixture
def repo(template: MergeRepo, tmp_path: Path) -> MergeRepo:
    return template.copy(tmp_path / "repo")


def write(repo: HookRepo, path: str, text: str) -> None:
    """A tracked file, or one inside a tracked directory, changed and added."""
    (repo.at / path).write_text(text)
    repo.cli.done("add", "-q", path)


def test_both_track_something_new(repo: MergeRepo) -> None:
    """Two branches with a new line each at the end of .gitignore: Git alone would stop there."""
    repo.switch("theirs", new=True)
    write(repo, "theirs.bin", "t\n")
    repo.commit("theirs")
    repo.switch("main")
    write(repo, "ours.bin", "o\n")
    repo.commit("ours")
    assert repo.merge().code == 0
    assert (repo.read("ours.bin"), repo.read("theirs.bin")) == ("o\n", "t\n")
    lines = (repo.at / ".gitignore").read_text().splitlines()
    assert {"/ours.bin", "/theirs.bin"} < set(lines)
    assert repo.git("status", "--porcelain") == ""


def test_an_ignore_file_that_needs_its_owner_has_gits_markers(repo: MergeRepo) -> None:
    for branch, line in (("theirs", "!/logs/keep"), ("main", "!/logs/other")):
        repo.switch(branch, new=branch == "theirs")
        patterns = repo.at / ".gitignore"
        patterns.write_text(f"{patterns.read_text()}{line}\n")
        repo.commit(branch)
    assert repo.merge().code == 1
    text = (repo.at / ".gitignore").read_text()
    assert "<<<<<<< ours\n!/logs/other\n=======\n!/logs/keep\n>>>>>>> theirs\n" in text
    assert repo.cli("status").code == 0


def test_a_file_that_both_changed(repo: MergeRepo) -> None:
    repo.switch("theirs", new=True)
    write(repo, "f.csv", "theirs\n")
    repo.commit("theirs")
    repo.switch("main")
    write(repo, "f.csv", "ours\n")
    repo.commit("ours")
    assert repo.merge().code == 1
    status = repo.cli.done("status")
    assert "In conflict after a merge (see and decide with: dvtool resolve):\n  both changed  f.csv.dvt\n" in status
    assert repo.cli("status", "--exit-code", "-q").code == 1
    assert repo.cli("status", "--json").document["unmerged"] == [{"path": "f.csv.dvt"}]
    assert repo.conflicts() == {"f.csv": "changed by both"}
    repo.cli.done("resolve", "--theirs", "f.csv")
    repo.git("commit", "-q", "-m", "merged")
    assert repo.read("f.csv") == "theirs\n"
    assert repo.is_clean()


@pytest.mark.parametrize(("remover", "side"), [("theirs", "ours"), ("theirs", "theirs"), ("main", "ours")])
def test_one_side_stops_tracking_what_the_other_one_changed(repo: MergeRepo, remover: str, side: str) -> None:
    for branch in ("theirs", "main"):
        repo.switch(branch, new=branch == "theirs")
        if branch == remover:
            repo.cli.done("remove", "-q", "--outs", "f.csv")
        else:
            write(repo, "f.csv", "changed\n")
        repo.commit(branch)
    assert repo.merge().code == 1
    assert repo.cli("status").code == 0
    assert repo.conflicts() == {"f.csv": "deleted by them" if remover == "theirs" else "deleted by us"}
    repo.cli.done("resolve", f"--{side}", "f.csv")
    repo.git("commit", "-q", "-m", "merged")
    stays = (remover == "theirs") == (side == "ours")
    assert repo.read("f.csv") == ("changed\n" if stays else None)
    assert (repo.at / "f.csv.dvt").exists() is stays
    assert repo.git("status", "--porcelain") == ""
    assert repo.is_clean()


def test_one_side_moves_what_the_other_one_changes(repo: MergeRepo) -> None:
    repo.switch("theirs", new=True)
    write(repo, "d/new", "theirs\n")
    repo.commit("theirs")
    repo.switch("main")
    repo.cli.done("move", "-q", "d", "moved")
    repo.commit("ours")
    ran = repo.merge()
    assert ran.code == 0, ran
    assert repo.read("moved/new") == "theirs\n"
    assert repo.read("d/new") is None
    assert repo.is_clean()


def test_each_side_runs_another_stage(repo: MergeRepo) -> None:
    repo.switch("theirs", new=True)
    (repo.at / "two.txt").write_text("theirs\n")
    repo.cli.done("repro", "-q")
    repo.commit("theirs")
    repo.switch("main")
    (repo.at / "one.txt").write_text("ours\n")
    repo.cli.done("repro", "-q")
    repo.commit("ours")
    ran = repo.merge()
    assert ran.code == 0, ran
    assert (repo.read("one.out"), repo.read("two.out")) == ("lr: 1\nours\n", "theirs\n")
    assert repo.is_clean()
    plan = repo.cli("repro", "--dry", "--json").document["plan"]
    assert [stage["action"] for stage in plan] == ["skip", "skip"]


@pytest.mark.parametrize("way", ["repro", "ours", "theirs"])
def test_both_run_one_stage(repo: MergeRepo, way: str) -> None:
    for branch, rate in (("theirs", 2), ("main", 3)):
        repo.switch(branch, new=branch == "theirs")
        (repo.at / "lr.yaml").write_text(f"lr: {rate}\n")
        repo.cli.done("repro", "-q")
        repo.commit(branch)
    ran = repo.merge()
    assert ran.code == 1
    assert "run on both      one\n                     ours: lr = 3; theirs: lr = 2\n" in ran.err
    assert repo.unmerged() == ["dvtool.lock", "lr.yaml"]
    (repo.at / "lr.yaml").write_text("lr: 3\n" if way == "ours" else "lr: 2\n")
    repo.git("add", "lr.yaml")
    if way == "repro":
        # Theirs fits what was merged, and its run is known.
        assert "one: restored" in repo.cli.done("repro")
        assert repo.cli.done("resolve").endswith("next: git commit\n")
    else:
        repo.cli.done("resolve", f"--{way}", "one")
    repo.git("commit", "-q", "-m", "merged")
    assert repo.read("one.out") == ("lr: 3\n1\n" if way == "ours" else "lr: 2\n1\n")
    assert repo.is_clean()


def test_one_side_drops_a_stage_that_the_other_one_runs(repo: MergeRepo) -> None:
    repo.switch("theirs", new=True)
    (repo.at / "two.txt").write_text("theirs\n")
    repo.cli.done("repro", "-q")
    repo.commit("theirs")
    repo.switch("main")
    repo.cli.done("remove", "-q", "two")
    (repo.at / "two.out").unlink(missing_ok=True)
    repo.commit("ours")
    assert repo.merge().code == 1
    assert repo.conflicts() == {"two": "deleted by us"}
    repo.cli.done("resolve", "--ours", "two")
    assert repo.unmerged() == []
    repo.git("commit", "-q", "-m", "merged")
    assert repo.is_clean()


def two_changes(repo: MergeRepo) -> None:
    """Both sides add a file to ``d``, and change ``d/a`` otherwise; on ``main``."""
    for branch in ("theirs", "main"):
        repo.switch(branch, new=branch == "theirs")
        (repo.at / "d" / branch).write_text(f"{branch}\n")
        write(repo, "d/a", f"{branch}\n")
        repo.cli.done("add", "-q", "d")
        repo.commit(branch)


@pytest.mark.parametrize(
    ("way", "go_on"),
    [
        (("rebase", "-q", "theirs"), "git rebase --continue"),
        (("cherry-pick", "theirs"), "git cherry-pick --continue"),
        (("merge", "-q", "theirs"), "git commit"),
    ],
)
def test_every_way_of_merging_stops_and_goes_on(repo: MergeRepo, way: tuple[str, ...], go_on: str) -> None:
    two_changes(repo)
    assert repo.run(*way).code == 1
    assert repo.conflicts() == {"d/a": "changed by both"}
    assert repo.cli.done("resolve", "--theirs", "d").splitlines()[-1] == f"next: {go_on}"
    repo.git(*go_on.split()[1:], *(["-m", "merged"] if go_on == "git commit" else []))
    assert (repo.read("d/theirs"), repo.read("d/main")) == ("theirs\n", "main\n")
    # In a rebase theirs is what is put on top.
    assert repo.read("d/a") == ("main\n" if way[0] == "rebase" else "theirs\n")
    assert repo.is_clean()
    assert repo.git("status", "--porcelain") == ""


def test_a_merge_that_is_given_up_leaves_nothing(repo: MergeRepo) -> None:
    two_changes(repo)
    before = repo.git("rev-parse", "HEAD")
    repo.merge()
    repo.cli.done("resolve", "--theirs", "d")
    repo.git("merge", "--abort")
    repo.cli.done("checkout", "-q")
    assert repo.git("rev-parse", "HEAD") == before
    assert (repo.read("d/a"), repo.read("d/theirs")) == ("main\n", None)
    assert repo.is_clean()


def test_a_stash_comes_back_onto_another_version(repo: MergeRepo) -> None:
    write(repo, "d/mine", "mine\n")
    repo.git("stash", "-q")
    repo.cli.done("checkout", "-q")
    write(repo, "d/other", "other\n")
    repo.commit("other")
    repo.git("stash", "pop", "-q")
    repo.cli.done("checkout", "-q")
    assert (repo.read("d/mine"), repo.read("d/other")) == ("mine\n", "other\n")


def test_a_revert_takes_back_one_commit_of_two(repo: MergeRepo) -> None:
    write(repo, "d/one", "1\n")
    first = repo.commit("first")
    write(repo, "d/two", "2\n")
    repo.commit("second")
    repo.git("revert", "--no-edit", first)
    repo.cli.done("checkout", "-q")
    assert (repo.read("d/one"), repo.read("d/two"), repo.read("d/a")) == (None, "2\n", "1\n")


def test_branches_that_have_merged_each_other_before(repo: MergeRepo) -> None:
    """Two merge bases: Git merges those first, through the driver, and its result is the base."""
    repo.switch("theirs", new=True)
    write(repo, "d/t", "1\n")
    theirs = repo.commit("theirs")
    repo.switch("main")
    write(repo, "d/o", "1\n")
    ours = repo.commit("ours")
    assert repo.merge(theirs).code == 0
    (repo.at / "d/t").unlink()
    repo.cli.done("add", "-q", "d")
    repo.commit("deleted what came from theirs")
    repo.switch("theirs")
    assert repo.merge(ours).code == 0
    write(repo, "d/t2", "1\n")
    repo.commit("theirs again")
    repo.switch("main")
    assert repo.merge().code == 0
    assert sorted(path.name for path in (repo.at / "d").iterdir()) == ["a", "b", "o", "t2"]


def test_without_the_driver_one_command_merges_after_git_gave_up(repo: MergeRepo) -> None:
    repo.cli.done("install", "-q", "--uninstall")
    two_changes(repo)
    assert repo.merge().code == 1
    assert b"<<<<<<<" in (repo.at / "d.dvt").read_bytes()
    for verb in ("status", "checkout", "push", "diff"):
        ran = repo.cli(verb)
        assert ran.code == 9
        assert "d.dvt: a Git merge left conflict markers in it" in ran.err
        assert "`dvtool resolve` merges both sides" in ran.err
    dry = repo.cli("resolve", "--dry-run")
    assert dry.code == 1
    assert b"<<<<<<<" in (repo.at / "d.dvt").read_bytes()
    ran = repo.cli("resolve")
    assert ran.code == 1
    assert ran.out.startswith("merged d.dvt\n")
    assert repo.cli("status").code == 0
    assert (repo.read("d/theirs"), repo.read("d/main"), repo.read("d/a")) == ("theirs\n", "main\n", "main\n")
    repo.cli.done("resolve", "--theirs", "d/a")
    repo.git("commit", "-q", "-m", "merged")
    assert repo.read("d/a") == "theirs\n"
    assert repo.is_clean()
    repo.cli.done("undo", "-q")
    assert repo.read("d/a") == "main\n"


def shared(repo: MergeRepo, place: Path) -> tuple[MergeRepo, HookRepo]:
    """The two sides in two clones: ours has never seen theirs' data. ``store`` is the remote of both."""
    store, origin = place / "store", place / "up.git"
    store.mkdir()
    repo.cli.done("remote", "add", "-q", "-d", "store", "../store")
    repo.commit("a remote")
    repo.cli.done("push", "-q")
    repo.git("clone", "-q", "--bare", ".", str(origin))
    repo.git("remote", "add", "origin", str(origin))
    other = repo.clone("other")
    other.cli.done("pull", "-q")
    for side, name in ((repo, "main"), (other, "theirs")):
        write(side, f"d/{name}", f"{name}\n")
        side.git("commit", "-q", "--no-verify", "-a", "-m", name)
    other.cli.done("push", "-q")
    other.git("push", "-q", "origin", "HEAD:theirs")
    repo.git("fetch", "-q")
    return repo, other


def test_listings_that_are_missing_are_fetched(repo: MergeRepo, tmp_path: Path) -> None:
    ours, _ = shared(repo, tmp_path)
    ran = ours.merge("origin/theirs")
    assert ours.unmerged() == [], ran
    ours.cli.done("pull", "-q")
    assert (ours.read("d/theirs"), ours.read("d/main")) == ("theirs\n", "main\n")
    assert ours.is_clean()


def test_offline_both_stay_until_one_command(repo: MergeRepo, tmp_path: Path) -> None:
    ours, _ = shared(repo, tmp_path)
    before = (ours.at / "d.dvt").read_bytes()
    (tmp_path / "store").rename(tmp_path / "away")
    shutil.rmtree(tmp_path / "store", ignore_errors=True)
    (tmp_path / "store").write_text("no directory")
    ran = ours.merge("origin/theirs")
    assert ran.code == 1
    assert "d.dvt was not merged, ours stays" in ran.err
    assert "dvtool resolve" in ran.err
    assert ours.unmerged() == ["d.dvt"]
    assert (ours.at / "d.dvt").read_bytes() == before
    assert ours.cli("status").code == 0
    ours.git("add", "d.dvt")
    assert "d.dvt: what the other side did is not in it" in ours.run("commit", "-m", "merged").err
    ours.git("checkout", "-m", "d.dvt")
    again = ours.cli("resolve")
    assert again.code in (4, 7)
    assert "not merged, ours stays: d.dvt" in again.out
    assert ours.unmerged() == ["d.dvt"]
    (tmp_path / "store").unlink()
    (tmp_path / "away").rename(tmp_path / "store")
    assert "merged d.dvt" in ours.cli.done("resolve")
    ours.cli.done("pull", "-q")
    ours.git("commit", "-q", "-m", "merged")
    assert (ours.read("d/theirs"), ours.read("d/main")) == ("theirs\n", "main\n")
    assert ours.is_clean()


def test_offline_without_the_driver_ours_can_be_worked_with(repo: MergeRepo, tmp_path: Path) -> None:
    repo.cli.done("install", "-q", "--uninstall")
    ours, _ = shared(repo, tmp_path)
    before = (ours.at / "d.dvt").read_bytes()
    (tmp_path / "store").rename(tmp_path / "away")
    assert ours.merge("origin/theirs").code == 1
    assert ours.cli("status").code == 9
    assert ours.cli("resolve").code in (4, 7)
    assert (ours.at / "d.dvt").read_bytes() == before
    assert ours.cli("status").code == 0
    (tmp_path / "away").rename(tmp_path / "store")
    assert "merged d.dvt" in ours.cli.done("resolve")
    assert ours.unmerged() == []


def test_a_linked_worktree_and_a_project_further_down(tmp_path: Path) -> None:
    top = new_repo(tmp_path / "top")
    sub = MergeRepo(top.at / "models" / "one")
    sub.at.mkdir(parents=True)
    sub.cli.done("init", "-q", "--subdir")
    create_tree(sub.at, {"d": {"a": "1\n"}})
    sub.cli.done("add", "-q", "d")
    top.commit("base")
    linked = tmp_path / "linked"
    top.git("worktree", "add", "-q", "-b", "theirs", str(linked))
    there = MergeRepo(linked / "models" / "one")
    there.cli.done("checkout", "-q")
    write(there, "d/t", "1\n")
    there.commit("theirs")
    write(sub, "d/o", "1\n")
    top.commit("ours")
    assert there.run("merge", "-q", "-m", "merged", "main").code == 0
    there.cli.done("checkout", "-q")
    assert (there.read("d/o"), there.read("d/t")) == ("1\n", "1\n")
    write(there, "d/a", "theirs\n")
    there.commit("theirs again")
    write(sub, "d/a", "ours\n")
    top.commit("ours again")
    assert top.merge().code == 1
    assert top.unmerged() == ["models/one/d.dvt"]
    assert sub.conflicts() == {"d/a": "changed by both"}
    sub.cli.done("resolve", "--theirs", "d/a")
    assert top.unmerged() == []
    assert sub.read("d/a") == "theirs\n"


def test_what_nobody_decided_is_not_committed_by_accident(repo: MergeRepo) -> None:
    two_changes(repo)
    repo.merge()
    repo.git("add", "d.dvt")
    refused = repo.run("commit", "-m", "merged")
    assert refused.code == 1
    assert "error: d.dvt: nobody has decided about d/a; ours would win\n" in refused.err
    assert "hint: dvtool resolve --ours d/a, or --theirs d/a\n" in refused.err
    repo.cli.done("resolve", "--ours", "d/a")
    repo.git("commit", "-q", "-m", "merged")
    assert (repo.read("d/a"), repo.read("d/theirs")) == ("main\n", "theirs\n")


def test_one_side_alone_is_not_committed_by_accident(repo: MergeRepo) -> None:
    two_changes(repo)
    repo.merge()
    repo.git("checkout", "-q", "--ours", "d.dvt")
    repo.git("add", "d.dvt")
    refused = repo.run("commit", "-m", "merged")
    assert refused.code == 1
    assert "error: d.dvt: nobody has decided about d/a" in refused.err
    repo.git("checkout", "-q", "-m", "d.dvt")
    repo.cli.done("resolve", "--ours", "d")
    repo.git("commit", "-q", "-m", "merged")
    assert (repo.read("d/a"), repo.read("d/theirs")) == ("main\n", "theirs\n")


def test_words_of_resolve(repo: MergeRepo) -> None:
    two_changes(repo)
    assert "which side?" in repo.cli("resolve", "d").err
    assert repo.cli("resolve", "d").code == 2
    assert "dvtool resolve --theirs ." in repo.cli("resolve", "--theirs").err
    ran = repo.cli("resolve", "--ours", "d")
    assert (ran.code, "there is no conflict at d" in ran.err) == (2, True)
