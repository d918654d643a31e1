"""What earlier runs made is restored: after a branch switch, in a colleague's clone, from a remote; and never half."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dvtool.remote.counting import CountingRemote
from tests.support.cli import CommandLine
from tests.support.cli import git_project

DEFINITION = """\
stages:
  prepare:
    cmd: echo x >> {log}; mkdir clean && cp in params.yaml clean/
    deps: [in]
    params: [lr]
    outs: [clean]
  train:
    cmd: echo x >> {log}; cat clean/in clean/params.yaml > model; echo 1 > metrics.yaml
    deps: [clean]
    outs: [model]
    metrics:
      - metrics.yaml: {{cache: false}}
"""


class Story:
    """A project with a remote, whose stages count how often they ran."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.log = place / "ran"
        self.remote = place / "remote"
        self.cli = git_project(place / "mine")
        self.write(self.cli, "in", "1\n")
        self.write(self.cli, "dvtool.yaml", DEFINITION.format(log=self.log))
        self.rate(self.cli, 1)
        self.remote.mkdir()
        self.cli.done("remote", "add", "-d", "origin", str(self.remote))

    def write(self, cli: CommandLine, path: str, text: str) -> None:
        (cli.at / path).write_text(text)

    def rate(self, cli: CommandLine, value: int) -> None:
        self.write(cli, "params.yaml", f"lr: {value}\n")

    def runs(self) -> int:
        """How many commands ran since this was asked last."""
        count = len(self.log.read_text().splitlines()) if self.log.exists() else 0
        self.log.write_text("")
        return count

    def commit(self, cli: CommandLine, text: str = "x") -> None:
        subprocess.run("git add -A && git commit -qm " + text, cwd=cli.at, check=True, shell=True)

    def clone(self, name: str = "theirs") -> CommandLine:
        subprocess.run(["git", "clone", "-q", self.cli.at, self.place / name], check=True)
        return CommandLine(self.place / name)


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_a_changed_parameter_and_back(story: Story) -> None:
    cli = story.cli
    cli.done("repro")
    model = (cli.at / "model").read_text()
    story.rate(cli, 2)
    cli.done("repro")
    assert story.runs() == 4
    story.rate(cli, 1)
    out = cli.done("repro")
    assert story.runs() == 0
    assert "restored" in out
    assert (cli.at / "model").read_text() == model
    assert cli.done("status") == cli.done("status")


def test_what_a_stage_left_is_replaced_without_a_word_and_an_edit_is_kept(story: Story) -> None:
    cli = story.cli
    definition = DEFINITION.replace("echo 1 > metrics.yaml", "cp clean/params.yaml metrics.yaml")
    story.write(cli, "dvtool.yaml", definition.format(log=story.log))
    for rate in (1, 2):
        story.rate(cli, rate)
        cli.done("repro")
    story.rate(cli, 1)
    assert "not as stage" not in cli("repro").err
    story.write(cli, "metrics.yaml", "mine: 1\n")
    story.rate(cli, 2)
    assert "metrics.yaml: not as stage train left it" in cli("repro").err
    assert (cli.at / "metrics.yaml").read_text() == "lr: 2\n"
    assert "metrics.yaml" in cli.done("recover")


def test_a_branch_switch(story: Story) -> None:
    cli = story.cli
    cli.done("repro")
    story.commit(cli)
    subprocess.run(["git", "checkout", "-q", "-b", "other"], cwd=cli.at, check=True)
    story.rate(cli, 2)
    cli.done("repro")
    story.commit(cli, "two")
    story.runs()
    subprocess.run(["git", "checkout", "-q", "-"], cwd=cli.at, check=True)
    story.rate(cli, 2)
    cli.done("repro")
    assert story.runs() == 0


def test_no_run_cache_runs_and_remembers_nothing(story: Story) -> None:
    cli = story.cli
    cli.done("repro", "--no-run-cache")
    assert not (cli.at / ".git/dvtool/cache/runs").exists()
    story.rate(cli, 2)
    cli.done("repro")
    story.rate(cli, 1)
    story.runs()
    cli.done("repro")
    assert story.runs() == 2


def test_a_colleague_restores_what_was_run(story: Story) -> None:
    """Their branch does not have the lock of that run, only the same inputs."""
    mine = story.cli
    story.commit(mine, "one")
    mine.done("repro")
    assert story.runs() == 2
    mine.done("push")
    theirs = story.clone()
    theirs.done("fetch", "--run-cache")
    theirs.done("repro")
    assert story.runs() == 0
    for path in ("model", "metrics.yaml", "clean/params.yaml"):
        assert (theirs.at / path).read_bytes() == (mine.at / path).read_bytes()


def test_runs_come_with_the_data(story: Story) -> None:
    mine = story.cli
    mine.done("repro")
    story.commit(mine, "one")
    mine.done("push")
    theirs = story.clone()
    theirs.done("pull")
    assert [*(theirs.at / ".git/dvtool/runcache/origin").iterdir()]
    story.runs()
    # The lock is lost: what it said is found again.
    (theirs.at / "dvtool.lock").unlink()
    shutil.rmtree(theirs.at / "clean")
    theirs.done("repro")
    assert story.runs() == 0
    assert (theirs.at / "dvtool.lock").read_bytes() == (mine.at / "dvtool.lock").read_bytes()


def test_all_earlier_runs_on_demand(story: Story) -> None:
    mine = story.cli
    for rate in (1, 2, 3):
        story.rate(mine, rate)
        mine.done("repro")
    story.commit(mine, "three")
    story.runs()
    mine.done("push")
    first = story.clone("first")
    first.done("pull", "--run-cache")
    story.rate(first, 1)
    first.done("repro")
    assert story.runs() == 2
    mine.done("push", "--run-cache")
    second = story.clone("second")
    second.done("pull", "--run-cache")
    for rate in (1, 2, 3):
        story.rate(second, rate)
        second.done("repro")
        assert (second.at / "model").read_text() == f"1\nlr: {rate}\n"
    assert story.runs() == 0


def test_what_git_brought_need_not_be_in_the_cache(story: Story) -> None:
    """Metrics are in Git, and stand there as the earlier run made them."""
    mine = story.cli
    mine.done("repro")
    story.commit(mine, "one")
    mine.done("push")
    theirs = story.clone()
    (theirs.at / "dvtool.lock").unlink()
    story.runs()
    theirs.done("repro", "--pull")
    assert story.runs() == 0


def test_without_the_bytes_it_runs(story: Story) -> None:
    mine = story.cli
    mine.done("repro")
    story.commit(mine, "one")
    mine.done("push")
    theirs = story.clone()
    theirs.done("pull")
    (theirs.at / "dvtool.lock").unlink()
    shutil.rmtree(theirs.at / ".git/dvtool/cache")
    shutil.rmtree(theirs.at / "clean")
    (theirs.at / "model").unlink()
    story.runs()
    theirs.done("repro")
    assert story.runs() == 2


def test_nothing_of_an_output_that_stays_here_is_sent(story: Story) -> None:
    mine = story.cli
    text = (mine.at / "dvtool.yaml").read_text()
    secret = text.replace("cache: false", "cache: false, push: false").replace(
        "outs: [model]", "outs: [{model: {push: false}}]"
    )
    story.write(mine, "dvtool.yaml", secret)
    mine.done("repro")
    story.commit(mine, "one")
    mine.done("push", "--run-cache")
    sent = b"".join(path.read_bytes() for path in (story.remote / "runs").iterdir())
    assert b'"clean"' in sent
    assert b'"model"' not in sent
    theirs = story.clone()
    theirs.done("fetch", "--run-cache", "--all-commits")
    digest = next(line for line in (mine.at / "dvtool.lock").read_text().splitlines() if '"model"' in line)
    oid = digest.partition("blake3:")[2][:64]
    assert theirs("whereused", f"blake3:{oid}").code == 0
    assert not (theirs.at / f".git/dvtool/cache/objects/{oid[:2]}/{oid}").exists()


class Counted:
    """Counts what goes to remotes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from dvtool.project import parts
        from dvtool.project import remotes

        self.counters: list[CountingRemote] = []

        def opened(project: object, name: str) -> CountingRemote:
            counter = CountingRemote(parts.open_remote_of(project, name))  # type: ignore[arg-type]
            self.counters.append(counter)
            return counter

        monkeypatch.setattr(remotes, "open_remote_of", opened)

    def taken(self) -> tuple[int, int]:
        """Requests and bytes sent since the last time."""
        found = sum(sum(each.calls.values()) for each in self.counters), sum(each.sent for each in self.counters)
        self.counters.clear()
        return found


def test_requests_of_a_push(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = story.cli
    cli.done("repro")
    cli.done("push")
    counted = Counted(monkeypatch)
    story.rate(cli, 2)
    cli.done("repro")
    cli.done("push", "--no-run-cache")
    without, _ = counted.taken()
    story.rate(cli, 3)
    cli.done("repro")
    cli.done("push")
    requests, sent = counted.taken()
    assert requests <= without + 2
    assert requests < 20
    assert sent < 100_000
    cli.done("push")
    again, sent = counted.taken()
    assert sent == 0
    cli.done("push", "--no-run-cache")
    assert again <= counted.taken()[0] + 1


def test_a_project_without_pipelines_pays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = git_project(tmp_path / "repo")
    (tmp_path / "remote").mkdir()
    cli.done("remote", "add", "-d", "origin", str(tmp_path / "remote"))
    (cli.at / "data").write_text("1")
    cli.done("add", "data")
    cli.done("push")
    counted = Counted(monkeypatch)
    for words in (("push",), ("pull",), ("fetch",)):
        cli.done(*words)
        with_it = counted.taken()
        cli.done(*words, "--no-run-cache")
        assert counted.taken() == with_it
    assert not os.path.exists(tmp_path / "remote/runs")


def test_a_remote_without_room_for_runs_still_gets_the_data(story: Story) -> None:
    mine = story.cli
    mine.done("repro")
    story.commit(mine, "one")
    (story.remote / "runs").write_text("in the way")
    ran = mine("push")
    assert ran.code == 0
    assert "the run cache was not sent to origin" in ran.err
    theirs = story.clone()
    assert theirs("pull").code == 0
    assert (theirs.at / "model").exists()


def test_gc_frees_what_only_the_run_cache_knows(story: Story) -> None:
    cli = story.cli
    for rate in (1, 2):
        story.rate(cli, rate)
        cli.done("repro")
    story.commit(cli, "two")
    story.runs()
    cache = cli.at / ".git/dvtool/cache"
    before = sum(len(path.read_bytes().splitlines()) for path in (cache / "runs").iterdir())
    cli.done("gc", "-f", "--workspace", "--no-trash", "--grace", "0s")
    after = sum(len(path.read_bytes().splitlines()) for path in (cache / "runs").iterdir())
    assert (before, after) == (4, 2)
    story.rate(cli, 1)
    cli.done("repro")
    assert story.runs() == 2
    assert cli.done("fsck")


def test_fsck_tells_of_damage_and_repairs_it(story: Story) -> None:
    mine = story.cli
    mine.done("repro")
    story.commit(mine, "one")
    mine.done("push")
    (path, *_) = (mine.at / ".git/dvtool/cache/runs").iterdir()
    path.write_bytes(path.read_bytes()[:-9] + b"damaged\n")
    ran = mine("fsck")
    assert ran.code == 0
    assert "of the run cache damaged" in ran.out
    (mine.at / "dvtool.lock").unlink()
    story.runs()
    assert "passed over" in mine("repro").err
    # The copy of what was pushed still has it.
    assert story.runs() == 0
    mine.done("fsck", "--repair")
    assert "run cache" not in mine.done("fsck")
    (bundle,) = (story.remote / "runs").iterdir()
    bundle.chmod(0o644)
    bundle.write_bytes(b"?")
    assert "run cache" not in mine.done("fsck", "--remote", "origin")
    assert "run cache" in mine.done("fsck", "--remote", "origin", "--deep")
    mine.done("fsck", "--remote", "origin", "--deep", "--repair")
    assert not bundle.exists()
    mine.done("fetch")
    mine.done("push")
    assert [*(story.remote / "runs").iterdir()]
