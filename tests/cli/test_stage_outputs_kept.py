"""What collections do with outputs that a `dvtool.lock`, or only the journal of a killed run, names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dvtool.formats.lock import Content
from dvtool.formats.lock import Storing
from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo
from tests.support.outputs import AS_ALL
from tests.support.outputs import made_by
from tests.support.outputs import record
from tests.support.outputs import stored

HERE = Storing(push=False)
KILLED = """
import os, sys
sys.path.insert(0, {source!r})
from dvtool.formats.lock import Content, LockedStage
from dvtool.model.digest import parse_digest
from dvtool.model.pointer import Kind
from dvtool.pipeline.lockfile import LockWriter
content = Content(Kind({kind!r}), parse_digest({digest!r}), {size}, {files})
LockWriter._write = lambda self, definition: os.kill(os.getpid(), 9)
with LockWriter({root!r}, {state!r}, durable=True) as writer:
    writer.record(b"dvtool.yaml", "s", LockedStage(("make",), outs={{b"out": content}}))
"""


def killed(root: Path, state: Path, content: Content) -> None:
    """A run that was killed when it had recorded its stage and not written the lock."""
    program = KILLED.format(
        source=str(Path(__file__).parents[2]),
        kind=content.kind.value,
        digest=str(content.digest),
        size=content.size,
        files=content.files,
        root=os.fsencode(root),
        state=os.fsencode(state),
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    assert not (root / "dvtool.lock").exists()


def collect(cli: CommandLine, *options: str) -> None:
    cli.done("gc", "-w", "-f", "--grace", "0", "--no-trash", *options)


def test_what_a_killed_run_finished_is_kept_and_seen(repo: DataRepo) -> None:
    repo.write({"out": {"a": "1", "b": "2"}})
    content = stored(repo, "out")
    killed(repo.at, repo.at / ".git/dvtool", content)
    shutil.rmtree(repo.at / "out")
    collect(repo.cli)
    assert {each["path"] for each in repo.json("status")["missing"]} == {"out"}
    assert {(each["change"], each["path"]) for each in repo.json("status")["committed"]} == {("added", "out")}
    repo.cli.done("checkout", "-q")
    assert (repo.at / "out/b").read_text() == "2"


def test_what_a_killed_run_of_another_worktree_finished_is_kept(repo: DataRepo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = DataRepo(tmp_path / "linked", CommandLine(tmp_path / "linked"))
    linked.write({"out": "made there"})
    content = stored(linked, "out")
    killed(linked.at, repo.at / ".git/worktrees/linked/dvtool", content)
    (linked.at / "out").unlink()
    collect(repo.cli)
    linked.cli.done("checkout", "-q")
    assert (linked.at / "out").read_text() == "made there"


def test_what_it_has_not_recorded_goes(repo: DataRepo) -> None:
    """The other way round, so that the tests above can fail."""
    repo.write({"out": "unnamed"})
    content = stored(repo, "out")
    collect(repo.cli)
    killed(repo.at, repo.at / ".git/dvtool", content)
    (repo.at / "out").unlink()
    assert repo.cli("checkout").code == 4


@pytest.fixture
def shared(repo: DataRepo, tmp_path: Path) -> DataRepo:
    """A pipeline with a directory that is not pushed and one that is, on a remote."""
    (tmp_path / "store").mkdir()
    repo.cli.done("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    repo.write({"mine": {"a": "1", "deep": {"b": "2"}}, "ours": {"c": "3"}})
    made_by(repo, "train", {"mine": HERE, "ours": AS_ALL})
    repo.commit("pipeline")
    repo.cli.done("push", "-q")
    return repo


def clone_of(repo: DataRepo, tmp_path: Path) -> DataRepo:
    subprocess.run(["git", "clone", "-q", str(repo.at), str(tmp_path / "clone")], check=True)
    return DataRepo(tmp_path / "clone", CommandLine(tmp_path / "clone"))


def test_what_is_not_pushed_is_kept_here(shared: DataRepo) -> None:
    shutil.rmtree(shared.at / "mine")
    collect(shared.cli)
    shared.cli.done("checkout", "-q")
    assert (shared.at / "mine/deep/b").read_text() == "2"


def test_a_listing_that_is_nowhere_stops_no_collection(shared: DataRepo, tmp_path: Path) -> None:
    clone = clone_of(shared, tmp_path)
    clone.cli.done("pull", "-q")
    collect(clone.cli)
    clone.cli.done("gc", "--cloud", "-w", "-f", "--grace", "0")
    assert (clone.at / "ours/c").read_text() == "3"
    clone.lose_cache()
    shutil.rmtree(clone.at / "ours")
    clone.cli.done("pull", "-q")
    assert (clone.at / "ours/c").read_text() == "3"


def test_what_is_shared_with_something_pushed_is_fetched(shared: DataRepo, tmp_path: Path) -> None:
    """The same directory under both kinds of output: its listing is on the remote, so it must be had."""
    made_by(shared, "train", {"mine": HERE})
    shutil.copytree(shared.at / "mine", shared.at / "twin")
    made_by(shared, "other", {"twin": AS_ALL})
    shared.commit("twins")
    shared.cli.done("push", "-q")
    clone = clone_of(shared, tmp_path)
    clone.cli.done("fetch", "-q", "data")
    collect(clone.cli)
    assert (shared.at / "mine/a").exists()
    clone.cli.done("pull", "-q")
    assert (clone.at / "mine/a").read_text() == "1"


def test_a_collection_of_the_remote_keeps_what_lies_there_from_earlier(shared: DataRepo, tmp_path: Path) -> None:
    """Pushed once, and not any more: this clone still needs it, so it stays."""
    made_by(shared, "train", {"ours": HERE})
    record(shared, {"gone": None})
    shared.commit("not pushed any more")
    shared.cli.done("gc", "--cloud", "-w", "-f", "--grace", "0")
    shared.lose_cache()
    text = (shared.at / "dvtool.lock").read_text()
    (shared.at / "dvtool.lock").write_text(text.replace(', "push": false', ""))
    shutil.rmtree(shared.at / "ours")
    shared.cli.done("pull", "-q", "ours")
    assert (shared.at / "ours/c").read_text() == "3"
