from __future__ import annotations

import os
from pathlib import Path

import pytest

from dvtool.errors import MissingData
from dvtool.remote.counting import CountingRemote
from dvtool.remote.drivers.local import LocalRemote


def test_calls_and_bytes_are_counted(tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    (tmp_path / "file").write_bytes(b"x" * 1000)
    remote = CountingRemote(LocalRemote("origin", os.fsencode(tmp_path / "remote")))
    remote.put("a", b"12345")
    remote.put("a", b"not written", create_only=True)
    remote.put_file("b", bytes(tmp_path / "file"))
    remote.get("a", 1, 2)
    remote.get_file("b", bytes(tmp_path / "back"), 1000)
    with pytest.raises(MissingData):
        remote.get("c")
    list(remote.list(""))
    remote.stat("a")
    remote.delete("a")
    assert remote.calls == {"put": 2, "put_file": 1, "get": 2, "get_file": 1, "list": 1, "stat": 1, "delete": 1}
    assert (remote.sent, remote.received) == (1005, 1002)
