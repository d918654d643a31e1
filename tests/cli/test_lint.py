"""`dvtool lint`: all that is wrong at once, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.datarepo import DataRepo

BAD_PATH = 'dvtool: 1\npath: "../x"\nkind: file\ndigest: blake3:00\nsize: 2\n'


@pytest.fixture
def at(repo: DataRepo) -> Path:
    return repo.at


def rules(cli: CommandLine) -> set[tuple[str, str, int | None]]:
    return {(each["rule"], each["path"], each["line"]) for each in cli("lint", "--json").document["findings"]}


def test_a_sound_project(repo: DataRepo) -> None:
    assert repo.cli.done("lint") == "2 pointers, 0 locks, 0 definitions: 0 errors, 0 warnings\n"
    assert repo.cli.done("lint", "-q") == ""


def test_everything_that_is_wrong_is_said_at_once(repo: DataRepo, at: Path) -> None:
    (at / "markers.dvt").write_text("<<<<<<< ours\n")
    (at / "outside.dvt").write_text(BAD_PATH)
    (at / "twice.dvt").write_text((at / "model.bin.dvt").read_text())
    (at / "dvtool.lock").write_text("{")
    (at / "dvtool.yaml").write_text("stages:\n  a:\n    cmd: x\n    outz: [q]\n")
    repo.git("add", "-f", "model.bin")
    ran = repo.cli("lint")
    assert ran.code == 6, "what is unsafe is the gravest of it"
    assert rules(repo.cli) == {
        ("format", "markers.dvt", None),
        ("unsafe", "outside.dvt", 2),
        ("overlap", "twice.dvt", None),
        ("format", "dvtool.lock", None),
        ("pipeline", "dvtool.yaml", 4),
        ("in-git", "model.bin", None),
    }
    assert "outside.dvt:2: error: the name .. climbs out of its directory" in ran.out
    assert ran.out.endswith("5 pointers, 1 lock, 1 definition: 6 errors, 0 warnings\n")


def test_stages_that_do_not_fit_together(repo: DataRepo, at: Path) -> None:
    (at / "dvtool.yaml").write_text("stages:\n  a:\n    cmd: x\n    outs: [data/out]\n")
    assert rules(repo.cli) == {("pipeline", "dvtool.yaml", 4)}
    assert repo.cli("lint").code == 1


def test_what_git_would_take_is_advice(repo: DataRepo, at: Path) -> None:
    (at / ".gitignore").write_text("/data\n")
    ran = repo.cli("lint")
    assert ran.code == 0
    assert "model.bin: warning: Git does not ignore model.bin" in ran.out
    repo.cli.done("add", "-q", "model.bin")
    assert rules(repo.cli) == set()


@pytest.mark.parametrize(
    ("command", "is_told"),
    [("python x.py ${lr}", False), ('bash -c "python x.py ${lr}"', True), ("eval ${lr}", True)],
    ids=["plain", "bash -c", "eval"],
)
def test_values_in_commands_that_are_read_twice(repo: DataRepo, at: Path, command: str, is_told: bool) -> None:
    (at / "params.yaml").write_text("lr: 1\n")
    (at / "dvtool.yaml").write_text(f"stages:\n  a:\n    cmd: {command!r}\n    outs: [q]\n")
    assert ("shell", "dvtool.yaml", 2) in rules(repo.cli) if is_told else not rules(repo.cli)
    assert repo.cli("lint").code == 0


def test_nothing_of_it_is_carried_out(repo: DataRepo, at: Path) -> None:
    (at / "dvtool.yaml").write_text("stages:\n  a:\n    cmd: touch HIT\n    deps:\n    - x: {cmd: touch HIT}\n")
    repo.cli("lint")
    assert not (at / "HIT").exists()


def test_names_cannot_forge_lines(repo: DataRepo, at: Path) -> None:
    (at / "a\nb.dvt").write_text("x")
    ran = repo.cli("lint")
    assert "a\\nb.dvt:1: error: " in ran.out
