from __future__ import annotations

import os

from dvtool.disk.scan import list_names


def test_names_come_as_bytes_in_byte_order(here: bytes, here_fd: int) -> None:
    names = [b"b", b"a", b"\xff\xfe", "é".encode(), b"new\nline", b"A", b"a b", b".hidden"]
    for name in names:
        os.close(os.open(os.path.join(here, name), os.O_CREAT | os.O_WRONLY))
    assert list_names(here_fd) == sorted(names)
    assert list_names(here_fd) == sorted(names)


def test_empty_directory_has_no_names(here_fd: int) -> None:
    assert list_names(here_fd) == []
