"""`add --to-remote`: data that is too large for this disk is tracked without a copy here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dvtool.hashing.digests import object_id
from dvtool.store.cache import Cache
from dvtool.transfer import remotesink
from dvtool.transfer.cutting import Cutter
from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.datasets import content
from tests.support.datasets import packs_of

FILES = {
    "a": b"a\n",
    "same": b"a\n",
    "empty": b"",
    "deep/er/middle": content("middle", 300_000),
    "deep/large": content("large", 5_000_000),
    "deep/piece": content("large", 5_000_000)[:1000],
}


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    cli = git_project(tmp_path / "repo")
    cli.done("remote", "add", "-q", "-d", "origin", str(tmp_path / "origin"))
    return cli


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    place = tmp_path / "mount" / "scans"
    for name, data in FILES.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    (place / "a").chmod(0o755)
    (place / "nothing").mkdir()
    (place / "link").symlink_to("a")
    return place


def colleague(cli: CommandLine) -> CommandLine:
    """A clone of what is recorded."""
    subprocess.run(["git", "add", "--all"], cwd=cli.at, check=True)
    subprocess.run(["git", "commit", "--quiet", "--message=x"], cwd=cli.at, check=True)
    place = cli.at.parent / "clone"
    subprocess.run(["git", "clone", "--quiet", cli.at, place], check=True)
    return CommandLine(place)


def is_same(one: Path, other: Path) -> bool:
    return not subprocess.run(["diff", "-r", "--no-dereference", one, other], check=False, capture_output=True).stdout


def cache_of(cli: CommandLine) -> Cache:
    return Cache(os.fsencode(cli.done("cache", "dir").strip()))


def test_a_directory_from_elsewhere(cli: CommandLine, outside: Path) -> None:
    out = cli.done("add", "--to-remote", "-o", "raw/scans", str(outside))
    assert out.startswith("raw/scans: 7 files, ")
    assert not (cli.at / "raw" / "scans").exists()
    stored = sum(os.path.getsize(path) for path, _, _ in os.walk(cache_of(cli).root) if os.path.isfile(path))
    assert stored < 100_000
    assert cli("status", "--json").document["missing"][0]["path"] == "raw/scans"
    assert "large" in cli.done("list", "-R", "raw/scans")
    clone = colleague(cli)
    clone.done("pull")
    assert is_same(clone.at / "raw" / "scans", outside)
    assert os.access(clone.at / "raw" / "scans" / "a", os.X_OK)
    assert "sound" in clone.done("fsck", "--remote", "origin")


def test_where_it_stands(cli: CommandLine, outside: Path) -> None:
    outside.rename(cli.at / "scans")
    cli.done("add", "--to-remote", "scans")
    assert not cache_of(cli).has_blob(object_id(FILES["a"]))
    document = cli("status", "--json").document
    assert not document["workspace"]
    assert not document["missing"]
    clone = colleague(cli)
    clone.done("pull")
    assert is_same(clone.at / "scans", cli.at / "scans")


def test_again_after_a_change_sends_the_change(cli: CommandLine, outside: Path) -> None:
    first = cli("add", "--to-remote", "-o", "scans", str(outside), "--json").document
    assert first["bytes_sent"] > 5_000_000
    (outside / "a").write_bytes(b"changed\n")
    (outside / "same").unlink()
    second = cli("add", "--to-remote", "-o", "scans", str(outside), "--json").document
    assert second["bytes_sent"] < 5_000
    clone = colleague(cli)
    clone.done("pull")
    assert is_same(clone.at / "scans", outside)


def test_what_was_never_here_is_not_deleted_by_what_is_added_to_it(cli: CommandLine, outside: Path) -> None:
    cli.done("add", "--to-remote", "-o", "scans", str(outside))
    before = cli.done("list", "-R", "scans", "--tracked")
    (cli.at / "scans").mkdir()
    (cli.at / "scans" / "zmine").write_text("mine\n")
    cli.done("add", "scans")
    assert cli.done("list", "-R", "scans", "--tracked") == before + "zmine\n"


def test_ignore_rules_of_both_places_count(cli: CommandLine, outside: Path) -> None:
    (outside / ".dvtoolignore").write_text("/same\n")
    (outside / "deep" / "x.log").write_text("x")
    (cli.at / ".dvtoolignore").write_text("scans/**/*.log\n")
    cli.done("add", "--to-remote", "-o", "scans", str(outside))
    listed = cli.done("list", "-R", "scans").split()
    assert "same" not in listed
    assert "deep/x.log" not in listed
    assert "a" in listed


def test_the_next_try_sends_what_is_not_there_yet(
    cli: CommandLine, outside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "the disk failed")

    monkeypatch.setattr(remotesink, "survey", fail)
    ran = cli("add", "--to-remote", "-o", "scans", str(outside))
    assert ran.code != 0
    assert "Traceback" not in ran.err
    assert not (cli.at / "scans.dvt").exists()
    assert packs_of(tmp_path / "origin")
    monkeypatch.undo()
    again = cli("add", "--to-remote", "-o", "scans", str(outside), "--json").document
    assert again["bytes_sent"] < 5_000
    clone = colleague(cli)
    clone.done("pull")
    assert is_same(clone.at / "scans", outside)


def test_packs_that_went_missing_are_sent_again(cli: CommandLine, outside: Path, tmp_path: Path) -> None:
    cli.done("add", "--to-remote", "-o", "scans", str(outside))
    for key in packs_of(tmp_path / "origin"):
        (tmp_path / "origin" / key).unlink()
    again = cli("add", "--to-remote", "-o", "scans", str(outside), "--json").document
    assert again["bytes_sent"] > 5_000_000
    clone = colleague(cli)
    clone.done("pull")
    assert is_same(clone.at / "scans", outside)


def test_a_recipe_of_other_pieces_in_the_cache(cli: CommandLine, outside: Path, tmp_path: Path) -> None:
    """The cache keeps the recipe that it has; what goes to the remote is the one of the pieces that went there."""
    cli.done("add", "--to-remote", "-o", "one", str(outside / "deep" / "large"))
    (tmp_path / "second").mkdir()
    cli.done("remote", "add", "-q", "second", str(tmp_path / "second"))
    cli.done("config", "remote.second.chunk", "false")
    cli.done("add", "--to-remote", "-r", "second", "-o", "two", str(outside / "deep" / "large"))
    clone = colleague(cli)
    clone.done("pull", "-r", "second", "two")
    assert is_same(clone.at / "two", outside / "deep" / "large")


def test_a_file_that_changes_meanwhile(cli: CommandLine, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cut = Cutter.cut

    def write_beside(self: Cutter, *argv: object) -> object:
        result = cut(self, *argv)  # type: ignore[arg-type]
        with (outside / "deep" / "large").open("ab") as file:
            file.write(b"more")
        return result

    monkeypatch.setattr(Cutter, "cut", write_beside)
    ran = cli("add", "--to-remote", "-o", "scans", str(outside))
    assert ran.code == 7
    assert "scans/deep/large changed while it was sent; no pointer was written" in ran.err
    assert not (cli.at / "scans.dvt").exists()


def here(cli: CommandLine) -> None:
    (cli.at / "scans").write_text("something else\n")


def inside(cli: CommandLine) -> None:
    (cli.at / "scans").mkdir()
    (cli.at / "scans" / "x").write_text("x")
    cli.done("add", "-q", "scans/x")


@pytest.mark.parametrize(
    ("before", "argv", "words"),
    [
        (here, ("-o", "scans", "SOURCE"), "scans is there already, and is something else"),
        (inside, ("-o", "scans", "SOURCE"), "scans holds scans/x, which is tracked by itself"),
        (None, ("-o", "scans", ".."), ".. holds scans, which it is to become"),
        (None, ("-o", "scans", "nowhere"), "nowhere does not exist"),
        (None, ("SOURCE",), "is outside the project"),
        (None, ("-o", "x", "SOURCE", "SOURCE/a"), "--to-remote takes one file or directory"),
        (None, ("-o", ".git/x", "SOURCE"), ".git"),
    ],
)
def test_refused(
    cli: CommandLine,
    outside: Path,
    tmp_path: Path,
    before: Callable[[CommandLine], None] | None,
    argv: tuple[str, ...],
    words: str,
) -> None:
    if before is not None:
        before(cli)
    ran = cli("add", "--to-remote", *(each.replace("SOURCE", str(outside)) for each in argv))
    assert ran.code in (2, 4, 6), ran
    assert words in ran.err
    assert not (tmp_path / "origin").exists(), "nothing was sent"


def test_a_link_is_named_or_followed_by_name(cli: CommandLine, outside: Path) -> None:
    (cli.at / "there").symlink_to(outside)
    ran = cli("add", "--to-remote", "there")
    assert "there is a symbolic link" in ran.err
    cli.done("add", "--to-remote", "-o", "scans", "there")
    assert cli.done("list", "-R", "scans").split()


def test_links_into_the_cache_are_the_files_that_they_stand_for(cli: CommandLine, outside: Path) -> None:
    cli.done("config", "--local", "cache.type", "symlink")
    cli.done("add", "-q", "-o", "scans", str(outside))
    cli.done("checkout", "--relink")
    assert (cli.at / "scans" / "deep" / "large").is_symlink()
    (cli.at / "scans" / "a").unlink()
    (cli.at / "scans" / "a").write_bytes(b"changed\n")
    cli.done("add", "-q", "-o", "one", str(outside / "deep" / "large"))
    cli.done("checkout", "--relink", "one")
    assert "hint: `dvtool push one` sends it\n" in cli("add", "--to-remote", "one").err
    cli.done("remove", "one")
    cli.done("add", "--to-remote", "scans")
    clone = colleague(cli)
    clone.done("pull")
    assert (clone.at / "scans" / "deep" / "large").read_bytes() == FILES["deep/large"]
    assert (clone.at / "scans" / "a").read_bytes() == b"changed\n"
    assert (clone.at / "scans" / "link").is_symlink()


def test_undo_takes_the_pointer_back(cli: CommandLine, outside: Path) -> None:
    cli.done("add", "--to-remote", "-o", "scans", str(outside))
    cli.done("undo")
    assert not (cli.at / "scans.dvt").exists()
