"""The main job on real files, from `dvtool init` to an identical tree on another clone; then a pipeline on them.

The data: everything installed beside this Python, its standard library, and a CSV made from them. The pipeline
(`scripts/example`) learns from which package a module of the standard library is.
Runs in a scratch directory with a home of its own, prints every command with its time, exits 1 on any
difference. `--keep` leaves the scratch directory for a look.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

IDENTITY = {
    "GIT_AUTHOR_NAME": "Demo",
    "GIT_AUTHOR_EMAIL": "demo@example.org",
    "GIT_COMMITTER_NAME": "Demo",
    "GIT_COMMITTER_EMAIL": "demo@example.org",
}

EXAMPLE = Path(__file__).resolve().parent / "example"


class DemoFailed(Exception):
    """A command failed, or a tree is not what it should be."""


class Demo:
    """Runs commands in *scratch* and remembers what each took."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.times: list[tuple[str, float]] = []
        home = scratch / "home"
        home.mkdir()
        # Not os.devnull: `git config --global`, run by root, would put a file in the place of the device.
        for name in ("global", "system"):
            (home / f"git-{name}").touch()
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_", "AWS_", "DVTOOL_", "XDG_"))
        }
        self.environment = {
            **kept,
            **IDENTITY,
            "HOME": str(home),
            "GIT_CONFIG_GLOBAL": str(home / "git-global"),
            "GIT_CONFIG_SYSTEM": str(home / "git-system"),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        }

    def run(self, command: str, *, cwd: Path, expect: int = 0, show: int = 12, says: str = "") -> None:
        """Run *command* (split like a shell would), print its first *show* lines and its time.

        Fails unless it ends with *expect* and *says* is one of the lines it printed.
        """
        where = "scratch" if cwd == self.scratch else cwd.name
        print(f"\n[{where}] $ {command}", flush=True)
        started = time.perf_counter()
        done = subprocess.run(
            shlex.split(command),
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        seconds = time.perf_counter() - started
        lines = (done.stdout + done.stderr).decode(errors="backslashreplace").splitlines()
        for line in lines[:show]:
            print(f"    {line}")
        if len(lines) > show:
            print(f"    ... {len(lines) - show} more lines")
        print(f"    ({seconds:.2f} s)", flush=True)
        self.times.append((f"[{where}] {command}", seconds))
        if done.returncode != expect:
            print("\n".join(lines[show:][-40:]))
            raise DemoFailed(f"`{command}` ended with exit code {done.returncode}, expected {expect}")
        if says and says not in lines:
            print("\n".join(lines[show:]))
            raise DemoFailed(f"`{command}` did not print {says!r}")

    def short(self, path: Path) -> str:
        return path.relative_to(self.scratch).as_posix()

    def same(self, one: Path, other: Path, what: str) -> None:
        """Fail unless both trees hold the same names, bytes, links, executable bits and empty directories."""
        print(f"\n[check] {what}: diff -r --no-dereference {self.short(one)} {self.short(other)}", flush=True)
        done = subprocess.run(
            ["diff", "-r", "--brief", "--no-dereference", one, other], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise DemoFailed(f"{what}: trees differ\n{done.stdout[:4000]}{done.stderr[:4000]}")
        different = set(listing(one)) ^ set(listing(other))
        if different:
            raise DemoFailed(f"{what}: kinds or executable bits differ: {sorted(different)[:20]}")
        print("    identical, executable bits and empty directories included")


def listing(root: Path) -> Iterator[tuple[str, str]]:
    """Each path below *root* with its kind: ``d``, ``l``, ``x`` (executable) or ``f``."""
    for directory, names, files in os.walk(root):
        for name in names + files:
            path = os.path.join(directory, name)
            if os.path.islink(path):
                kind = "l"
            elif os.path.isdir(path):
                kind = "d"
            else:
                kind = "x" if os.access(path, os.X_OK) and os.stat(path).st_mode & 0o100 else "f"
            yield os.path.relpath(path, root), kind


def copy_real_files(data: Path) -> None:
    """Copy the installed packages and the standard library of the running Python into *data*."""
    paths = sysconfig.get_paths()
    skip = shutil.ignore_patterns("__pycache__", "site-packages", "dist-packages")
    shutil.copytree(paths["purelib"], data / "packages", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(paths["stdlib"], data / "stdlib", symlinks=True, ignore=skip)
    (data / "empty").mkdir()
    tools = data / "tools"
    tools.mkdir()
    (tools / "hello").write_text("#!/bin/sh\necho hello\n")
    (tools / "hello").chmod(0o755)
    (tools / "latest").symlink_to("hello")


def write_table(data: Path, table: Path) -> int:
    """Describe every regular file of *data* in a CSV: path, size, lines, digest. Returns the number of files."""
    count = 0
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "size", "lines", "sha256"])
        for path in sorted(data.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            content = path.read_bytes()
            name = os.fsencode(path.relative_to(data)).decode(errors="backslashreplace")
            writer.writerow([name, len(content), content.count(b"\n"), hashlib.sha256(content).hexdigest()])
            count += 1
    return count


def change(data: Path) -> None:
    """Edit some files, add some, delete a directory, rename another."""
    modules = sorted(path for path in (data / "stdlib").rglob("*.py") if path.is_file() and not path.is_symlink())
    for path in modules[::40]:
        path.write_bytes(path.read_bytes() + b"# edited by the demo\n")
    new = data / "new" / "with space and \u00fcmlaut"
    new.mkdir(parents=True)
    for number in range(200):
        (new / f"{number:03}.txt").write_text(f"new file {number}\n" * 20)
    shutil.rmtree(data / "stdlib" / "json")
    (data / "stdlib" / "email").rename(data / "stdlib" / "mail")
    (data / "tools" / "hello").chmod(0o644)


def tell(demo: Demo) -> None:
    """The story, told once."""
    scratch = demo.scratch
    repo, remote, clone = scratch / "repo", scratch / "remote", scratch / "clone"
    version = {number: scratch / f"expected-v{number}" for number in (1, 2)}
    data, table = repo / "data", repo / "files.csv"

    demo.run("git init -b main repo", cwd=scratch)
    copy_real_files(data)
    count = write_table(data, table)
    total = sum(path.stat().st_size for path in data.rglob("*") if path.is_file() and not path.is_symlink())
    print(f"\nreal input: {count:,} files, {total / 1e6:,.0f} MB, and a CSV of {table.stat().st_size / 1e6:.1f} MB")
    keep(repo, version[1])

    demo.run("dvtool --version", cwd=repo)
    demo.run("dvtool init", cwd=repo)
    demo.run("dvtool add data files.csv", cwd=repo)
    demo.run("git add .", cwd=repo)
    demo.run("git commit -q -m 'data v1'", cwd=repo)
    demo.run("git tag v1", cwd=repo)
    demo.run(f"dvtool remote add -d origin {shlex.quote(str(remote))}", cwd=repo)
    demo.run("dvtool push", cwd=repo)

    change(data)
    write_table(data, table)
    keep(repo, version[2])
    demo.run("dvtool status", cwd=repo)
    demo.run("dvtool status --exit-code", cwd=repo, expect=1, show=0)
    demo.run("dvtool diff", cwd=repo)
    demo.run("dvtool add data files.csv", cwd=repo)
    demo.run("git add .", cwd=repo)
    demo.run("git commit -q -m 'data v2'", cwd=repo)
    demo.run("dvtool push", cwd=repo)
    demo.run("dvtool status --exit-code", cwd=repo)

    demo.run("git clone -q repo clone", cwd=scratch)
    demo.run("dvtool pull", cwd=clone)
    compare(demo, clone, version[2], "the clone after pull")

    remote.rename(scratch / "out-of-reach")
    demo.run("git checkout -q v1", cwd=repo)
    demo.run("dvtool checkout", cwd=repo)
    compare(demo, repo, version[1], "v1 from the cache, the remote out of reach")
    (scratch / "out-of-reach").rename(remote)
    demo.run("git checkout -q main", cwd=repo)
    demo.run("dvtool checkout", cwd=repo)
    compare(demo, repo, version[2], "v2 again")

    demo.run("dvtool fetch -T", cwd=clone)
    demo.run("git checkout -q v1", cwd=clone)
    demo.run("dvtool checkout", cwd=clone)
    compare(demo, clone, version[1], "v1 in the clone")
    demo.run("git checkout -q main", cwd=clone)
    pipeline(demo, repo, scratch / "colleague")


def pipeline(demo: Demo, repo: Path, colleague: Path) -> None:
    """Three stages; a change that runs two of them; a clone that runs none, for somebody ran it before."""
    shutil.copytree(EXAMPLE, repo, dirs_exist_ok=True)
    parameters = (repo / "params.json").read_text()
    demo.run("cat dvtool.yaml params.json", cwd=repo, show=20)
    demo.run("dvtool dag", cwd=repo)
    demo.run("dvtool repro", cwd=repo, says="3 stages: 3 ran")
    demo.run("git add .", cwd=repo)
    demo.run("git commit -q -m 'guess the package by 20 words'", cwd=repo)
    demo.run("dvtool push", cwd=repo)

    print("\nthe model is to know 2,000 words")
    (repo / "params.json").write_text(parameters.replace('"words": 20', '"words": 2000'))
    demo.run("dvtool why train", cwd=repo)
    demo.run("dvtool repro", cwd=repo, says="3 stages: 2 ran, 1 skipped")
    demo.run("dvtool metrics diff", cwd=repo)
    demo.run("git add .", cwd=repo)
    demo.run("git commit -q -m '2,000 words'", cwd=repo)
    demo.run("dvtool push", cwd=repo)

    demo.run(f"git clone -q repo {colleague.name}", cwd=demo.scratch)
    demo.run("dvtool pull -q", cwd=colleague)
    demo.run("dvtool repro", cwd=colleague, says="3 stages: 3 skipped")
    print("\na colleague wants the 20 words back: they were tried before, so nothing runs")
    (colleague / "params.json").write_text(parameters)
    demo.run("dvtool repro --pull", cwd=colleague, says="3 stages: 2 restored, 1 skipped")
    demo.run("dvtool metrics diff", cwd=colleague)


def keep(repo: Path, aside: Path) -> None:
    shutil.copytree(repo / "data", aside / "data", symlinks=True)
    shutil.copy2(repo / "files.csv", aside / "files.csv")


def compare(demo: Demo, repo: Path, expected: Path, what: str) -> None:
    demo.same(repo / "data", expected / "data", f"{what}, data")
    if (repo / "files.csv").read_bytes() != (expected / "files.csv").read_bytes():
        raise DemoFailed(f"{what}: files.csv differs")
    print("    files.csv identical")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave the scratch directory")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="dvtool-demo-"))
    demo = Demo(scratch)
    started = time.perf_counter()
    try:
        tell(demo)
    except DemoFailed as error:
        print(f"\nFAILED: {error}", file=sys.stderr)
        return 1
    finally:
        if options.keep:
            print(f"\nscratch directory: {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    print("\nsummary")
    for command, seconds in demo.times:
        if "dvtool" in command:
            print(f"  {seconds:7.2f} s  {command.replace(str(scratch), '')}")
    print(f"every tree came back byte for byte; {time.perf_counter() - started:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
