"""Versions in a workbench, and collections there."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace

from dvtool.api.gc import GcRequest
from dvtool.api.gc import GcResult
from dvtool.api.gc import gc
from dvtool.project.keeping import KeepRules
from dvtool.store.collect import survey
from tests.support.workbench import Workbench

WORKSPACE = KeepRules()
ALL = GcRequest(WORKSPACE, grace=0.0, now=time.time() + 1_000)


def version(bench: Workbench, number: int) -> str:
    """A commit with a directory of which half the files are its own, and a large file."""
    files = {f"f{index}": f"{index} {number if index % 2 else ''}\n" * 200 for index in range(20)}
    bench.create({"d": files, "big": f"{number}" * 200_000})
    bench.add("d", "big")
    bench.commit(f"version {number}")
    return bench.git("rev-parse", "HEAD").strip()


def collect(bench: Workbench, rules: KeepRules = WORKSPACE, **changes: object) -> GcResult:
    return gc(bench.project, replace(ALL, rules=rules, **changes))  # type: ignore[arg-type]


def digests(bench: Workbench) -> set[bytes]:
    """Every object of the cache."""
    found: set[bytes] = set()

    def note(digest: bytes) -> bool:
        found.add(digest)
        return True

    survey(bench.cache, note, float("inf"))
    return found


def comes_back(bench: Workbench, rev: str) -> bool:
    bench.git("checkout", "-q", "-f", rev)
    shutil.rmtree(bench.root / "d", ignore_errors=True)
    (bench.root / "big").unlink(missing_ok=True)
    return not bench.checkout(force=True).missing
