"""Everything that the test bench can do to dvtool, in parts: ``python -m tests.faults.torture [NAME ...]``.

Each part runs in a process of its own, two at a time, and its counts go into ``.torture/state.json`` at once: run it
again after a stop and only what is missing or went wrong is done. Parts that ran on other sources are done anew, unless
``--keep`` is given. At the end the table in ``docs/explanation/torture.md`` is written. NAME chooses the parts whose
names contain it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from typing import NamedTuple

from tests.conftest import hermetic_environment
from tests.conftest import make_directories
from tests.crash.busy import BUSY
from tests.crash.cases import CASES
from tests.crash.cases import LINKS
from tests.crash.together import gc_beside
from tests.crash.together import rewrites
from tests.crash.together import same_tree
from tests.faults.cuts import CutSweep
from tests.faults.cuts import http_line
from tests.faults.cuts import s3_line
from tests.faults.cuts import webdav_line
from tests.faults.cutting import CuttingRelay
from tests.faults.injector import FAULTS
from tests.faults.injector import Injector
from tests.faults.network import NetworkSweep
from tests.faults.power import PowerSweep
from tests.faults.proxy import KINDS
from tests.faults.proxy import Kind
from tests.faults.proxy import Proxy
from tests.faults.report import write_report
from tests.faults.sweep import Sweep
from tests.faults.sweep import Tally
from tests.fuzz import guided
from tests.fuzz.targets import TARGETS
from tests.support.mounts import whole_seconds

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".torture/state.json"
WHOLE_TESTS = ("tests/hostile", "tests/fuzz", "tests/property/test_two_clones.py")
"""Tests that do a small part of their work unless ``DVTOOL_TORTURE`` is 1."""
KILLS = 400
"""Random kills of each busy command."""
STRIDE = 4
"""Of the calls that fail, every so many-th where files are linked; all where they are copied. It is killed at every."""

CUT = (("push", "S3"), ("pull", "S3"), ("push", "WebDAV"), ("pull", "WebDAV"), ("pull", "HTTP"))
"""What is cut at random."""
CUT_RUNS = 100
"""Runs of each."""

_SOURCES = ("dvtool", "tests/faults", "tests/crash", "tests/fuzz", "tests/hostile")
_MEMORY = Path("/dev/shm")
_XFS_BYTES = 400 << 20


class Part(NamedTuple):
    """``group``: the table that it belongs to. ``run`` gets an empty directory. ``xfs``: that lies on XFS."""

    group: str
    name: str
    run: Callable[[Path], list[Tally]]
    xfs: bool = False


def parts() -> list[Part]:
    """All there is, the longest first."""
    found = [_faults(case, link) for link in LINKS for case in CASES if link == "copy" or not case.plain]
    found += [_power(case) for case in CASES if not (case.stages or case.starts)]
    found += [_killed(case) for case in BUSY]
    found += [_network(verb, kind) for kind in KINDS for verb in ("push", "pull")]
    found += [_cuts(verb, kind) for verb, kind in CUT]
    found += [
        Part("together", "together same tree", lambda at: [same_tree(at, processes=16, files=10_000, rounds=20)]),
        Part("together", "together gc beside", lambda at: [gc_beside(at, rounds=500)]),
        Part("rewrites", "rewrites seen", _rewrites),
        Part("fuzz", "fuzz atheris", _fuzz),
        *(_tests(what) for what in WHOLE_TESTS),
    ]
    return found


def _faults(case: Any, link: str) -> Part:
    def run(folder: Path) -> list[Tally]:
        with Injector(folder) as injector:
            sweep = Sweep(injector, folder, case, link=link, full=True, stride=1 if link == "copy" else STRIDE)
            return [sweep.run(fault) for fault in FAULTS]

    return Part("faults", f"faults {case.name} {link}", run, xfs=link == "reflink")


def _power(case: Any) -> Part:
    def run(folder: Path) -> list[Tally]:
        with Injector(folder) as injector:
            sweep = PowerSweep(injector, folder, case)
            tally = sweep.tally()
            sweep.run(tally, sweep.losses())
            return [tally]

    return Part("power", f"power {case.name}", run)


def _killed(case: Any) -> Part:
    def run(folder: Path) -> list[Tally]:
        with Injector(folder) as injector:
            return [Sweep(injector, folder, case).run_killed(KILLS)]

    return Part("kills", f"kills {case.name}", run)


def _network(verb: str, kind: Kind) -> Part:
    def run(folder: Path) -> list[Tally]:
        from tests.support.seaweed import serving

        with ExitStack() as stack:
            injector = stack.enter_context(Injector(folder))
            seaweed = stack.enter_context(serving(folder / "seaweed"))
            proxy = stack.enter_context(Proxy(seaweed.endpoint))
            sweep = NetworkSweep(injector, folder / "network", seaweed, proxy)
            return [sweep.push(kind) if verb == "push" else sweep.pull(kind)]

    return Part("network", f"network {verb} {kind}", run)


def _cuts(verb: str, kind: str) -> Part:
    def run(folder: Path) -> list[Tally]:
        from tests.support import nginx
        from tests.support import seaweed

        with ExitStack() as stack:
            injector = stack.enter_context(Injector(folder))
            (folder / "server").mkdir()
            if kind == "S3":
                line = s3_line(stack.enter_context(seaweed.serving(folder / "server")))
            else:
                server = stack.enter_context(nginx.serving(folder / "server"))
                line = webdav_line(server) if kind == "WebDAV" else http_line(server)
            relay = stack.enter_context(CuttingRelay(line.server))
            sweep = CutSweep(injector, folder / "cuts", line, relay)
            return [sweep.push(CUT_RUNS) if verb == "push" else sweep.pull(CUT_RUNS)]

    return Part("cuts", f"cuts {verb} {kind}", run)


def _rewrites(folder: Path) -> list[Tally]:
    with whole_seconds(folder) as coarse:
        found = [rewrites(folder / str(old), count=1_000, old_time=old) for old in (False, True)]
        if coarse is not None:
            there = [rewrites(coarse / str(old), count=1_000, old_time=old) for old in (False, True)]
            found += [replace(tally, fault=f"{tally.fault}, times in whole seconds") for tally in there]
        return found


def _fuzz(folder: Path) -> list[Tally]:
    found = []
    for target in TARGETS:
        place = folder / target.name
        place.mkdir()
        done = guided.run(target.name, place)
        found.append(Tally(target.name, "atheris", hit=done.runs, violations=[done.problem] * bool(done.problem)))
    return found


def _tests(what: str) -> Part:
    def run(folder: Path) -> list[Tally]:
        # A whole run may take longer than what ends a test that hangs.
        options = ["-q", "-p", "no:cacheprovider", "-o", "faulthandler_timeout=0", "--basetemp", str(folder / "tests")]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, what],
            cwd=ROOT,
            env={**os.environ, "DVTOOL_TORTURE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        passed = re.search(r"(\d+) passed", done.stdout)
        violations = [f"{what}: {done.stdout[-2_000:]}{done.stderr[-1_000:]}"] * (done.returncode != 0)
        return [Tally(what, "whole", hit=int(passed[1]) if passed else 0, violations=violations)]

    return Part("tests", f"tests {Path(what).stem}", run)


def main() -> int:
    """Run what is missing; exit code 1 when a promise was broken or a part failed."""
    parser = argparse.ArgumentParser(prog="make torture", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts whose name contains one of these; all without")
    parser.add_argument("--keep", action="store_true", help="keep the results of parts that ran on other sources")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="parts at once; default: one a processor")
    parser.add_argument("--again", action="store_true", help="do the chosen parts even if they are done")
    parser.add_argument("--report", action="store_true", help="run nothing, write the table")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        return _run_one(asked.one)
    chosen = [part for part in parts() if not asked.names or any(name in part.name for name in asked.names)]
    reasons = {part.name: _why_not(part) for part in chosen}
    for name, reason in reasons.items():
        if reason:
            print(f"{name}: passed over, {reason}", flush=True)
    chosen = [part for part in chosen if not reasons[part.name]]
    state = _State(keep=asked.keep)
    todo = [] if asked.report else [part for part in chosen if asked.again or state.violations(part.name)]
    print(f"{len(todo)} of {len(chosen)} parts to do, {asked.jobs} at once", flush=True)
    with ThreadPoolExecutor(asked.jobs) as pool:
        for _ in pool.map(lambda part: _run_apart(part, state), todo):
            pass
    write_report(ROOT / "docs/explanation/torture.md", state.results(parts()), _environment())
    bad = [line for part in chosen for line in state.violations(part.name)]
    print("\n".join(bad[:100]))
    print(f"{len(bad)} violations")
    return 1 if bad or any(not state.has(part.name) for part in chosen) else 0


class _State:
    def __init__(self, *, keep: bool) -> None:
        self._guard = threading.Lock()
        self._sources = _fingerprint()
        self._parts: dict[str, Any] = json.loads(STATE.read_text()) if STATE.exists() else {}
        if not keep:
            self._parts = {name: one for name, one in self._parts.items() if one["sources"] == self._sources}

    def has(self, name: str) -> bool:
        return name in self._parts

    def put(self, name: str, tallies: list[dict[str, Any]], seconds: float) -> None:
        with self._guard:
            self._parts[name] = {"sources": self._sources, "seconds": round(seconds, 1), "tallies": tallies}
            STATE.parent.mkdir(exist_ok=True)
            new = STATE.with_suffix(".new")
            new.write_text(json.dumps(self._parts, indent=1))
            new.replace(STATE)

    def violations(self, name: str) -> list[str]:
        if name not in self._parts:
            return [f"{name}: did not come to its end"]
        return [line for tally in self._parts[name]["tallies"] for line in tally["violations"]]

    def results(self, all_parts: list[Part]) -> list[tuple[str, str, dict[str, Any] | None]]:
        """Group, name and result of each part; None for one that was not run."""
        return [(part.group, part.name, self._parts.get(part.name)) for part in all_parts]


def _why_not(part: Part) -> str:
    """The reason why this machine cannot run it; empty where it can."""
    if part.xfs and (os.geteuid() != 0 or not shutil.which("mkfs.xfs") or not shutil.which("unshare")):
        return "it needs root, unshare and mkfs.xfs"
    return guided.why_not() if part.group == "fuzz" else ""


def _run_apart(part: Part, state: _State) -> None:
    argv = [sys.executable, "-m", "tests.faults.torture", "--one", part.name]
    if part.xfs:
        # The mount is seen by that process alone, and goes with it.
        argv = ["unshare", "--mount", *argv]
    started = time.monotonic()
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    try:
        tallies = json.loads(done.stdout.rpartition("\n#")[2])
    except ValueError:
        print(f"{part.name}: FAILED after {seconds:.0f} s\n{done.stdout[-2000:]}{done.stderr[-4000:]}", flush=True)
        return
    state.put(part.name, tallies, seconds)
    points, bad = sum(one["hit"] for one in tallies), sum(len(one["violations"]) for one in tallies)
    print(f"{part.name}: {points} faults, {bad} violations, {seconds:.0f} s", flush=True)


def _run_one(name: str) -> int:
    # Ended from outside, it takes away what it made.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    part = next(part for part in parts() if part.name == name)
    base = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="dvtool-torture-", dir=base) as place:
        world = Path(place) / "world"
        folder = Path(place) / "part"
        folder.mkdir()
        if part.xfs:
            _mount_xfs(Path(place) / "xfs.img", folder)
        environment = hermetic_environment(world)
        make_directories(environment, world)
        for variable in [one for one in os.environ if one.startswith(("GIT_", "AWS_", "DVTOOL_", "XDG_"))]:
            del os.environ[variable]
        os.environ.update(environment)
        tempfile.tempdir = None
        try:
            tallies = part.run(folder)
        finally:
            if part.xfs:
                subprocess.run(["umount", "--lazy", folder], check=True)
    print("\n#" + json.dumps([vars(tally) for tally in tallies]))
    return 0


def _mount_xfs(image: Path, folder: Path) -> None:
    with image.open("wb") as file:
        file.truncate(_XFS_BYTES)
    subprocess.run(["mkfs.xfs", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for top in _SOURCES:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".py", ".c"):
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _environment() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (
        f"{platform.system()} {platform.release().partition('-')[0]}, {platform.machine()}, "
        f"{os.cpu_count()} processors, {memory:.0f} GB of memory, Python {platform.python_version()}; "
        "the files lay in memory (tmpfs), for reflinks on XFS in a loop mount"
    )


if __name__ == "__main__":
    sys.exit(main())
