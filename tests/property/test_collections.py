"""Random histories and keep rules: what is kept comes back, the plan is right to the byte, the trash gives all back."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dvtool.api.gc import GcRequest
from dvtool.api.gc import gc
from dvtool.project.keeping import KeepRules
from dvtool.store import trash
from tests.support.workbench import Workbench


class History:
    """Commits with a directory and a large file, on some branches, some of them tagged."""

    def __init__(self, bench: Workbench, source: random.Random) -> None:
        self._bench = bench
        self._source = source
        self.states: dict[str, dict[str, bytes]] = {}
        for number in range(source.randint(4, 6)):
            if number and source.random() < 0.3:
                bench.git("checkout", "-q", "-b", f"b{number}", source.choice(list(self.states)))
                bench.checkout(force=True)
            self._change()
            bench.add("d", "big")
            bench.commit(f"{number}")
            commit = bench.git("rev-parse", "HEAD").strip()
            self.states[commit] = self._state()
            if source.random() < 0.4:
                bench.git("tag", f"t{number}")

    def _change(self) -> None:
        top, source = self._bench.root / "d", self._source
        for _ in range(source.randint(1, 40)):
            path = top / source.choice(["x", "y", "z/w"]) / str(source.randint(0, 60))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.randbytes(source.choice([0, 10, 3000, 9000])))
        for path in sorted(top.rglob("*")):
            if path.is_file() and source.random() < 0.1:
                path.unlink()
        (self._bench.root / "big").write_bytes(source.randbytes(140_000 + source.randint(0, 3)))

    def _state(self) -> dict[str, bytes]:
        root = self._bench.root
        paths = [root / "big", *(root / "d").rglob("*")]
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()}

    def kept(self, rules: KeepRules) -> set[str]:
        """The commits that *rules* keep, as Git sees it."""
        git = self._bench.git
        found = {git("rev-parse", "HEAD").strip(), *rules.revs}
        for wanted, refs in ((rules.all_branches, "refs/heads"), (rules.all_tags, "refs/tags")):
            found.update(git("for-each-ref", "--format=%(objectname)", refs).split() if wanted else ())
        for rev in (rules.revs or ("HEAD",)) if rules.last else ():
            found.update(git("rev-list", "--first-parent", "-n", str(rules.last), rev).split())
        return found

    def comes_back(self, commit: str) -> bool:
        self._bench.git("checkout", "-q", "-f", commit)
        shutil.rmtree(self._bench.root / "d", ignore_errors=True)
        (self._bench.root / "big").unlink(missing_ok=True)
        return not self._bench.checkout(force=True).missing and self._state() == self.states[commit]


def stored_bytes(bench: Workbench) -> int:
    cache = bench.root / ".git" / "dvtool" / "cache"
    files = (path for name in ("data", "meta", "objects") for path in (cache / name).rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_kept_comes_back_and_so_does_what_went(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    bench = Workbench(tmp_path / "repo")
    history = History(bench, source)
    commits = list(history.states)
    rules = KeepRules(
        all_branches=source.random() < 0.3,
        all_tags=source.random() < 0.4,
        revs=tuple(source.sample(commits, source.randint(0, 2))),
        last=source.choice([0, 0, 2, 3]),
    )
    kept = history.kept(rules)
    request = GcRequest(rules, grace=0.0, now=time.time() + 100)
    before = stored_bytes(bench)
    dry = gc(bench.project, replace(request, dry_run=True))
    result = gc(bench.project, request)
    assert dry.plan == result.plan
    assert list(dry.objects) == list(result.objects)
    assert before - stored_bytes(bench) == result.bytes_freed
    came_back = {commit for commit in commits if history.comes_back(commit)}
    assert came_back == kept, "every version has bytes of its own"
    if result.run_id:
        trash.put_back(bench.cache, result.run_id)
        assert all(history.comes_back(commit) for commit in commits)
