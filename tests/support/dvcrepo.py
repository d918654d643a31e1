"""A Git repository of DVC's, written as DVC 2 or 3 writes it, without DVC."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.cli import CommandLine

Files = Mapping[str, bytes]


def md5(data: bytes, *, text: bool = False) -> str:
    """*text*: as DVC 2 has it of what looks like text."""
    return hashlib.md5(data.replace(b"\r\n", b"\n") if text else data, usedforsecurity=False).hexdigest()


class DvcRepo:
    """*version* 2: objects lie at ``ab/rest``, and a text has the digest that it has with line feeds."""

    def __init__(self, place: Path, *, version: int = 3) -> None:
        self.at = place
        self.version = version
        self.remote = place.parent / f"{place.name}-remote"
        self.cache = place / ".dvc/cache"
        self.cli = CommandLine(place)
        (place / ".dvc").mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.put(".dvc/.gitignore", b"/config.local\n/tmp\n/cache\n")
        self.put(".dvc/config", f"[core]\n    remote = store\n['remote \"store\"']\n    url = {self.remote}\n".encode())
        self.put(".dvcignore", b"*.tmp\n")

    def git(self, *args: str) -> str:
        return subprocess.run(["git", *args], cwd=self.at, check=True, capture_output=True, text=True).stdout.strip()

    def put(self, path: str, data: bytes) -> None:
        full = self.at / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(data)

    def key(self, digest: str) -> str:
        return f"{'files/md5/' if self.version == 3 else ''}{digest[:2]}/{digest[2:]}"

    def store(self, data: bytes, ending: str = "") -> str:
        """Into DVC's cache; the digest as a .dvc file has it."""
        digest = md5(data, text=self.version == 2 and b"\0" not in data[:512])
        full = self.cache / (self.key(digest) + ending)
        full.parent.mkdir(parents=True, exist_ok=True)
        if not full.exists():
            full.write_bytes(data)
            full.chmod(0o444)
        return digest + ending

    def add(self, path: str, content: bytes | Files) -> str:
        """Write a file or a directory, and what DVC would write of it; the digest."""
        name = path.rpartition("/")[2]
        if isinstance(content, bytes):
            self.put(path, content)
            digest, size, count = self.store(content), len(content), ""
        else:
            shutil.rmtree(self.at / path, ignore_errors=True)
            for below, data in content.items():
                self.put(f"{path}/{below}", data)
            digest = self.manifest(content)
            size, count = sum(map(len, content.values())), f"  nfiles: {len(content)}\n"
        scheme = "  hash: md5\n" if self.version == 3 else ""
        text = f"outs:\n- md5: {digest}\n  size: {size}\n{count}{scheme}  path: {name}\n"
        self.put(f"{path}.dvc", text.encode())
        folder = self.at / path.rpartition("/")[0]
        ignore = folder / ".gitignore"
        lines = ignore.read_text() if ignore.exists() else ""
        if f"/{name}\n" not in lines:
            ignore.write_text(f"{lines}/{name}\n")
        return digest

    def manifest(self, files: Files) -> str:
        rows = [{"md5": self.store(data), "relpath": name} for name, data in sorted(files.items())]
        return self.store(json.dumps(rows).encode(), ".dir")

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(self) -> None:
        """DVC's cache to the remote."""
        shutil.copytree(self.cache, self.remote, dirs_exist_ok=True)

    def clone(self, name: str = "clone") -> DvcRepo:
        """Without data, and without DVC's cache."""
        place = self.at.parent / name
        subprocess.run(["git", "clone", "-q", os.fspath(self.at), os.fspath(place)], check=True)
        other = object.__new__(DvcRepo)
        other.at, other.version, other.remote = place, self.version, self.remote
        other.cache, other.cli = place / ".dvc/cache", CommandLine(place)
        return other

    def files(self, path: str) -> dict[str, bytes]:
        """What stands in a directory, by relative path."""
        top = self.at / path
        return {os.fspath(each.relative_to(top)): each.read_bytes() for each in top.rglob("*") if each.is_file()}
