"""Several remotes: a path has its own, mirrors step in, a push goes to many, and `whereis` says who holds what."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo
from tests.support.trees import Node
from tests.support.trees import create_tree

DATA: dict[str, Node] = {"a": "a\n", "sub": {"b": "b\n"}}


@pytest.fixture
def ann(tmp_path: Path) -> DataRepo:
    """``origin`` is mirrored by ``backup``; what lies below ``private`` belongs to ``eu``. Nothing is pushed."""
    repo = DataRepo(tmp_path / "ann")
    for name in ("origin", "backup", "eu"):
        (tmp_path / name).mkdir()
        repo.cli.done("remote", "add", "-q", name, f"../{name}")
    repo.cli.done("remote", "default", "origin")
    repo.cli.done("remote", "modify", "origin", "mirrors", "backup")
    repo.cli.done("remote", "modify", "eu", "paths", "private/")
    repo.write({"data": DATA, "private": {"x": "x\n"}})
    repo.add("data", "private")
    repo.commit("data")
    return repo


def clone(repo: DataRepo) -> DataRepo:
    place = repo.at.parent / "bob"
    subprocess.run(["git", "clone", "-q", repo.at, place], check=True)
    return DataRepo(place, CommandLine(place))


def packs(repo: DataRepo, name: str) -> list[Path]:
    return sorted((repo.at.parent / name / "data").rglob("*-*"))


def files(repo: DataRepo) -> list[str]:
    found = [*(repo.at / "data").rglob("*"), *(repo.at / "private").rglob("*")]
    return sorted(str(path.relative_to(repo.at)) for path in found if path.is_file())


ALL = ["data/a", "data/sub/b", "private/x"]


def test_each_path_goes_where_it_belongs_and_comes_from_there(ann: DataRepo) -> None:
    pushed = ann.json("push")
    assert [(one["remote"], one["up_to_date"]) for one in pushed["remotes"]] == [("origin", False), ("eu", False)]
    assert pushed["remote"] is None
    assert pushed["sent"]["objects"] == sum(one["sent"]["objects"] for one in pushed["remotes"])
    assert packs(ann, "origin")
    assert packs(ann, "eu")
    assert not packs(ann, "backup")
    assert ann.json("status", "--cloud")["cloud"] == []
    bob = clone(ann)
    bob.cli.done("pull")
    assert files(bob) == ALL
    for name in ("origin", "eu"):
        assert "sound" in bob.cli.done("fsck", "--remote", name)
        assert "nothing to collect" in bob.cli.done("gc", "--cloud", "-r", name, "-w", "--dry-run")


def test_add_says_in_the_pointer_where_it_belongs(ann: DataRepo) -> None:
    ann.write({"model": "m\n"})
    ann.add("-r", "eu", "model")
    assert (ann.at / "model.dvt").read_text().endswith("\nremote: eu\n")
    ann.write({"model": "more\n"})
    ann.add("model")
    assert (ann.at / "model.dvt").read_text().endswith("\nremote: eu\n"), "it stays so"
    ann.cli.done("move", "model", "other")
    assert (ann.at / "other.dvt").read_text().endswith("\nremote: eu\n")
    ran = ann.cli("add", "-r", "eu", "data/a")
    assert ran.code == 2
    assert "hint: dvtool add --remote eu data\n" in ran.err
    ran = ann.cli("add", "-r", "nowhere", "data")
    assert ran.code == 9
    assert "there is no remote 'nowhere'" in ran.err


def test_a_file_sent_straight_to_a_remote_belongs_there(ann: DataRepo) -> None:
    ann.write({"big": "b" * 1000})
    ann.cli.done("add", "--to-remote", "-r", "eu", "big")
    assert "\nremote: eu\n" in (ann.at / "big.dvt").read_text()
    ann.cli.done("add", "--to-remote", "-r", "origin", "-o", "plain", "big")
    assert "remote:" not in (ann.at / "plain.dvt").read_text(), "it belongs to the default one anyway"
    ann.cli.done("remote", "modify", "eu", "paths", "private/, *.secret")
    ann.cli.done("add", "--to-remote", "-o", "a.secret", "big")
    assert "remote:" not in (ann.at / "a.secret.dvt").read_text(), "the pattern says it"
    assert ann.cli("whereis", "--check", "-r", "eu", "big", "a.secret").code == 0


def test_with_a_name_only_what_may_go_there(ann: DataRepo) -> None:
    ran = ann.cli("push", "-r", "backup")
    assert ran.code == 0
    assert "left out: private: that belongs to the remote eu" in ran.err
    ran = ann.cli("push", "-r", "backup", "private")
    assert ran.code == 2
    assert "nothing of it may lie on backup: private: that belongs to the remote eu" in ran.err
    assert ann.cli("push", "-r", "nowhere").code == 9


def test_a_push_to_several_reports_each_and_one_failure_stops_no_other(ann: DataRepo) -> None:
    shutil.rmtree(ann.at.parent / "backup")
    (ann.at.parent / "backup").write_text("not a directory")
    ran = ann.cli("push", "--mirrors")
    assert ran.code == 7
    assert [line.split(" to ")[1].split()[0] for line in ran.out.splitlines()] == ["origin", "eu"]
    assert "remote backup" in ran.err
    (ann.at.parent / "backup").unlink()
    (ann.at.parent / "backup").mkdir()
    ran = ann.cli("push", "-r", "origin", "-r", "backup", "--verify", "--json", "data")
    assert [(one["remote"], one["up_to_date"], one["read_back"] > 0) for one in ran.document["remotes"]] == [
        ("origin", True, False),
        ("backup", False, True),
    ]
    assert not ran.document["up_to_date"]


def test_two_failures_are_both_told(ann: DataRepo) -> None:
    for name in ("origin", "eu"):
        (ann.at.parent / name).rmdir()
        (ann.at.parent / name).write_text("not a directory")
    ran = ann.cli("push")
    assert ran.code == 7
    assert "the push to 2 remotes failed: origin, eu" in ran.err
    assert "remote origin" in ran.err
    assert "remote eu" in ran.err


def test_the_setting_makes_every_push_go_to_the_mirrors(ann: DataRepo) -> None:
    ann.cli.done("config", "core.push_mirrors", "true")
    assert [one["remote"] for one in ann.json("push")["remotes"]] == ["origin", "backup", "eu"]
    shutil.rmtree(ann.at.parent / "backup")
    (ann.at.parent / "backup").mkdir()
    lacking = ann.json("status", "--cloud")["cloud"]
    assert {item["why"] for item in lacking} == {"not on backup"}


def test_a_remote_that_is_away_is_replaced_by_its_mirror_with_one_warning(ann: DataRepo) -> None:
    ann.cli.done("push", "--mirrors")
    (ann.at.parent / "origin").rename(ann.at.parent / "away")
    bob = clone(ann)
    ran = bob.cli("pull")
    assert ran.code == 0, ran
    assert files(bob) == ALL
    notes = [line for line in ran.err.splitlines() if "origin" in line]
    assert len(notes) == 1
    assert notes[0].endswith("asking backup instead")


def test_what_one_lacks_is_looked_for_on_the_next(ann: DataRepo) -> None:
    ann.cli.done("push", "--mirrors")
    for pack in packs(ann, "origin"):
        pack.unlink()
    bob = clone(ann)
    ran = bob.cli("pull")
    assert ran.code == 0, ran
    assert files(bob) == ALL
    assert "asking backup for them" in ran.err


def test_missing_on_all_is_said_of_all_and_away_is_not_missing(ann: DataRepo) -> None:
    ann.cli.done("push", "--mirrors")
    for name in ("origin", "backup"):
        for pack in packs(ann, name):
            pack.unlink()
    bob = clone(ann)
    ran = bob.cli("pull")
    assert ran.code == 4
    assert "is not on origin or backup" in ran.err
    assert "dvtool whereis --check data" in ran.err
    assert files(bob) == ["private/x"], "the rest came"
    (ann.at.parent / "origin").rename(ann.at.parent / "away")
    assert bob.cli("pull").code == 7, "it may be on the one that does not answer"


def test_listings_come_from_whichever_remote_has_them(ann: DataRepo) -> None:
    ann.cli.done("push", "--mirrors")
    bob = clone(ann)
    listed = bob.json("list", "-R", "--tracked")["entries"]
    assert {"data/a", "private/x"} <= {entry["path"] for entry in listed}


def test_drop_asks_the_remote_of_each_path_and_undo_reads_it_from_there(ann: DataRepo) -> None:
    ann.cli.done("push")
    dropped = ann.json("drop", "data", "private")
    assert sorted(dropped["remotes"]) == ["eu", "origin"]
    assert files(ann) == []
    said = json.loads(ann.cli.done("whereis", "private", "--json"))["paths"][0]
    assert {place["remote"]: place["source"] for place in said["remotes"]} == {
        "origin": "",
        "backup": "",
        "eu": "pushed",
    }
    ann.cli.done("undo")
    assert files(ann) == ALL
    for pack in packs(ann, "eu"):
        pack.unlink()
    ran = ann.cli("drop", "data", "private")
    assert ran.code == 4
    assert "eu lacks" in ran.err
    assert files(ann) == ALL, "all or nothing"


def test_whereis_knows_from_notes_and_asks_when_told(ann: DataRepo) -> None:
    ann.cli.done("push", "--mirrors")
    out = ann.cli.done("whereis", "data")
    assert "the cache  holds all of it" in out
    assert "origin     holds all of it, by a push from here; --check asks it (it belongs there)" in out
    assert "eu         not known; --check asks it" in out
    packs(ann, "backup")[0].unlink()
    (ann.at.parent / "eu").rename(ann.at.parent / "away")
    ran = ann.cli("whereis", "--check", "--json", "data")
    assert ran.code == 0
    (found,) = ran.document["paths"]
    assert found["belongs_to"] == "origin"
    states = {place["remote"]: place["state"] for place in found["remotes"]}
    assert states == {"origin": "all", "backup": "part", "eu": "unasked"}
    lacking = next(place for place in found["remotes"] if place["remote"] == "backup")
    assert [one["path"] for one in lacking["paths"]] == ["data/a", "data/sub/b"]
    assert found["last_push"] is None, "it is whole on one of them"


def test_whereis_names_who_had_it_last(ann: DataRepo) -> None:
    ann.cli.done("push")
    commit = ann.git("rev-parse", "HEAD")
    author = f"{ann.git('log', '-1', '--format=%an <%ae>')}"
    for pack in packs(ann, "origin"):
        pack.unlink()
    bob = clone(ann)
    ran = bob.cli("whereis", "--check", "data/a", "data")
    assert ran.code == 1, "it is whole nowhere"
    assert f"last pushed to origin by {author} on 2" in ran.out
    assert f"recorded by {author} on 2" in ran.out
    assert f"commit {commit[:10]}" in ran.out
    (found, _) = bob.json("whereis", "--check", "data/a", "data")["paths"]
    assert found["path"] == "data/a"
    assert found["last_push"]["commits"] == [commit]


def test_whereis_of_what_was_never_pushed_names_who_recorded_it(ann: DataRepo) -> None:
    ann.cli.done("push", "private")
    bob = clone(ann)
    ran = bob.cli("whereis", "--check", "data")
    assert ran.code == 1
    assert "origin     holds nothing of it (it belongs there)" in ran.out
    assert "last pushed" not in ran.out
    assert "recorded by" in ran.out


def test_whereis_without_check_contacts_nobody(ann: DataRepo) -> None:
    for name in ("origin", "backup", "eu"):
        (ann.at.parent / name).rmdir()
    assert "not known" in ann.cli.done("whereis", "data")


def test_names_of_mirrors_follow_a_rename_and_a_removal(ann: DataRepo) -> None:
    ann.cli.done("remote", "rename", "backup", "copy")
    listed = {one["name"]: one for one in ann.cli("remote", "list", "--json").document["remotes"]}
    assert listed["origin"]["mirrors"] == ["copy"]
    ann.cli.done("remote", "remove", "copy")
    assert "mirrors" not in ann.cli.done("config", "--list")
    assert "(default)" in ann.cli.done("remote", "list")


def test_history_goes_where_it_belonged(ann: DataRepo) -> None:
    create_tree(ann.at, {"old": "old\n"})
    ann.add("-r", "eu", "old")
    ann.commit("old")
    os.unlink(ann.at / "old.dvt")
    ann.commit("gone")
    ann.cli.done("push", "--all-commits")
    assert "old" not in ann.cli.done("status")
    origin, eu = (sum(path.stat().st_size for path in packs(ann, name)) for name in ("origin", "eu"))
    ann.lose_cache()
    fetched = ann.json("fetch", "--all-commits")
    assert fetched["objects"] == 4
    assert origin
    assert eu


def test_a_collection_keeps_what_lies_there_though_it_belongs_elsewhere_now(ann: DataRepo) -> None:
    ann.cli.done("push")
    ann.add("-r", "backup", "data")
    ann.commit("moved")
    before = packs(ann, "origin")
    collected = ann.cli("gc", "--cloud", "-r", "origin", "-w", "--grace", "0", "-f", "--json")
    assert collected.code == 0, collected
    assert packs(ann, "origin") == before
    ann.cli.done("push")
    collected = ann.cli("gc", "--cloud", "-r", "eu", "-w", "--grace", "0", "-f", "--json")
    assert collected.document["missing_objects"] == 0, "what belongs elsewhere is not missing"
