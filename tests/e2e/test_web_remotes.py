"""What users do with a plain web server and with WebDAV."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.cli import CommandLine
from tests.support.nginx import PASSWORD
from tests.support.nginx import USER
from tests.support.nginx import Nginx
from tests.support.remotestory import Where
from tests.support.remotestory import assert_one_line
from tests.support.remotestory import clone_of
from tests.support.remotestory import nobody_listens
from tests.support.remotestory import project
from tests.support.remotestory import refuses_absent_server
from tests.support.remotestory import refuses_credentials
from tests.support.remotestory import refuses_push
from tests.support.remotestory import run_story
from tests.support.seaweed import Seaweed
from tests.support.trees import tree_of


def directory(nginx: Nginx, place: str) -> Where:
    return Where(str(nginx.directory(place)), {}, {})


def test_http(nginx: Nginx, tmp_path: Path) -> None:
    place = nginx.new_place()
    run_story(tmp_path, nginx.url(place), pushed_to=directory(nginx, place), prepare=("remote", "catalog"))


def test_https_with_a_login_and_without_ranges(nginx: Nginx, tmp_path: Path) -> None:
    place = nginx.new_place()
    settings = {"user": USER, "password": PASSWORD, "ssl_verify": str(nginx.authority)}
    login = nginx.url(place, "files-login", "https")
    run_story(tmp_path, login, settings, pushed_to=directory(nginx, place), prepare=("remote", "catalog"))
    bob = CommandLine(tmp_path / "bob", {})
    bob.done("config", "--local", "remote.origin.url", nginx.url(place, "files-whole"))
    before = tree_of(bob.at / "data")
    for name in ("data", ".git/dvtool/cache"):
        subprocess.run(["chmod", "-R", "u+w", name], cwd=bob.at, check=True)
        shutil.rmtree(bob.at / name)
    bob.done("pull")
    assert tree_of(bob.at / "data") == before


def test_http_refuses(nginx: Nginx, tmp_path: Path) -> None:
    place = nginx.new_place()
    refuses_push(tmp_path, nginx.url(place))
    with nobody_listens() as port:
        bob = clone_of(_pushed(nginx, place, tmp_path), tmp_path / "bob", Where(f"http://127.0.0.1:{port}/x", {}, {}))
        assert_one_line(bob("pull"), ["127.0.0.1"])


def test_http_needs_a_store_a_catalog_and_the_right_login(nginx: Nginx, tmp_path: Path) -> None:
    place = nginx.new_place()
    ann = _pushed(nginx, place, tmp_path)
    bob = clone_of(ann, tmp_path / "bob", Where(nginx.url(place), {}, {}))
    assert_one_line(bob("pull"), ["no catalog"], ["dvtool remote catalog"])
    bob.done("config", "--local", "remote.origin.url", nginx.url(f"{place}/elsewhere"))
    assert_one_line(bob("pull"), ["no store"], ["dvtool-store.json"])
    bob.done("config", "--local", "remote.origin.url", nginx.url(place, "files-login"))
    assert_one_line(bob("pull"), ["401"], ["no credentials", "netrc"])


def test_webdav(nginx: Nginx, tmp_path: Path) -> None:
    place = nginx.new_place()
    settings = {"user": USER, "password": PASSWORD, "ssl_verify": str(nginx.authority)}
    run_story(tmp_path, nginx.url(place, "dav-login", "webdavs"), settings)


def test_webdav_on_seaweedfs(seaweed: Seaweed, tmp_path: Path) -> None:
    run_story(tmp_path, seaweed.new_webdav_url())


def test_webdav_refuses(nginx: Nginx, tmp_path: Path) -> None:
    url = nginx.url(nginx.new_place(), "dav-login", "webdav")
    wrong = {"user": USER, "password": "not-the-password"}
    refuses_credentials(tmp_path, url, wrong, words=["401"], hint=["tried", USER], hidden=["not-the-password"])
    with nobody_listens() as port:
        (tmp_path / "absent").mkdir()
        refuses_absent_server(tmp_path / "absent", f"webdav://127.0.0.1:{port}/x", words=["127.0.0.1"])


def _pushed(nginx: Nginx, place: str, tmp_path: Path) -> CommandLine:
    ann = project(tmp_path / "ann", directory(nginx, place), {"a": "a\n"})
    ann.done("push")
    return ann
