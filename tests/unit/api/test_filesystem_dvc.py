from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dvtool.api.filesystem import DvtoolFileSystem
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData

FILES = {"a.txt": b"one\n", "deep/b.txt": b"two\n", "c.bin": b"c" * 5_000}
TABLE = b"id,x\n1,2\n"


def keep(store: Path, data: bytes, suffix: str = "") -> str:
    """As DVC 3 keeps bytes; their digest."""
    digest = hashlib.md5(data).hexdigest()
    path = store / "files/md5" / digest[:2] / (digest[2:] + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return digest


def make_repository(place: Path, store: Path) -> None:
    """A directory and a file, as DVC 3 states them, with *store* as the remote."""
    listed = [{"md5": keep(store, data), "relpath": name} for name, data in sorted(FILES.items())]
    folder = keep(store, json.dumps(listed).encode(), ".dir")
    total = sum(map(len, FILES.values()))
    text = f"outs:\n- md5: {folder}.dir\n  size: {total}\n  nfiles: {len(FILES)}\n  hash: md5\n  path: data\n"
    table = f"outs:\n- md5: {keep(store, TABLE)}\n  size: {len(TABLE)}\n  hash: md5\n  path: table.csv\n"
    (place / ".dvc").mkdir(parents=True)
    (place / ".dvc/config").write_text(f"[core]\n    remote = store\n['remote \"store\"']\n    url = {store}\n")
    (place / "data.dvc").write_text(text)
    (place / "table.csv.dvc").write_text(table)
    (place / ".gitignore").write_text("/data\n/table.csv\n")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "data"), ("tag", "v1")):
        subprocess.run(["git", *words], cwd=place, check=True)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    make_repository(tmp_path / "repo", tmp_path / "store")
    return tmp_path / "store"


@pytest.mark.parametrize("rev", [None, "v1"])
def test_a_repository_of_dvc_is_read_from_its_remote(store: Path, tmp_path: Path, rev: str | None) -> None:
    fs = DvtoolFileSystem(repo=str(tmp_path / "repo"), rev=rev)
    assert fs.info("table.csv")["digest"] == f"md5:{hashlib.md5(TABLE).hexdigest()}"
    assert fs.info("data")["digest"].startswith("md5:")
    assert fs.find("data") == [f"data/{name}" for name in sorted(FILES)]
    assert fs.cat("table.csv") == TABLE
    assert fs.ls("data/deep", detail=False) == ["data/deep/b.txt"]
    assert fs.cat([f"data/{name}" for name in FILES]) == {f"data/{name}": data for name, data in FILES.items()}
    assert fs.info("table.csv")["digest"].startswith("blake3:")


def test_one_file_of_a_directory_brings_no_other(store: Path, tmp_path: Path) -> None:
    kept = hashlib.md5(FILES["a.txt"]).hexdigest()
    for path in store.rglob("*"):
        is_wanted = path.is_dir() or path.name.endswith(".dir") or kept == path.parent.name + path.name
        path if is_wanted else path.unlink()
    fs = DvtoolFileSystem(repo=str(tmp_path / "repo"))
    assert fs.cat("data/a.txt") == FILES["a.txt"]
    with pytest.raises(MissingData):
        fs.cat("data/c.bin")


def test_wrong_bytes_of_dvcs_remote_are_refused(store: Path, tmp_path: Path) -> None:
    for path in store.rglob("*"):
        if path.is_file() and not path.name.endswith(".dir"):
            path.write_bytes(path.read_bytes()[:-1] + b"?")
    fs = DvtoolFileSystem(repo=str(tmp_path / "repo"))
    with pytest.raises(DvtoolError, match="md5:"):
        fs.cat("table.csv")


def test_dvcs_cache_on_this_disk_is_enough(store: Path, tmp_path: Path) -> None:
    shutil.move(store, tmp_path / "repo/.dvc/cache")
    fs = DvtoolFileSystem(repo=str(tmp_path / "repo"), rev="v1")
    assert (fs.cat("data/c.bin"), fs.cat("table.csv")) == (FILES["c.bin"], TABLE)
