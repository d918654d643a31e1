"""What `repro` does with locks and tracked outputs when definitions change."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import decode_lock
from tests.support.cli import CommandLine
from tests.support.cli import git_project

TWO = """\
stages:
  first:
    cmd: echo first >> ran; echo 1 > one; echo m > moved
    outs: [one, moved]
  second:
    cmd: echo second >> ran; echo 2 > two
    deps: [one]
    outs: [two]
"""


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    cli = git_project(tmp_path / "repo")
    define(cli, TWO)
    cli.done("repro", "-q")
    return cli


def define(cli: CommandLine, text: str) -> None:
    (cli.at / "dvtool.yaml").write_text(text)


def lock(cli: CommandLine) -> dict[str, LockedStage]:
    return decode_lock((cli.at / "dvtool.lock").read_bytes(), "dvtool.lock")


def runs(cli: CommandLine) -> int:
    return len((cli.at / "ran").read_text().split())


def test_a_stage_that_is_gone_leaves_the_lock(cli: CommandLine) -> None:
    define(cli, TWO[: TWO.index("  second")])
    ran = cli("repro")
    assert "second is no stage in dvtool.yaml any more: its outputs are not tracked" in ran.err
    assert lock(cli).keys() == {"first"}
    assert cli("status", "--json").document["workspace"] == []
    cli.done("undo", "-q")
    assert lock(cli).keys() == {"first", "second"}


def test_a_stage_with_another_name_keeps_its_outputs(cli: CommandLine) -> None:
    define(cli, TWO.replace("  second:", "  other:"))
    cli.done("repro", "-q")
    assert lock(cli).keys() == {"first", "other"}
    (cli.at / "two").unlink()
    cli.done("checkout", "-q")
    assert (cli.at / "two").read_text() == "2\n"


def test_an_output_moves_to_another_stage_that_runs_alone(cli: CommandLine) -> None:
    changed = TWO.replace("echo 1 > one; echo m > moved", "echo 1 > one").replace("[one, moved]", "[one]")
    define(cli, changed.replace("echo 2 > two", "echo 2 > two; echo n > moved").replace("[two]", "[two, moved]"))
    cli.done("repro", "-q", "-s", "second")
    assert set(lock(cli)["first"].outs) == {b"one"}
    assert set(lock(cli)["second"].outs) == {b"two", b"moved"}
    assert cli("checkout").code == 0
    assert (cli.at / "moved").read_text() == "n\n"


def test_a_merge_left_two_owners(cli: CommandLine) -> None:
    """One branch gave the stage another name, the other ran it again."""
    text = (cli.at / "dvtool.lock").read_text()
    (cli.at / "dvtool.lock").write_text(text.replace('"second": {', '"before": {').removesuffix('"": {}}}\n'))
    with (cli.at / "dvtool.lock").open("a") as file:
        file.write(text[text.index('"second": {') :])
    ran = cli("status")
    assert ran.code == 6
    assert "stage second in dvtool.lock: its path two is also the path in stage before in dvtool.lock" in ran.err
    assert "`dvtool repro` brings the locks to what dvtool.yaml says" in ran.err
    before = runs(cli)
    cli.done("repro", "-q")
    assert lock(cli).keys() == {"first", "second"}
    assert runs(cli) == before
    assert cli("checkout").code == 0


def test_how_an_output_is_kept_changes_without_a_run(cli: CommandLine) -> None:
    before = runs(cli)
    define(cli, TWO.replace("[two]", "[two: {push: false, remote: r}]"))
    cli.done("repro", "-q")
    how = lock(cli)["second"].storing[b"two"]
    assert (how.push, how.remote) == (False, "r")
    define(cli, TWO.replace("[two]", "[two: {cache: false}]"))
    cli.done("repro", "-q")
    assert not lock(cli)["second"].storing[b"two"].cache
    (cli.at / "two").write_text("2\n")
    cli.done("checkout", "-q")
    assert (cli.at / "two").exists()
    define(cli, TWO)
    cli.done("repro", "-q")
    assert lock(cli)["second"].storing == {}
    assert runs(cli) == before


def test_what_is_cached_from_now_on_is_stored(tmp_path: Path) -> None:
    cli = git_project(tmp_path / "repo")
    big = (
        "stages:\n  s:\n    cmd: echo s >> ran; head -c 300000 /dev/zero > big\n    outs:\n    - big: {cache: false}\n"
    )
    define(cli, big)
    cli.done("repro", "-q")
    assert cli("fsck").code == 0
    define(cli, big.replace("big: {cache: false}", "big"))
    cli.done("repro", "-q")
    assert runs(cli) == 1
    (cli.at / "big").unlink()
    cli.done("checkout", "-q")
    assert (cli.at / "big").stat().st_size == 300000


def test_what_was_not_stored_is_committed_later(tmp_path: Path) -> None:
    cli = git_project(tmp_path / "repo")
    define(cli, TWO)
    cli.done("repro", "-q", "--no-commit")
    assert cli("fsck").code == 4
    cli.done("commit", "-q")
    assert cli("fsck").code == 0
    for name in ("one", "two", "moved"):
        (cli.at / name).unlink()
    cli.done("checkout", "-q")
    assert (cli.at / "two").read_text() == "2\n"
    assert cli("status", "--json").document["workspace"] == []


def test_a_colleague_pulls_what_stages_made(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    cli.done("remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    for argv in (("add", "."), ("commit", "-q", "-m", "made"), ("clone", "-q", ".", str(tmp_path / "clone"))):
        subprocess.run(["git", *argv], cwd=cli.at, check=True)
    cli.done("push", "-q")
    clone = CommandLine(tmp_path / "clone")
    clone.done("pull", "-q")
    assert (clone.at / "moved").read_text() == "m\n"
    before = runs(clone)
    clone.done("repro", "-q")
    assert runs(clone) == before
    assert clone("status", "--exit-code").code == 0


def test_data_that_looks_like_ours_without_git(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    cli = CommandLine(tmp_path / "plain")
    cli.done("init", "-q", "--no-scm")
    (cli.at / "make.sh").write_text(
        "mkdir -p out/deep; echo x > out/b.dvt; echo y > out/deep/dvtool.lock; echo 'stages: [' > out/dvtool.yaml"
    )
    define(cli, "stages:\n  s:\n    cmd: sh make.sh\n    outs: [out]\n")
    cli.done("repro", "-q")
    shutil.rmtree(cli.at / "out")
    cli.done("checkout", "-q")
    for argv in (("status", "--exit-code"), ("gc", "-w", "-f", "--grace", "0"), ("repro",), ("list", "-R"), ("fsck",)):
        assert cli(*argv).code == 0, argv
    assert (cli.at / "out/deep/dvtool.lock").read_text() == "y\n"
