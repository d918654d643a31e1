from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dvtool.disk.partial import drop_stale_partials
from dvtool.disk.partial import open_partial

ROOT = Path(__file__).resolve().parents[3]
FOLDER_TIME = 10**18


def opened(folder: Path, name: bytes = b"n") -> tuple[int, bytes]:
    found = open_partial(bytes(folder), name)
    assert found is not None
    return found


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    fd, path = opened(tmp_path)
    os.write(fd, b"half")
    os.close(fd)
    fd, again = opened(tmp_path)
    assert (os.pread(fd, 10, 0), again) == (b"half", path)
    os.close(fd)


def test_two_at_once_do_not_write_into_one_file(tmp_path: Path) -> None:
    fd, _ = opened(tmp_path)
    assert open_partial(bytes(tmp_path), b"n") is None
    os.close(opened(tmp_path, b"other")[0])
    os.close(fd)
    os.close(opened(tmp_path)[0])


def test_the_lock_goes_with_the_process(tmp_path: Path) -> None:
    program = "import os, sys; from dvtool.disk.partial import open_partial; open_partial(sys.argv[1].encode(), b'n')"
    subprocess.run([sys.executable, "-c", program + "; os._exit(9)", tmp_path], cwd=ROOT, check=False)
    os.close(opened(tmp_path)[0])


def test_old_ones_go_unless_somebody_is_at_work_on_them(tmp_path: Path) -> None:
    for name in (b"old", b"busy", b"young"):
        fd, path = opened(tmp_path, name)
        os.close(fd)
        if name != b"young":
            os.utime(path, ns=(FOLDER_TIME, FOLDER_TIME))
    fd, busy = opened(tmp_path, b"busy")
    drop_stale_partials(bytes(tmp_path), FOLDER_TIME + 1)
    os.close(fd)
    assert {os.fsencode(path) for path in tmp_path.iterdir()} == {
        busy,
        os.path.join(bytes(tmp_path), b".dvtool-resume-young"),
    }
