"""``dvtool remote test``: what it says, and that it leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.ftpd import Ftpd
from tests.support.ftpd import ftpd
from tests.support.nginx import Nginx
from tests.support.nginx import nginx
from tests.support.remotestory import assert_one_line
from tests.support.remotestory import nobody_listens
from tests.support.trees import tree_of

__all__ = ["ftpd", "nginx"]

QUICK = ("--size", "1", "--keys", "20")


def with_remote(at: Path, url: str, settings: dict[str, str] | None = None) -> CommandLine:
    cli = git_project(at)
    cli.done("remote", "add", "-d", "origin", url)
    for key, value in (settings or {}).items():
        cli.done("config", "--local", f"remote.origin.{key}", value)
    return cli


def test_a_directory(tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    (tmp_path / "remote/kept").write_bytes(b"x")
    cli = with_remote(tmp_path / "project", str(tmp_path / "remote"))
    before = tree_of(tmp_path / "project/.git/dvtool", without=())
    ran = cli("remote", "test", *QUICK, "origin")
    assert ran.code == 0, ran
    assert "25 of 25 checks" in ran.out and "20 keys" in ran.out
    assert "down" in ran.out and "writes" in ran.out
    assert "lacks" not in ran.out and "fails" not in ran.out
    assert tree_of(tmp_path / "remote") == {b"kept": b"x", b"tmp": {}}
    assert tree_of(tmp_path / "project/.git/dvtool", without=()) == before


def test_as_json(tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    cli = with_remote(tmp_path / "project", str(tmp_path / "remote"))
    document = cli("remote", "test", "--json", *QUICK).document
    assert (document["schema"], document["works"], document["listed"]) == ("dvtool/remote-test/1", True, 20)
    assert {check["state"] for check in document["checks"]} == {"works"}
    assert "one-first" in {check["name"] for check in document["checks"]}
    assert (document["lacks"], document["left"]) == ([], [])
    assert document["capabilities"]["create_only"]
    assert document["speed"]["received"] > 0


def test_what_a_remote_lacks(tmp_path: Path, ftpd: Ftpd) -> None:
    cli = with_remote(tmp_path / "project", ftpd.new_url(), ftpd.settings)
    ran = cli("remote", "test", *QUICK)
    assert ran.code == 0, ran
    assert "two first pushes at the same moment" in ran.out
    assert "`gc --cloud` is refused" in ran.out


def test_a_remote_that_breaks_its_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvtool.remote.drivers.local import LocalRemote

    (tmp_path / "remote").mkdir()
    monkeypatch.setattr(LocalRemote, "delete", lambda self, key: None)
    cli = with_remote(tmp_path / "project", str(tmp_path / "remote"))
    ran = cli("remote", "test", *QUICK)
    assert ran.code == 1
    assert "fails      deleting, also what is absent: a deleted key is still there" in ran.out


def test_a_remote_that_only_reads(tmp_path: Path, nginx: Nginx) -> None:
    place = nginx.new_place()
    cli = with_remote(tmp_path / "project", nginx.url(place))
    nothing = cli("remote", "test")
    assert_one_line(nothing, ["dvtool-store.json"], code=4)
    cli.done("remote", "add", "disk", str(nginx.directory(place)))
    (tmp_path / "project/file").write_text("x")
    cli.done("add", "file")
    cli.done("push", "-r", "disk")
    before = tree_of(nginx.directory(place))
    ran = cli("remote", "test")
    assert ran.code == 0, ran
    assert "3 of 3 checks" in ran.out
    assert "it can only be pulled from" in ran.out
    assert "writes" not in ran.out
    assert tree_of(nginx.directory(place)) == before


def test_what_stands_in_the_way_is_told_in_one_line(tmp_path: Path) -> None:
    cli = with_remote(tmp_path / "project", str(tmp_path / "not/mounted"))
    assert_one_line(cli("remote", "test"), ["is it mounted"])
    with nobody_listens() as port:
        cli = with_remote(tmp_path / "another", "s3://b/x", {"endpointurl": f"http://127.0.0.1:{port}"})
        ran = cli("remote", "test", environ={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"})
        assert_one_line(ran, ["cannot be reached"])


@pytest.mark.parametrize("options", ["[1]", "{", '"text"'])
def test_options_of_a_protocol_are_a_json_object(tmp_path: Path, options: str) -> None:
    cli = with_remote(tmp_path / "project", "ftp://127.0.0.1/x", {"fs_options": options})
    assert_one_line(cli("remote", "test"), ["fs_options is not a JSON object"], code=9)


def test_options_of_a_protocol_that_it_does_not_take(tmp_path: Path) -> None:
    cli = with_remote(tmp_path / "project", "webhdfs://127.0.0.1/x", {"fs_options": '{"token": "hush", "frob": 1}'})
    ran = cli("remote", "test")
    assert ran.code != 0 and "hush" not in ran.err and "Traceback" not in ran.err
