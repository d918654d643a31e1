"""Directories of other people on every kind of server: imported by their URL, looked at again, brought up to date."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from dvtool.model.ports import Remote
from dvtool.remote.address import Address
from dvtool.remote.keys import ANY
from dvtool.remote.keys import Keyed
from dvtool.remote.table import open_bare
from tests.support import remotekinds
from tests.support.cli import CommandLine
from tests.support.cli import git_project
from tests.support.datarepo import DataRepo
from tests.support.remotekinds import KINDS
from tests.support.remotestory import Where

globals().update({fixture.__name__: fixture for fixture in remotekinds.FIXTURES})

FILES = {
    "rows.csv": b"1,2\n" * 50_000,
    "empty": b"",
    "deep/er/größe 1.csv": "größe\n".encode(),
    "deep/a+b&c%20(1)'~.txt": b"awkward",
    "deep/#x@y=1,2;3$!.bin": b"more so",
    ".hidden/.file": b"dots",
    "tmp/not ours": b"what we would call unfinished",
    "large.bin": os.urandom(9 << 20),
}
NO_DIRECTORIES = ("http", "gdrive")
HIDE_DOTS = ("webdav",)
"""nginx lists no name that begins with a dot."""
NO_TAGS = ("ssh", "webdav", "ftp")
"""A file that was changed within the hour is read again with whatever else changed: a second may hold two versions."""


class Place:
    """A directory ``raw`` below the remote ``up`` of a project, as others fill it."""

    def __init__(self, kind: str, where: Where, project: DataRepo) -> None:
        self.kind = kind
        self._where = where
        self.project = project
        cli = project.cli = CommandLine(project.at, dict(where.environ))
        cli.done("remote", "add", "-q", "-d", "--local", "up", where.url)
        for name, value in where.settings.items():
            cli.done("remote", "modify", "-q", "--local", "up", name, value)

    @property
    def listed(self) -> dict[str, bytes]:
        """Those of `FILES` that the server lists."""
        return {name: data for name, data in FILES.items() if name[0] != "." or self.kind not in HIDE_DOTS}

    @property
    def is_escaped(self) -> bool:
        """Whether its URLs are written with ``%20``."""
        return self.kind in ("smb", "ssh", "webdav")

    def written(self, name: str) -> str:
        """*name* as it stands in a URL there."""
        return quote(name) if self.is_escaped else name

    def put(self, files: dict[str, bytes]) -> None:
        self._work(lambda remote: [remote.put(f"raw/{name}", data) for name, data in files.items()])

    def delete(self, name: str) -> None:
        self._work(lambda remote: remote.delete(f"raw/{name}"))

    def _work(self, work: Callable[[Remote], object]) -> None:
        settings = dict(self._where.settings)
        address = Address("up", self._where.url, settings, b"/", {**os.environ, **self._where.environ})
        with closing(open_bare(address)) as driver:
            assert isinstance(driver, Keyed)
            driver.keys = ANY
            work(driver)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.fixture(params=[kind for kind in KINDS if kind not in NO_DIRECTORIES])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    (tmp_path / "remote").mkdir()
    project = DataRepo(tmp_path / "project", git_project(tmp_path / "project"))
    found = Place(request.param, KINDS[request.param](request, tmp_path).where, project)
    found.put(FILES)
    return found


def test_a_directory_comes_whole_and_then_only_what_changed(place: Place) -> None:
    project = place.project
    first = project.json("import-url", "remote://up/raw")
    assert (first["path"], first["kind"], first["files"]) == ("raw", "directory", len(place.listed))
    assert first["bytes_received"] == sum(map(len, place.listed.values()))
    assert files_in(project.at / "raw") == place.listed
    assert 'url: "remote://up/raw/"' in (project.at / "raw.dvt").read_text()
    project.commit("imported")
    assert [item["changed"] for item in project.json("update")["items"]] == [False]
    assert project.git("status", "--porcelain") == ""

    place.put({"deep/new.csv": b"new", "rows.csv": b"3,4\n"})
    place.delete("empty")
    assert "an update is available" in project.cli.done("update", "--dry-run")
    (item,) = project.json("update")["items"]
    assert item["changed"]
    later = {**place.listed, "deep/new.csv": b"new", "rows.csv": b"3,4\n"}
    del later["empty"]
    assert files_in(project.at / "raw") == later
    assert (item["bytes_received"] == len(b"new3,4\n")) == (place.kind not in NO_TAGS)


def test_a_directory_is_only_downloaded(place: Place, tmp_path: Path) -> None:
    got = place.project.json("get-url", "remote://up/raw/deep/", str(tmp_path / "got"))
    assert (got["kind"], got["files"]) == ("directory", 3)
    assert files_in(tmp_path / "got") == {
        name.removeprefix("deep/"): data for name, data in FILES.items() if name.startswith("deep/")
    }


def test_a_file_with_any_name(place: Place, tmp_path: Path) -> None:
    for number, name in enumerate(("deep/er/größe 1.csv", "deep/a+b&c%20(1)'~.txt", ".hidden/.file")):
        place.project.cli.done("get-url", f"remote://up/raw/{place.written(name)}", str(tmp_path / f"{number}"))
        assert (tmp_path / f"{number}").read_bytes() == FILES[name]


def test_what_is_not_there(place: Place) -> None:
    for name in ("raw/nope", "raw/nope/", "nope/at/all/"):
        ran = place.project.cli("import-url", f"remote://up/{name}")
        assert ran.code in (4, 7), ran
        assert "Traceback" not in ran.err
    assert place.project.git("status", "--porcelain", "raw", "nope") == ""
