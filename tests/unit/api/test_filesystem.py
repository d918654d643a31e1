from __future__ import annotations

import errno
import os
import pickle
import random
import shutil
import subprocess
import threading
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from dvtool.api.config import config_set
from dvtool.api.filesystem import DvtoolFileSystem
from dvtool.api.push import PushRequest
from dvtool.api.push import push
from dvtool.errors import IntegrityError
from dvtool.errors import MissingData
from dvtool.errors import NotInRepository
from dvtool.errors import StorageError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.hashing.digests import object_id
from dvtool.model.ports import Remote
from dvtool.project.parts import open_remote_of
from tests.support.cli import git_project
from tests.support.pushed import pushed_project
from tests.support.trees import Executable
from tests.support.trees import Link
from tests.support.trees import Tree
from tests.support.workbench import NOW
from tests.support.workbench import Workbench

LARGE = random.Random(6).randbytes(24 << 20)
DATA: Tree = {
    "images": {
        "1.png": "one",
        "deep": {"2.png": Executable("two"), "empty": {}},
        "lnk": Link("1.png"),
        "dir": Link("deep"),
        "out": Link("../../outside"),
        b"odd \xff?.png": "odd",
    },
    "large.bin": LARGE,
    "table.csv": "id,x\n1,2\n",
}
FLIPPED = bytes(byte ^ 1 for byte in range(256))
INSIDE = ["images/1.png", "images/deep/2.png", "images/dir", "images/lnk", "images/odd \udcff?.png", "images/out"]


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """All data is on the remote, none here; a file is in Git alone."""
    bench = pushed_project(tmp_path_factory.mktemp("pushed"), DATA)
    (bench.root / "README").write_text("read me\n")
    bench.commit()
    bench.git("tag", "v2")
    return bench


@pytest.fixture(params=[None, "v2"])
def fs(pushed: Workbench, request: pytest.FixtureRequest) -> Iterator[DvtoolFileSystem]:
    file_system = DvtoolFileSystem(repo=str(pushed.root), rev=request.param, skip_instance_cache=True)
    yield file_system
    file_system.close()


def names(found: list[Any]) -> list[str]:
    return [each["name"] for each in found]


def test_lists_what_is_there_and_what_is_tracked(fs: DvtoolFileSystem) -> None:
    top = fs.ls("", detail=False)
    assert {"README", "images", "images.dvt", "large.bin", "table.csv"} <= set(top)
    assert ".git" not in top
    assert names(fs.ls("dvtool://images/deep")) == ["images/deep/2.png", "images/deep/empty"]
    assert fs.ls("table.csv", detail=False) == ["table.csv"]
    assert fs.find("images") == INSIDE
    everything = fs.find("", withdirs=True, detail=True)
    assert everything["images/deep/empty"]["type"] == "directory"
    assert not [name for name in everything if name.startswith(".git/")]
    assert fs.find("images", maxdepth=1) == [name for name in INSIDE if "deep/" not in name]
    assert sorted(fs.find("")) == sorted(name for name, info in fs.find("", detail=True).items())
    assert fs.glob("images/**/*.png") == [name for name in INSIDE if name.endswith(".png")]
    assert fs.find("images/1.png") == ["images/1.png"] and fs.find("nothing") == []


def test_says_what_is_at_a_path(fs: DvtoolFileSystem) -> None:
    table = fs.info("table.csv")
    assert (table["type"], table["size"], table["tracked"]) == ("file", 9, True)
    assert fs.checksum("table.csv") == table["digest"] == fs.ukey("dvtool:///table.csv")
    assert fs.info("images/deep/2.png")["isexec"]
    assert fs.isdir("images") and fs.isdir("") and fs.isfile("README") and not fs.exists("images/none/at/all")
    assert not fs.info("README")["tracked"]
    with pytest.raises(FileNotFoundError, match="no such path"):
        fs.info("images/3.png")


def test_links_are_followed_inside_the_project_alone(fs: DvtoolFileSystem) -> None:
    assert fs.cat("images/lnk") == b"one"
    assert fs.cat("images/dir/2.png") == b"two"
    assert fs.find("images/dir") == ["images/dir/2.png"]
    assert fs.info("images/dir")["type"] == "directory" and fs.info("images/dir")["name"] == "images/dir"
    assert fs.info("images/out")["type"] == "link"
    with pytest.raises(FileNotFoundError):
        fs.open("images/out")


def test_links_of_gits_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Workbench(tmp_path / "repo")
    bench.create({"own": {"file": "text", "lnk": Link("file"), "up": Link("../own"), "away": Link("/etc/hosts")}})
    bench.commit()
    monkeypatch.setenv("DVTOOL_CORE_SOURCES", str(tmp_path))
    for repo, kind in ((str(bench.root), "file"), (bench.root.as_uri(), "link")):
        fs = DvtoolFileSystem(repo=repo, rev="main" if kind == "file" else None)
        assert {info["name"]: info["type"] for info in fs.ls("own")} == {
            "own/away": "link",
            "own/file": "file",
            "own/lnk": kind,
            "own/up": "link",
        }
        assert fs.cat("own/lnk") == b"text" == fs.cat("own/up/up/lnk")
        assert fs.info("own/lnk")["type"] == "file" and fs.info("own/away")["destination"] == "/etc/hosts"


def test_links_that_lead_to_each_other_stay_links(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "repo")
    bench.track({"dir": {"a": Link("b"), "b": Link("a"), "self": Link("self/x"), "up": Link("../dir")}})
    for rev in (None, "HEAD"):
        fs = DvtoolFileSystem(repo=str(bench.root), rev=rev)
        kinds = {info["name"]: info["type"] for info in fs.ls("dir")}
        assert kinds == {"dir/a": "link", "dir/b": "link", "dir/self": "link", "dir/up": "link"}
        assert [top for top, _, _ in fs.walk("")].count("dir/up") == 0
        assert fs.isdir("dir/up/up/up") and not fs.exists("dir/a/b")
        with pytest.raises(FileNotFoundError):
            fs.cat_file("dir/a")


def test_reads_whole_and_in_part_without_the_cache(fs: DvtoolFileSystem, pushed: Workbench) -> None:
    with fs.open("large.bin") as file:
        file.seek(10_000_000)
        assert file.read(1_000) == LARGE[10_000_000:10_001_000]
        assert fs.bytes_received < len(LARGE) / 3
    assert fs.cat_file("large.bin", -5) == LARGE[-5:]
    assert fs.cat_file("large.bin", 3_000_000, 9_000_000) == LARGE[3_000_000:9_000_000]
    assert fs.cat_file("large.bin") == LARGE
    assert fs.cat_file("README") == b"read me\n"
    with fs.open("table.csv", "r") as text:
        assert text.readlines() == ["id,x\n", "1,2\n"]
    assert not pushed.cache.has_blob(object_id(LARGE)) and not pushed.cache.has_blob(object_id(b"id,x\n1,2\n"))


def test_several_small_files_come_together(fs: DvtoolFileSystem) -> None:
    got = fs.cat("images/*.png")
    assert got == {"images/1.png": b"one", "images/odd \udcff?.png": b"odd"}
    assert fs.cat(["table.csv", "README"]) == {"table.csv": b"id,x\n1,2\n", "README": b"read me\n"}


def test_the_worktree_has_the_last_word(pushed: Workbench, tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "repo")
    bench.track({"a.txt": "old", "dir": {"b": "b", "c": "c"}})
    (bench.root / "a.txt").write_text("new")
    (bench.root / "dir/c").unlink()
    (bench.root / "dir/d").write_text("d")
    here, head = (DvtoolFileSystem(repo=str(bench.root), rev=rev) for rev in (None, "HEAD"))
    assert (here.cat("a.txt"), head.cat("a.txt")) == (b"new", b"old")
    assert here.find("dir") == ["dir/b", "dir/c", "dir/d"] and head.find("dir") == ["dir/b", "dir/c"]
    assert here.cat("dir/c") == b"c"
    assert here.modified("a.txt").year > 2000 and head.modified("a.txt").year == 1970


def test_a_branch_that_goes_on_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dvtool.project.dataview._STANDS_SECONDS", 0.0)
    bench = Workbench(tmp_path / "repo")
    bench.track({"a.txt": "old"})
    fs, first = DvtoolFileSystem(repo=str(bench.root), rev="main"), bench.git("rev-parse", "HEAD").strip()
    assert (fs.commit, fs.cat("a.txt")) == (first, b"old")
    bench.track({"a.txt": "new"})
    assert fs.cat("a.txt") == b"new"
    assert DvtoolFileSystem(repo=str(bench.root), rev=first).cat("a.txt") == b"old"


def test_another_repository_by_url(pushed: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsafeInput, match="a directory on this machine"):
        DvtoolFileSystem(repo=pushed.root.as_uri(), rev="v1").find("images")
    monkeypatch.setenv("DVTOOL_CORE_SOURCES", str(pushed.root.parent))
    DvtoolFileSystem.clear_instance_cache()
    fs = DvtoolFileSystem(repo=pushed.root.as_uri(), rev="v1")
    assert fs.commit == pushed.git("rev-parse", "v1").strip()
    assert not fs.exists("README")
    assert fs.find("images") == INSIDE
    assert fs.cat("images/1.png") == b"one" and fs.cat_file("large.bin", 5, 9) == LARGE[5:9]
    newest = DvtoolFileSystem(repo=pushed.root.as_uri())
    assert newest.cat("README") == b"read me\n" and newest.info("README")["size"] is None


def test_urls_say_repository_and_revision(pushed: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    with fsspec.open(f"dvtool://table.csv?rev=v1&repo={pushed.root}") as file:
        assert file.read() == b"id,x\n1,2\n"
    monkeypatch.chdir(pushed.root)
    with fsspec.open("dvtool://images/odd \udcff?.png") as file:
        assert file.read() == b"odd"
    fs, path = fsspec.core.url_to_fs("dvtool://images/?rev=v1")
    assert (fs.rev, path, fs.ls(path)[0]["name"]) == ("v1", "images", "images/1.png")
    assert DvtoolFileSystem._strip_protocol("dvtool://a?b=c") == "a?b=c"


def test_the_current_directory_is_where_a_project_is_looked_for(
    pushed: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pushed.root)
    fs = fsspec.filesystem("dvtool")
    assert fs.exists("table.csv") and fsspec.filesystem("dvtool") is fs
    monkeypatch.chdir(tmp_path)
    assert fs.exists("table.csv")
    with pytest.raises(NotInRepository):
        fsspec.filesystem("dvtool")


def test_is_read_only_and_stays_inside(fs: DvtoolFileSystem) -> None:
    with pytest.raises(OSError, match="read-only") as caught:
        fs.open("new", "wb")
    assert caught.value.errno == errno.EROFS
    for change in ("rm", "mkdir", "makedirs", "touch", "mv", "cp"):
        method: Callable[[str, str], None] = getattr(fs, change)
        with pytest.raises(OSError, match="read-only: write into the worktree"):
            method("table.csv", "x")
    with pytest.raises(UnsafeInput, match="leads out"):
        fs.open("dvtool://images/../../x")
    with pytest.raises(IsADirectoryError):
        fs.open("images")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"rev": "nothing"}, UsageError, "no revision"),
        ({"revision": "v1"}, TypeError, "no option 'revision'"),
        ({"remote": "nothing"}, Exception, "nothing"),
    ],
)
def test_wrong_options_are_told_at_once(
    pushed: Workbench, options: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        DvtoolFileSystem(repo=str(pushed.root), **options)


def test_travels_to_other_processes(pushed: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pushed.root)
    here = pickle.dumps(DvtoolFileSystem())
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(here).cat("table.csv") == b"id,x\n1,2\n"
    fs = DvtoolFileSystem(repo=str(pushed.root), rev="v1")
    assert pickle.loads(pickle.dumps(fs)).cat("table.csv") == b"id,x\n1,2\n"
    assert fs.cat("table.csv") == b"id,x\n1,2\n"
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, fs.cat("images/1.png"))
        os._exit(0)
    os.close(writing)
    assert (os.read(reading, 10), os.waitpid(child, 0)[1]) == (b"one", 0)
    os.close(reading)


def test_threads_share_it(fs: DvtoolFileSystem) -> None:
    wrong: list[int] = []

    def work(start: int) -> None:
        with fs.open("large.bin") as file:
            for at in range(start, len(LARGE) - 1_000, 5 << 20):
                file.seek(at)
                if file.read(1_000) != LARGE[at : at + 1_000]:
                    wrong.append(at)

    threads = [threading.Thread(target=work, args=(number << 20,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def spoil(folder: Path, change: Callable[[bytes], bytes]) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(change(path.read_bytes()))


def test_wrong_bytes_on_the_remote_are_never_given(tmp_path: Path) -> None:
    bench = pushed_project(tmp_path, {"large.bin": LARGE[: 6 << 20], "small": "s" * 1_000})
    spoil(tmp_path / "remote/data", lambda data: data[:48] + data[48:].translate(FLIPPED))
    fs = DvtoolFileSystem(repo=str(bench.root))
    for name in ("small", "large.bin"):
        with pytest.raises(IntegrityError, match="does not hold the right bytes"):
            fs.cat_file(name)


def test_a_mirror_has_what_the_first_lacks(tmp_path: Path) -> None:
    bench = pushed_project(tmp_path, {"large.bin": LARGE[: 6 << 20], "a.txt": "a"})
    (tmp_path / "remote").rename(tmp_path / "mirror")
    (tmp_path / "remote").mkdir()
    lacking = DvtoolFileSystem(repo=str(bench.root), skip_instance_cache=True)
    with pytest.raises(MissingData, match=r"a\.txt is not in the cache and not on origin"):
        lacking.cat("a.txt")
    config_set(bench.environment, "remote.second.url", str(tmp_path / "mirror"))
    assert DvtoolFileSystem(repo=str(bench.root), remote="second").cat("a.txt") == b"a"
    config_set(bench.environment, "remote.origin.mirrors", "second")
    fs = DvtoolFileSystem(repo=str(bench.root), skip_instance_cache=True)
    assert fs.cat_file("large.bin", 0, 10) == LARGE[:10]


def test_without_a_remote_the_cache_is_all_there_is(tmp_path: Path) -> None:
    bench = Workbench(tmp_path / "repo")
    bench.track({"large.bin": LARGE[: 6 << 20], "a.txt": "a"})
    for name in ("large.bin", "a.txt"):
        (bench.root / name).unlink()
    fs = DvtoolFileSystem(repo=str(bench.root))
    assert fs.cat_file("large.bin", 5_000_000, 5_000_010) == LARGE[5_000_000:5_000_010]
    spoil(Path(os.fsdecode(bench.cache.root)) / "data", lambda _: b"")
    with pytest.raises(MissingData, match="there is no remote"):
        DvtoolFileSystem(repo=str(bench.root), skip_instance_cache=True).cat("a.txt")


def test_what_another_process_fetched_is_found(tmp_path: Path) -> None:
    bench = pushed_project(tmp_path, {"a.txt": "a"})
    fs = DvtoolFileSystem(repo=str(bench.root))
    assert fs.exists("a.txt")
    (tmp_path / "remote").rename(tmp_path / "away")
    (tmp_path / "remote").mkdir()
    with pytest.raises(MissingData):
        fs.cat("a.txt")
    bench.create({"a.txt": "a"})
    bench.add("a.txt")
    (bench.root / "a.txt").unlink()
    push(bench.project, PushRequest(now=NOW))
    assert fs.cat("a.txt") == b"a"


def test_what_was_imported_is_read_from_where_it_came_from(
    pushed: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVTOOL_CORE_SOURCES", str(pushed.root.parent))
    cli = git_project(tmp_path / "mine")
    for name in ("large.bin", "images", "README"):
        cli.done("import", pushed.root.as_uri(), name, "--rev", "v2")
    for words in (("add", "-A"), ("commit", "-q", "-m", "imported")):
        subprocess.run(["git", *words], cwd=cli.at, check=True)
    for name in ("large.bin", "images", "README"):
        gone = cli.at / name
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    shutil.rmtree(cli.at / ".git/dvtool/cache")
    for rev in (None, "HEAD"):
        fs = DvtoolFileSystem(repo=str(cli.at), rev=rev)
        assert fs.cat_file("large.bin", 9_000_000, 9_000_100) == LARGE[9_000_000:9_000_100]
        assert 0 < fs.bytes_received < len(LARGE) / 3
        assert fs.find("images") == INSIDE
        assert fs.cat("images/*.png") == {"images/1.png": b"one", "images/odd \udcff?.png": b"odd"}
        assert fs.cat("README") == b"read me\n"


def test_any_stretch_is_what_it_should_be(pushed: Workbench) -> None:
    chance = random.Random(7)
    fs = DvtoolFileSystem(repo=str(pushed.root), rev="v1", skip_instance_cache=True)
    with fs.open("large.bin") as file:
        for _ in range(200):
            start = chance.randrange(len(LARGE))
            length = chance.choice((1, 1_000, 300_000, 5_000_000))
            file.seek(start)
            assert file.read(length) == LARGE[start : start + length]
    fs.close()


class Cut:
    """A remote whose line is cut while ``down``."""

    down = False

    def __init__(self, inner: Remote) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        if Cut.down and name in ("get", "list"):
            raise StorageError("the line is cut")
        return getattr(self._inner, name)


def test_what_cannot_be_asked_is_never_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dvtool.project.remotes.open_remote_of", lambda *args: Cut(open_remote_of(*args)))
    bench = pushed_project(tmp_path, {"large.bin": LARGE, "table.csv": "1,2\n", "d": {"x": "", "y": ""}})
    fs = DvtoolFileSystem(repo=str(bench.root), skip_instance_cache=True)
    for name, data in (("table.csv", b"1,2\n"), ("large.bin", LARGE)):
        monkeypatch.setattr(Cut, "down", True)
        for _ in range(3):
            with pytest.raises(StorageError, match="cut"):
                fs.cat_file(name)
        monkeypatch.setattr(Cut, "down", False)
        assert fs.cat_file(name) == data
    monkeypatch.setattr(Cut, "down", True)
    for _ in range(3):
        with pytest.raises(StorageError, match="cut"):
            fs.find("d")
    monkeypatch.setattr(Cut, "down", False)
    assert fs.find("d") == ["d/x", "d/y"]
    fs.close()
