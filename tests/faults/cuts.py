"""push and pull while connections break at random: they end well, and carry little more than they must."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.faults.cutting import CuttingRelay
from tests.faults.cutting import random_points
from tests.faults.injector import Injector
from tests.faults.injector import Outcome
from tests.faults.sweep import Tally
from tests.faults.world import read_files
from tests.support.nginx import Nginx
from tests.support.remotestory import Where
from tests.support.remotestory import noise
from tests.support.seaweed import Seaweed
from tests.support.trees import create_tree

MOST = 1.3
"""Times the bytes of a run that is not cut."""
_PACKS = 8
"""Tracked directories, each with a pack of its own: the most that one cut can waste where uploads cannot go on."""
_FILES = 50
_FILE_BYTES = 60_000


class Line(NamedTuple):
    """A kind of remote behind a relay.

    ``server``: its ``host:port``. ``place`` makes a new place and says where it is, given the port
    to go through. ``directory``: where the data of a URL is written that can only be read.
    """

    name: str
    server: str
    place: Callable[[int], Where]
    directory: Callable[[str], Path] | None = None


def s3_line(seaweed: Seaweed) -> Line:
    def place(port: int) -> Where:
        settings = {**seaweed.settings, "endpointurl": f"http://127.0.0.1:{port}"}
        return Where(seaweed.new_url(), settings, {})

    return Line("S3", seaweed.endpoint.partition("//")[2], place)


def webdav_line(nginx: Nginx) -> Line:
    def place(port: int) -> Where:
        return Where(f"webdav://127.0.0.1:{port}/dav/{nginx.new_place()}", {}, {})

    return Line("WebDAV", f"127.0.0.1:{nginx.port}", place)


def http_line(nginx: Nginx) -> Line:
    """It is written into the directory that the server shows."""

    def place(port: int) -> Where:
        return Where(f"http://127.0.0.1:{port}/files/{nginx.new_place()}", {}, {})

    return Line("HTTP", f"127.0.0.1:{nginx.port}", place, lambda url: nginx.directory(url.rpartition("/")[2]))


class CutSweep:
    """One project in *folder* and its clone, behind *relay*, which leads to the server of *line*."""

    def __init__(self, injector: Injector, folder: Path, line: Line, relay: CuttingRelay) -> None:
        self._injector = injector
        self._folder = folder
        self._line = line
        self._relay = relay
        self._repo = folder / "repo"
        self._clone = folder / "clone"
        self._repo.mkdir(parents=True)
        self._git("init", "-q")
        self._must("init")
        names = [f"d{number}" for number in range(_PACKS)]
        for name in names:
            tree = {f"{number:02}": noise(f"{name} {number}", _FILE_BYTES) for number in range(_FILES)}
            create_tree(self._repo / name, tree)
            self._must("add", name)
        self._git("add", ".")
        self._git("commit", "-q", "-m", "data")
        self._names = names
        self._data = {name: read_files(self._repo / name) for name in names}

    def push(self, times: int) -> Tally:
        """So many pushes to a new place each, cut once or twice, and compared with one that is not cut."""
        tally = Tally(f"push over {self._line.name}", "cuts at random")
        carried = self._push(())[1]
        for number in range(times):
            met, again = self._push(random_points(f"push {number}", carried, 1 + number % 2))
            self._judge(tally, f"push {number}", met, again / carried)
            if met.code == 0 and (found := self._run("fsck", "--remote", "origin")).code != 0:
                tally.violations.append(f"push {number}: fsck of the remote ended with {found.code}: {found.err}")
        return _with_most(tally)

    def pull(self, times: int) -> Tally:
        """So many pulls into a new clone each, from one place."""
        tally = Tally(f"pull over {self._line.name}", "cuts at random")
        where = self._new_place()
        if self._line.directory is not None:
            self._set("url", str(self._line.directory(where.url)))
        self._must("push")
        if self._line.directory is not None:
            self._must("remote", "catalog")
            self._set("url", where.url)
        self._git("commit", "-q", "-a", "--allow-empty", "-m", "remote")
        carried = self._pull(())[1]
        for number in range(times):
            met, again = self._pull(random_points(f"pull {number}", carried, 1 + number % 2))
            self._judge(tally, f"pull {number}", met, again / carried)
            if met.code == 0 and {name: read_files(self._clone / name) for name in self._names} != self._data:
                tally.violations.append(f"pull {number}: the files are not those that were pushed")
        return _with_most(tally)

    def _push(self, points: list[int] | tuple[()]) -> tuple[Outcome, int]:
        self._new_place()
        shutil.rmtree(self._repo / ".git/dvtool/push", ignore_errors=True)
        return self._met(points, "push")

    def _pull(self, points: list[int] | tuple[()]) -> tuple[Outcome, int]:
        shutil.rmtree(self._clone, ignore_errors=True)
        self._git("clone", "-q", str(self._repo), str(self._clone), place=self._folder)
        (self._clone / ".git/dvtool").mkdir()
        shutil.copy(self._repo / ".git/dvtool/config", self._clone / ".git/dvtool/config")
        return self._met(points, "pull", place=self._clone)

    def _met(self, points: list[int] | tuple[()], *argv: str, place: Path | None = None) -> tuple[Outcome, int]:
        self._relay.arm(list(points))
        met = self._run(*argv, place=place)
        carried = self._relay.carried
        if not points:
            assert met.code == 0, met
        self._relay.arm([])
        return met, carried

    def _judge(self, tally: Tally, what: str, met: Outcome, times: float) -> None:
        tally.points += 1
        tally.hit += 1
        tally.calls = max(tally.calls, round(100 * times))
        if met.code != 0:
            tally.violations.append(f"{what}: ended with {met.code}: {met.err}")
        if times > MOST:
            tally.violations.append(f"{what}: carried {times:.2f} times the bytes of one that is not cut")

    def _new_place(self) -> Where:
        where = self._line.place(self._relay.port)
        self._set("url", where.url)
        for key, value in where.settings.items():
            self._set(key, value)
        self._must("config", "--local", "core.remote", "origin")
        return where

    def _set(self, key: str, value: str) -> None:
        self._must("config", "--local", f"remote.origin.{key}", value)

    def _run(self, *argv: str, place: Path | None = None) -> Outcome:
        return self._injector.run(argv, place or self._repo, below=self._folder)

    def _must(self, *argv: str, place: Path | None = None) -> None:
        done = self._run(*argv, place=place)
        assert done.code == 0, (argv, done)

    def _git(self, *argv: str, place: Path | None = None) -> None:
        subprocess.run(["git", *argv], cwd=place or self._repo, check=True, capture_output=True)


def _with_most(tally: Tally) -> Tally:
    """Its ``calls`` are the worst run's bytes in percent of those of one that was not cut."""
    tally.fault += f", at most {tally.calls / 100:.2f} times the bytes"
    return tally
