"""push and pull over S3 through a network that goes wrong: what must hold afterwards."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.checker import Contents
from tests.faults.checker import read_store
from tests.faults.injector import Injector
from tests.faults.injector import Outcome
from tests.faults.proxy import Kind
from tests.faults.proxy import Proxy
from tests.faults.sweep import Tally
from tests.faults.world import content
from tests.faults.world import read_files
from tests.support.seaweed import Seaweed
from tests.support.trees import create_tree

_ENDS = (0, 3, 4, 7)
"""Done; or bytes are wrong, something is missing, the network failed."""


class NetworkSweep:
    """One project in *folder* and its clone. Pushes go to a new place each time, pulls come from one place."""

    def __init__(self, injector: Injector, folder: Path, seaweed: Seaweed, proxy: Proxy) -> None:
        self._injector = injector
        self._folder = folder
        self._seaweed = seaweed
        self._proxy = proxy
        self._numbers = itertools.count()
        self._repo = folder / "repo"
        self._clone = folder / "clone"
        self._repo.mkdir(parents=True)
        self._git("init", "-q")
        self._must("init")
        self._url = seaweed.new_url()
        self._must("remote", "add", "-d", "origin", self._url)
        for key, value in {"endpointurl": proxy.endpoint, "region": "us-east-1", "read_timeout": "1"}.items():
            self._must("config", f"remote.origin.{key}", value)
        create_tree(
            self._repo / "data",
            {
                **{f"{number:02}": content(f"small {number}", 3000) for number in range(20)},
                "loose": content("loose", 200 << 10),
                "cut": content("cut", (4 << 20) + 77),
            },
        )
        self._must("add", "data")
        self._git("add", ".")
        self._git("commit", "-q", "-m", "data")
        self._data = read_files(self._repo / "data")
        self._pointer = (self._repo / "data.dvt").read_bytes()

    def push(self, kind: Kind, points: int | None = None) -> Tally:
        """Every request of a push in turn meets *kind*, or so many of them."""
        tally = Tally("push over S3", kind)
        for at in self._points(tally, points, ("push",), fresh=self._new_place):
            self._new_place()
            self._proxy.arm(kind, at)
            met = self._run("push")
            if self._count(tally, met):
                tally.violations += (f"push {kind} {at} {self._proxy.met}: {one}" for one in self._after_push(met))
        return tally

    def pull(self, kind: Kind, points: int | None = None) -> Tally:
        """Every request of a pull in turn meets *kind*, or so many of them."""
        self._new_place()
        self._must("push")
        self._git("commit", "-q", "-a", "--allow-empty", "-m", "remote")
        tally = Tally("pull over S3", kind)
        for at in self._points(tally, points, ("pull",), fresh=self._new_clone):
            self._new_clone()
            self._proxy.arm(kind, at)
            met = self._run("pull", place=self._clone)
            if self._count(tally, met):
                tally.violations += (f"pull {kind} {at} {self._proxy.met}: {one}" for one in self._after_pull(met))
        return tally

    def _points(self, tally: Tally, points: int | None, argv: tuple[str, ...], fresh: Any) -> range:
        fresh()
        self._proxy.arm("none")
        self._must(*argv, place=self._clone if argv == ("pull",) else self._repo)
        tally.calls = self._proxy.requests
        step = 1 if points is None else max(1, tally.calls // points)
        # Not the very last requests: how many there are varies a little.
        offset = sum(map(ord, tally.case + tally.fault)) % max(1, step * 3 // 4)
        return range(1 + offset, tally.calls + 1, step)

    def _count(self, tally: Tally, met: Outcome) -> bool:
        tally.points += 1
        tally.hit += bool(self._proxy.fired)
        return bool(self._proxy.fired)

    def _new_place(self) -> None:
        self._url = self._seaweed.new_url()
        self._must("config", "remote.origin.url", self._url)
        shutil.rmtree(self._repo / ".git/dvtool/push", ignore_errors=True)

    def _new_clone(self) -> None:
        shutil.rmtree(self._clone, ignore_errors=True)
        self._git("clone", "-q", str(self._repo), str(self._clone), place=self._folder)

    def _after_push(self, met: Outcome) -> Iterator[str]:
        yield from _ending(met)
        held = self._remote()
        yield from held.problems
        if met.code == 0 and (lacks := held.lacks(self._pointer)):
            yield f"said that it succeeded, but the remote lacks {lacks}"
        self._proxy.arm("none")
        again = self._run("push")
        if again.code != 0:
            yield f"the next run ended with {again.code}: {again.err}"
            return
        held = self._remote()
        yield from held.problems
        if lacks := held.lacks(self._pointer):
            yield f"after the next run the remote lacks {lacks}"

    def _after_pull(self, met: Outcome) -> Iterator[str]:
        yield from _ending(met)
        data = read_files(self._clone / "data")
        wrong = [path for path, node in data.items() if self._data.get(path) != node]
        if wrong:
            yield f"wrong bytes in the worktree: {wrong}"
        yield from read_store(self._clone / ".git/dvtool/cache").problems
        if met.code == 0 and data != self._data:
            yield "said that it succeeded, but files are missing"
        self._proxy.arm("none")
        again = self._run("pull", place=self._clone)
        if again.code != 0:
            yield f"the next run ended with {again.code}: {again.err}"
        elif read_files(self._clone / "data") != self._data:
            yield "after the next run the files are not those that were pushed"

    def _remote(self) -> Contents:
        """What is on the server, by a way that does not lead through the proxy or the product."""
        from botocore.session import Session

        bucket, _, prefix = self._url.removeprefix("s3://").partition("/")
        folder = self._folder / f"remote{next(self._numbers)}"
        settings = self._seaweed.settings
        client = Session().create_client(
            "s3",
            endpoint_url=self._seaweed.endpoint,
            region_name=settings["region"],
            aws_access_key_id=settings["access_key_id"],
            aws_secret_access_key=settings["secret_access_key"],
        )
        try:
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
                for item in page.get("Contents", ()):
                    path = folder / item["Key"].removeprefix(f"{prefix}/")
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
        finally:
            client.close()
        found = read_store(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return found

    def _run(self, *argv: str, place: Path | None = None) -> Outcome:
        return self._injector.run(
            argv, place or self._repo, below=self._folder, environ=dict(self._seaweed.environment)
        )

    def _must(self, *argv: str, place: Path | None = None) -> None:
        done = self._run(*argv, place=place)
        assert done.code == 0, (argv, done)

    def _git(self, *argv: str, place: Path | None = None) -> None:
        import subprocess

        subprocess.run(["git", *argv], cwd=place or self._repo, check=True, capture_output=True)


def _ending(met: Outcome) -> Iterator[str]:
    if met.code not in _ENDS:
        yield f"exit code {met.code}: {met.err}"
    if met.code and "error: " not in met.err:
        yield f"no error shown: {met.err}"
    if "Traceback" in met.err or "bug in dvtool" in met.err:
        yield f"not meant for the user: {met.err}"
