"""Two clones and a remote under random work and kills: every kept revision comes back byte for byte."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from hypothesis import HealthCheck
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import rule

from dvtool.cli.table import VERBS
from dvtool.formats.records import ChunkerSettings
from dvtool.store.chunker import CHUNKED_FROM
from dvtool.store.chunker import cut
from tests.support.cli import CommandLine

Files = dict[str, bytes]
"""Contents by path."""

PATHS = ("a", "b", "d/x", "d/e/y", "w/1")
LARGE = random.Random(0).randbytes(5 << 20)
PIECES = tuple(piece for piece in cut(BytesIO(LARGE), ChunkerSettings()) if len(piece) < CHUNKED_FROM)
"""What LARGE is cut into: a file may be what a piece of another is."""
CONTENTS = (b"", b"one\n", b"two\n", b"large" * 40_000, b"cut in pieces" * 330_000)
WHO = st.sampled_from(("ann", "bob"))
VERBS_KILLED = ("add data", "push -A", "pull --force", "checkout --force", "fetch -A", "gc -A --force --grace 0")
WHOLE = os.environ.get("DVTOOL_TORTURE") == "1"


def files_of(directory: Path) -> Files:
    """The contents of the files below *directory*; what else is there is made by nobody here."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


class TwoClones(RuleBasedStateMachine):
    """``kept``: what each commit must give back. ``pushed``: the commits that the remote promised to keep."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.remote = self.place / "remote"
        self.remote.mkdir()
        subprocess.run(["git", "init", "-q", "--bare", self.place / "git"], check=True)
        self.kept: dict[str, Files] = {}
        self.pushed: set[str] = set()
        self.owner: dict[str, str] = {}

    def teardown(self) -> None:
        try:
            for who in ("ann", "bob"):
                self.everything_comes_back(who, self.place / who)
            self.git(self.place, "clone", "-q", "git", "fresh")
            self.everything_comes_back("", self.place / "fresh")
        finally:
            shutil.rmtree(self.place)

    @initialize()
    def begin(self) -> None:
        self.git(self.place, "clone", "-q", "git", "ann")
        self.dvtool("ann", "init", "-q")
        self.dvtool("ann", "config", "-q", "--local", "core.durability", "none")
        self.dvtool("ann", "remote", "add", "-q", "-d", "origin", "../remote")
        self.write("ann", "a", b"first\n")
        self.commit("ann", force=True)
        self.git(self.place / "ann", "push", "-q", "origin", "HEAD:main")
        self.git(self.place, "clone", "-q", "git", "bob")

    @rule(who=WHO, path=st.sampled_from(PATHS), content=st.sampled_from(CONTENTS))
    def write(self, who: str, path: str, content: bytes) -> None:
        target = self.place / who / "data" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(content)

    @rule(who=WHO, piece=st.sampled_from(PIECES))
    def write_what_is_part_of_another(self, who: str, piece: bytes) -> None:
        self.write(who, "d/x", LARGE)
        self.write(who, "b", piece)

    @rule(who=WHO, path=st.sampled_from(PATHS))
    def edit(self, who: str, path: str) -> None:
        target = self.place / who / "data" / path
        if target.is_file():
            with open(target, "ab") as file:
                file.write(b"more\n")

    @rule(who=WHO, path=st.sampled_from(PATHS))
    def delete(self, who: str, path: str) -> None:
        (self.place / who / "data" / path).unlink(missing_ok=True)

    @rule(who=WHO, force=st.booleans())
    def commit(self, who: str, *, force: bool) -> None:
        """What stands there, on a branch of its own and known to both.

        Without *force*, with what is recorded there and was never placed here.
        """
        root = self.place / who
        (root / "data").mkdir(exist_ok=True)
        before = self.git(root, "describe", "--tags", "--always") if self.kept else ""
        added = CommandLine(root)("add", "-q", *(["--force"] if force else []), "data")
        if added.code == 4 and not force:
            # Of a directory that was never here: what is to become of the rest of it cannot be known.
            assert not self.has(who, before)
            return
        assert added.code == 0, added
        recorded = files_of(root / "data")
        if not force:
            rest = self.kept.get(before, {})
            listed = {entry["path"].removeprefix("data/") for entry in self.entries(root)}
            assert recorded.keys() <= listed <= recorded.keys() | rest.keys()
            recorded = {path: recorded[path] if path in recorded else rest[path] for path in listed}
        self.git(root, "add", "-A")
        self.git(root, "commit", "-q", "--allow-empty", "-m", f"{len(self.kept)}")
        name = f"v{len(self.kept)}"
        self.git(root, "tag", name)
        self.git(root, "push", "-q", "origin", name)
        self.kept[name] = recorded
        self.owner[name] = who

    @rule(who=WHO, choice=st.integers(0, 99))
    def switch(self, who: str, choice: int) -> None:
        root = self.place / who
        self.git(root, "fetch", "-q", "--tags")
        name = sorted(self.kept)[choice % len(self.kept)]
        self.git(root, "checkout", "-q", "-f", name)
        if self.has(who, name):
            self.restored(who, root, name)

    @rule(who=WHO)
    def push(self, who: str) -> None:
        """All that this clone made: what it does not hold and nobody pushed is not asked of it."""
        mine = [name for name in self.kept if self.has(who, name)]
        for name in mine:
            if name not in self.pushed and self.owner[name] == who:
                self.git(self.place / who, "checkout", "-q", "-f", name)
                self.dvtool(who, "push", "-q")
                self.pushed.add(name)

    @rule(who=WHO)
    def pull(self, who: str) -> None:
        root = self.place / who
        name = self.git(root, "describe", "--tags", "--always")
        if name in self.pushed:
            self.dvtool(who, "pull", "-q", "--force")

    @rule(who=WHO, what=st.sampled_from(("memo.sqlite", "cache/index")))
    def drop_database(self, who: str, what: str) -> None:
        path = self.place / who / ".git/dvtool" / what
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)

    @rule(who=WHO, verb=st.sampled_from(VERBS_KILLED), after=st.sampled_from((0.05, 0.12, 0.2, 0.3, 0.5)))
    def kill(self, who: str, verb: str, after: float) -> None:
        """A real process, at whatever it is doing then."""
        argv = verb.split()
        if argv[0] not in VERBS:
            return
        (self.place / who / "data").mkdir(exist_ok=True)
        with subprocess.Popen(
            [sys.executable, "-m", "dvtool", *argv],
            cwd=self.place / who,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)

    @rule(who=WHO)
    def collect(self, who: str) -> None:
        self.git(self.place / who, "fetch", "-q", "--tags")
        if all(self.has(who, name) or name in self.pushed for name in self.kept):
            self.dvtool(who, "gc", "-A", "--force", "--grace", "0")

    def has(self, who: str, name: str) -> bool:
        """Whether this clone can give that version back without being told more than it knows."""
        return self.owner[name] == who or name in self.pushed

    def everything_comes_back(self, who: str, root: Path) -> None:
        if root.exists():
            self.git(root, "fetch", "-q", "--tags")
            for name in self.kept:
                if name in self.pushed or self.owner[name] == who:
                    self.git(root, "checkout", "-q", "-f", name)
                    self.restored(who or "fresh", root, name)

    def restored(self, who: str, root: Path, name: str) -> None:
        """By checkout where it was made and never pushed, by pull else; forced, since files may have been edited."""
        verb = "pull" if name in self.pushed else "checkout"
        left = root / "data"
        if left.exists():
            shutil.rmtree(left)
        self.dvtool(who, verb, "-q", "--force")
        assert files_of(left) == self.kept[name], (who, name)

    def entries(self, root: Path) -> list[dict[str, str]]:
        return list(json.loads(CommandLine(root).done("list", "-R", "--json", "data"))["entries"])

    def dvtool(self, who: str, *argv: str) -> None:
        CommandLine(self.place / who).done(*argv)

    def git(self, at: Path, *argv: str) -> str:
        done = subprocess.run(["git", *argv], cwd=at, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        return done.stdout.strip()


TestTwoClones = TwoClones.TestCase
TestTwoClones.settings = settings(
    max_examples=150 if WHOLE else 7,
    stateful_step_count=30 if WHOLE else 10,
    deadline=None,
    database=None,
    derandomize=not WHOLE,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
