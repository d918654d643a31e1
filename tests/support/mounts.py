"""File systems of other kinds than that of the temporary files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WHOLE_SECONDS_NEED = "times in whole seconds take root, the right to mount, and mkfs.ext2"


@contextmanager
def whole_seconds(place: Path) -> Iterator[Path | None]:
    """A file system below *place* whose times are whole seconds; None where it cannot be had."""
    image, folder = place / "ext2.img", place / "ext2"
    if os.geteuid() != 0 or shutil.which("mkfs.ext2") is None:
        yield None
        return
    with image.open("wb") as file:
        file.truncate(32 << 20)
    # Inodes of 128 bytes have no room for fractions of seconds.
    subprocess.run(["mkfs.ext2", "-q", "-F", "-I", "128", image], check=True, capture_output=True)
    folder.mkdir()
    if subprocess.run(["mount", "-o", "loop", image, folder], check=False, capture_output=True).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
