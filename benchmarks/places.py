"""Where the benchmark works: an XFS loop mount where this user may mount, else memory, else the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

IMAGE_BYTES = 48 << 30  # sparse: takes what is used
MEMORY_BYTES = 24 << 30  # what the largest rows need at scale 1


@dataclass(frozen=True, slots=True)
class Place:
    path: Path
    what: str


@contextmanager
def chosen(bench: Path, wanted: Path | None, scale: float) -> Iterator[Place]:
    """A place for the data, taken away at the end; *wanted* names a directory to use instead."""
    if wanted is not None:
        work = wanted / "dvtool-bench"
        with _emptied(work):
            yield Place(work, f"{file_system(wanted)} at a chosen directory")
        return
    if os.geteuid() == 0 and shutil.which("mkfs.xfs"):
        with _xfs(bench) as mounted:
            if mounted is not None:
                yield Place(mounted, "XFS loop mount (reflink)")
                return
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MEMORY_BYTES * scale:
        work = memory / f"dvtool-bench-{os.getpid()}"
        with _emptied(work):
            yield Place(work, "tmpfs (no XFS loop mount possible here)")
        return
    with _emptied(bench / "work"):
        yield Place(bench / "work", f"{file_system(bench)} (no XFS loop mount and no large enough tmpfs here)")


def file_system(path: Path) -> str:
    """The name of the file system that holds *path*."""
    done = subprocess.run(["stat", "-f", "-c", "%T", path], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown file system"


def reflinks(path: Path) -> bool:
    """Whether files in the directory *path* can share blocks."""
    one, other = path / "reflink-from", path / "reflink-to"
    one.write_bytes(b"x" * 4096)
    try:
        return _quiet("cp", "--reflink=always", str(one), str(other))
    finally:
        one.unlink()
        other.unlink(missing_ok=True)


@contextmanager
def _emptied(work: Path) -> Iterator[None]:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _xfs(bench: Path) -> Iterator[Path | None]:
    image, mount = bench / "xfs.img", bench / "xfs"
    mount.mkdir(exist_ok=True)
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    made = _quiet("mkfs.xfs", "-q", "-f", "-m", "reflink=1", str(image))
    mounted = made and _quiet("mount", "-o", "loop", str(image), str(mount))
    try:
        yield mount if mounted else None
    finally:
        if mounted:
            _quiet("umount", str(mount))
        image.unlink(missing_ok=True)


def _quiet(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
