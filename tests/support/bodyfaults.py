"""Values that are not what was pushed: a pull never takes them for the data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from dvtool.remote.address import Address
from dvtool.remote.table import open_bare
from tests.support.cli import CommandLine
from tests.support.remotekinds import Kind
from tests.support.remotestory import Where
from tests.support.remotestory import clone_of
from tests.support.remotestory import noise
from tests.support.remotestory import project
from tests.support.trees import tree_of

FAULTS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "one bit is flipped": lambda data, other: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
    ),
    "the end is missing": lambda data, other: data[: len(data) // 3],
    "it is another value": lambda data, other: other,
    "something is appended": lambda data, other: data + b"garbage" * 10,
    "it is empty": lambda data, other: b"",
}
FILES = {f"{number}.bin": noise(f"body {number}", 20_000) for number in range(6)}


def find_every_fault(tmp_path: Path, found: Kind) -> None:
    """Every fault in what a remote of this kind holds is found by ``pull`` and by ``fsck --deep``."""
    ann = project(tmp_path / "ann", found.written or found.where, FILES)
    ann.done("push")
    if found.written is not None:
        ann.done("remote", "catalog")
    with closing(open_bare(_address(found.written or found.where))) as remote:
        packs = {folder: next(item.key for item in remote.list(folder)) for folder in ("data/", "meta/")}
        right = {folder: remote.get(key) for folder, key in packs.items()}
        bob = clone_of(ann, tmp_path / "bob", found.where)
        for number, (fault, change) in enumerate(FAULTS.items()):
            # Now the files themselves, now the directory that lists them.
            folder, other = ("data/", "meta/") if number != 3 else ("meta/", "data/")
            remote.put(packs[folder], change(right[folder], right[other]))
            _assert_found(bob, fault)
            remote.put(packs[folder], right[folder])
        bob.done("pull")
        assert tree_of(bob.at / "data") == tree_of(ann.at / "data")
        remote.put(packs["data/"], FAULTS["one bit is flipped"](right["data/"], b""))
        assert bob("fsck", "--remote", "origin", "--deep").code == 3


def _assert_found(bob: CommandLine, fault: str) -> None:
    """The pull fails as it should and has written no wrong byte; then this clone is as it was."""
    ran = bob("pull")
    assert ran.code in (3, 4), (fault, ran)
    assert "error: " in ran.err and "Traceback" not in ran.err, (fault, ran)
    assert "origin" in ran.err, (fault, ran)
    if (bob.at / "data").exists():
        for name, data in tree_of(bob.at / "data").items():
            assert data == FILES[name.decode()], fault
        shutil.rmtree(bob.at / "data")
    shutil.rmtree(bob.at / ".git/dvtool/cache", ignore_errors=True)


def _address(where: Where) -> Address:
    return Address("origin", where.url, where.settings, b"/", where.environ)
