from __future__ import annotations

from pathlib import Path

from tests.support.cli import git_project
from tests.support.remotestory import assert_one_line


def test_it_is_written_renewed_and_removed(tmp_path: Path) -> None:
    cli = git_project(tmp_path / "project")
    (tmp_path / "remote").mkdir()
    cli.done("remote", "add", "-d", "origin", str(tmp_path / "remote"))
    assert_one_line(cli("remote", "catalog"), ["nothing was pushed"], ["dvtool push"], code=2)
    (cli.at / "a").write_text("a\n")
    cli.done("add", "a")
    cli.done("push")
    catalog = tmp_path / "remote/index/catalog"
    assert not catalog.exists()
    made = cli("remote", "catalog", "--json")
    assert made.document["key"] == "index/catalog" and made.document["indexes"] == 1
    first = catalog.read_bytes()
    (cli.at / "a").write_text("b\n")
    cli.done("add", "a")
    cli.done("push")
    assert catalog.read_bytes() != first
    cli.done("fsck", "--remote", "origin")
    cli.done("remote", "catalog", "origin", "--remove")
    assert not catalog.exists()


def test_a_web_server_cannot_have_one_written(tmp_path: Path) -> None:
    cli = git_project(tmp_path / "project")
    cli.done("remote", "add", "-d", "pub", "https://127.0.0.1:1/x")
    assert_one_line(cli("remote", "catalog"), ["can only be read"])
