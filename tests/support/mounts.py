"""File systems of other kinds than that of the temporary files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WHOLE_SECONDS_NEED = "times in whole seconds take root, the right to mount, and mkfs.ext2"


_KINDS = {
    # Inodes of 128 bytes have no room for fractions of seconds.
    "ext2": (32, ("mkfs.ext2", "-q", "-F", "-I", "128")),
    "btrfs": (512, ("mkfs.btrfs", "-q")),
    "xfs": (320, ("mkfs.xfs", "-q")),
}
"""Name of a file system: its MiB, which take no room while they are empty, and the command that makes it."""


@contextmanager
def whole_seconds(place: Path) -> Iterator[Path | None]:
    """A file system below *place* whose times are whole seconds; None where it cannot be had."""
    with mounted(place, "ext2") as folder:
        yield folder


@contextmanager
def mounted(place: Path, kind: str) -> Iterator[Path | None]:
    """A new file system of *kind* (see `_KINDS`) below *place*; None where it cannot be had."""
    size, make = _KINDS[kind]
    image, folder = place / f"{kind}.img", place / kind
    program = shutil.which(make[0], path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if os.geteuid() != 0 or program is None:
        yield None
        return
    with image.open("wb") as file:
        file.truncate(size << 20)
    subprocess.run([program, *make[1:], image], check=True, capture_output=True)
    folder.mkdir()
    if subprocess.run(["mount", "-o", "loop", image, folder], check=False, capture_output=True).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
