"""How large files are cut: by path (``core.unchunked``) and by remote (``remote.NAME.chunk``)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.formats.pack import RECIPE
from dvtool.formats.recipe import FASTCDC
from dvtool.formats.recipe import FIXED
from dvtool.formats.recipe import decode_recipe
from dvtool.hashing.digests import object_id
from dvtool.store.cache import Cache
from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.datasets import content

FILES = {"data/images.zip": content("zip", 5_000_000), "data/rows.bin": content("rows", 5_000_000)}


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    cli = git_project(tmp_path / "repo")
    (cli.at / "data").mkdir()
    for name, data in FILES.items():
        (cli.at / name).write_bytes(data)
    cli.done("add", "-q", "data")
    cli.done("remote", "add", "-q", "-d", "origin", str(tmp_path / "origin"))
    return cli


def chunkers(cli: CommandLine) -> list[int]:
    cache = Cache(os.fsencode(cli.done("cache", "dir").strip()))
    keys = map(object_id, FILES.values())
    return [decode_recipe(cache.read_meta(key, RECIPE), "test").chunker for key in keys]


def test_a_path(cli: CommandLine) -> None:
    cli.done("config", "core.unchunked", "*.zip, backups/")
    cli.done("push", "-q")
    assert chunkers(cli) == [FIXED, FASTCDC]


def test_a_remote(cli: CommandLine) -> None:
    cli.done("config", "remote.origin.chunk", "false")
    cli.done("push", "-q")
    assert chunkers(cli) == [FIXED, FIXED]


def test_a_file_that_goes_straight_to_the_remote(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(FILES["data/images.zip"])
    (tmp_path / "two").write_bytes(FILES["data/rows.bin"])
    cli.done("config", "core.unchunked", "*.zip")
    cli.done("add", "-q", "--to-remote", "-o", "one.zip", str(tmp_path / "one"))
    cli.done("add", "-q", "--to-remote", "-o", "two.bin", str(tmp_path / "two"))
    assert chunkers(cli) == [FIXED, FASTCDC]
