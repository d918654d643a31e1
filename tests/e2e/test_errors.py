"""What a new user gets wrong: one clear line, the next step, the documented exit code, nothing half written."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clones import Clone
from tests.e2e.clones import Done
from tests.e2e.clones import new_clone
from tests.e2e.story import noise
from tests.support.seaweed import Seaweed
from tests.support.trees import NormalTree
from tests.support.trees import assert_tree
from tests.support.trees import tree_of

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A project with a tracked directory, for tests that leave it as it is."""
    clone = new_clone(tmp_path_factory.mktemp("errors") / "project")
    clone.create({"data": {"a": "a\n", "b": {"c": "c\n"}}, "code.py": "pass\n"})
    clone.run("add", "data")
    clone.commit()
    return clone


@pytest.fixture
def project(shared: Clone) -> Iterator[Clone]:
    """The same; what is in it must not change."""
    before = tree_of(shared.root)
    yield shared
    assert tree_of(shared.root) == before


def refused(done: Done, *words: str) -> None:
    """The message is one line with *words* in it and says what to do next."""
    assert done.hint
    for word in words:
        assert word in done.error


def test_no_project(tmp_path: Path) -> None:
    outside = Clone(tmp_path)
    for verb in (["status"], ["add", "x"], ["pull"], ["remote", "list"]):
        refused(outside.run(*verb, code=10), "not inside a dvtool project")
    refused(outside.run("init", code=10), "Git")
    assert tree_of(tmp_path) == {}


@pytest.mark.parametrize("verb", ["push", "pull", "fetch"])
def test_no_remote(project: Clone, verb: str) -> None:
    done = project.run(verb, code=9)
    refused(done, "no remote")
    assert "dvtool remote add" in done.hint


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["pussh"], 2, "'pussh'"),
        (["add", "--frob", "data"], 2, "--frob"),
        (["add"], 2, "no targets"),
        (["add", "missing"], 2, "missing does not exist"),
        (["add", "code.py"], 6, "code.py is tracked by Git"),
        (["add", "data.dvt"], 2, "data.dvt is a pointer"),
        (["add", "."], 2, "top directory"),
        (["add", "/etc/hostname"], 2, "/etc/hostname is outside the project"),
        (["add", "../elsewhere"], 2, "outside the project"),
        (["checkout", "missing"], 2, "missing is not tracked"),
        (["checkout", "data/missing"], 2, "data/missing"),
        (["status", "missing"], 2, "missing is not tracked"),
        (["list", "missing"], 2, "missing"),
        (["log", "missing"], 2, "missing"),
        (["diff", "no-such-revision"], 2, "no-such-revision"),
        (["remove", "missing"], 2, "missing is not tracked"),
        (["remote", "add", "x"], 2, "URL"),
        (["remote", "add", "x", "ext::sh -c touch% HIT"], 6, "chained URLs"),
        (["remote", "add", "x", "gopher://host/x"], 9, "gopher"),
        (["remote", "modify", "x", "url", "y"], 9, "'x'"),
        (["config", "core.frob", "1"], 9, "core.frob"),
        (["config", "cache.type", "frob"], 9, "frob"),
        (["config", "--project", "cache.dir", "/elsewhere"], 6, "cache.dir"),
        (["config", "--project", "remote.x.secret_access_key", "SECRET"], 6, "secret"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_command_lines(project: Clone, argv: list[str], code: int, words: str) -> None:
    done = project.run(*argv, code=code)
    refused(done, words)
    assert "SECRET" not in done.err


GOOD = """dvtool: 1
path: data
kind: directory
digest: blake3:{}
size: 4
files: 2
""".format("0" * 64)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (GOOD.replace("kind: ", "kind "), 9, "data.dvt:3"),
        (GOOD[:-12], 9, "data.dvt:5"),
        ("", 9, "data.dvt:1"),
        ("\x00\x01", 9, "data.dvt:1"),
        (f"<<<<<<< HEAD\n{GOOD}=======\n{GOOD}>>>>>>> other\n", 9, "conflict markers"),
        (GOOD.replace("\n", "\r\n"), 9, "Windows line ends"),
        (GOOD.replace("dvtool: 1", "dvtool: 2"), 9, "newer"),
        (GOOD.replace("path: data", 'path: "../x"'), 6, "data.dvt:2"),
        (GOOD.replace("path: data", "path: /etc"), 6, "data.dvt:2"),
        (GOOD.replace("path: data", 'path: ".git"'), 6, "data.dvt:2"),
        (GOOD.replace("blake3:" + "0" * 64, "blake3:" + "../" * 21 + "x"), 6, "data.dvt:4"),
    ],
    ids=["yaml", "cut", "empty", "binary", "conflict", "crlf", "newer", "climbs", "absolute", "git", "digest"],
)
def test_bad_pointers(project: Clone, text: str, code: int, words: str) -> None:
    pointer = project.root / "data.dvt"
    good = pointer.read_bytes()
    pointer.write_bytes(text.encode())
    try:
        for verb in ("status", "checkout"):
            refused(project.run(verb, code=code), words)
    finally:
        pointer.write_bytes(good)


def test_a_pointer_is_a_link(project: Clone, tmp_path: Path) -> None:
    pointer = project.root / "data.dvt"
    good = pointer.read_bytes()
    outside = tmp_path / "outside"
    outside.write_bytes(good)
    pointer.unlink()
    pointer.symlink_to(outside)
    try:
        for verb in (["status"], ["add", "data"]):
            refused(project.run(*verb, code=6), "data.dvt is a symbolic link")
    finally:
        pointer.unlink()
        pointer.write_bytes(good)
    assert outside.read_bytes() == good


def test_what_cannot_be_tracked(tmp_path: Path) -> None:
    clone = new_clone(tmp_path / "project")
    clone.create({"data": {"a": "a\n"}})
    os.symlink("data", clone.root / "link")
    os.mkfifo(clone.root / "fifo")
    before = tree_of(clone.root)
    refused(clone.run("add", "link", code=6), "link is a symbolic link")
    refused(clone.run("add", "link/a", code=6), "link is a symbolic link")
    refused(clone.run("add", "fifo", code=6), "fifo is neither")
    assert tree_of(clone.root) == before
    (clone.root / "fifo").rename(clone.root / "data/fifo")
    refused(clone.run("add", "data", code=6), "data/fifo")
    (clone.root / "data/fifo").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        descriptor = os.open(clone.root / "data", os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{descriptor}/socket")
        os.close(descriptor)
    refused(clone.run("add", "data", code=6), "data/socket")
    (clone.root / "data/socket").unlink()
    for name in (".git", ".GIT", "git~1", ".dvtool"):
        (clone.root / "data" / name).mkdir()
        refused(clone.run("add", "data", code=6), f"data/{name}")
        (clone.root / "data" / name).rmdir()
    assert_tree(clone.root / "data", {"a": "a\n"})
    assert not (clone.root / "data.dvt").exists()


@pytest.mark.parametrize("is_project", [True, False])
def test_data_of_another_repository(tmp_path: Path, is_project: bool) -> None:
    outer = new_clone(tmp_path / "outer")
    inner = Clone(outer.root / "inner")
    inner.create({"data": {"a": "a\n"}})
    inner.git("init", "-q")
    if is_project:
        inner.run("init", "-q")
        inner.run("add", "data")
        inner.create({"data": {"a": "changed\n"}})
    before = tree_of(outer.root)
    refused(outer.run("add", "inner/data", code=6), "inner/data belongs to another repository, inner")
    refused(outer.run("add", "inner", code=6), "inner/.")
    assert tree_of(outer.root) == before


# The network.


@pytest.mark.s3
def test_wrong_bucket_and_wrong_key(project: Clone, seaweed: Seaweed) -> None:
    def run(verb: str, url: str, endpoint: str, **environ: str) -> Done:
        return with_remote(project, verb, url, endpoint, {**seaweed.environment, **environ})

    refused(run("push", "s3://no-such-bucket/x", seaweed.endpoint), "no-such-bucket")
    refused(run("pull", "s3://no-such-bucket/x", seaweed.endpoint), "no-such-bucket")
    for variable in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        done = run("push", seaweed.new_url(), seaweed.endpoint, **{variable: "WRONG"})
        refused(done, "remote origin", "key")
        assert variable in done.hint
    refused(run("push", seaweed.new_url(), seaweed.other_service), "origin")


def test_nobody_is_there(project: Clone, seaweed: Seaweed) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for verb in ("push", "pull"):
            refused(with_remote(project, verb, "s3://bucket/x", endpoint, seaweed.environment), "origin", endpoint)
    endpoint = "http://no-such-host.invalid:9000"
    refused(with_remote(project, "push", "s3://bucket/x", endpoint, seaweed.environment), "no-such-host.invalid")


def with_remote(clone: Clone, verb: str, url: str, endpoint: str, environ: dict[str, str]) -> Done:
    """The verb with that remote; it must end with 7 (for `pull`, the data is taken out of the cache)."""
    clone.run("config", "--local", "core.remote", "origin")
    clone.run("config", "--local", "remote.origin.url", url)
    clone.run("config", "--local", "remote.origin.endpointurl", endpoint)
    aside = clone.cache.with_name("aside")
    if verb == "pull":
        clone.cache.rename(aside)
    try:
        return clone.run(verb, code=7, environ=environ)
    finally:
        if aside.exists():
            subprocess.run(["rm", "-rf", str(clone.cache)], check=True)
            aside.rename(clone.cache)
        config = clone.root / ".git/dvtool/config"
        config.unlink()


def test_interrupted_push(tmp_path: Path) -> None:
    """Against a server that takes the request and never answers."""
    clone = new_clone(tmp_path / "project")
    clone.create({"data": {"a": "a\n"}})
    clone.run("add", "data")
    with socket.create_server(("127.0.0.1", 0)) as server:
        clone.run("remote", "add", "-d", "origin", "s3://bucket/x")
        clone.run("remote", "modify", "origin", "endpointurl", f"http://127.0.0.1:{server.getsockname()[1]}")
        before = tree_of(clone.root)
        credentials = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
        process = subprocess.Popen(
            ["dvtool", "push"],
            cwd=clone.root,
            env={**os.environ, **credentials},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = server.accept()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        connection.close()
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert len(err.splitlines()) <= 2
    assert out == ""
    assert tree_of(clone.root) == before
    assert_tree(clone.cache / "tmp", {})


# The disk.


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a file system can only be mounted by root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_the_cache_is_on_a_full_disk(tmp_path: Path, tiny: Path) -> None:
    clone = new_clone(tmp_path / "project")
    clone.run("cache", "dir", tiny / "cache")
    clone.create({"large": noise("large", 3 << 20), "data": {f"f{n}": noise(f"{n}", 30_000) for n in range(60)}})
    before = tree_of(clone.root)
    for target in ("large", "data"):
        refused(clone.run("add", target, code=7), str(tiny))
        assert tree_of(clone.root) == before
        assert files_in(tiny / "cache/tmp") == {}
    subprocess.run(["mount", "-o", "remount,size=20m", str(tiny)], check=True)
    clone.run("add", "large", "data")
    clone.run("status", "--exit-code", code=1)


def test_the_worktree_is_on_a_full_disk(tmp_path: Path, tiny: Path) -> None:
    clone = new_clone(tmp_path / "project")
    clone.run("remote", "add", "-d", "origin", tmp_path / "remote")
    clone.create({"large": noise("large", 700_000), "small": "small\n", "data": {"a": noise("a", 600_000)}})
    clone.run("add", "large", "small", "data")
    clone.commit()
    clone.run("push")
    copy = clone.clone(tiny / "copy")
    copy.run("cache", "dir", tmp_path / "cache")
    refused(copy.run("pull", code=7), "large: No space left")
    whole = tree_of(clone.root)
    for name, node in tree_of(copy.root).items():
        assert node in (whole[name], {}), name
    subprocess.run(["mount", "-o", "remount,size=20m", str(tiny)], check=True)
    copy.run("pull")
    assert tree_of(copy.root) == whole


def test_the_cache_is_read_only(tmp_path: Path, tiny: Path) -> None:
    clone = new_clone(tmp_path / "project")
    clone.run("cache", "dir", tiny / "cache")
    clone.create({"data": {"a": "a1\n", "b": "b\n"}})
    clone.run("add", "data")
    clone.commit()
    subprocess.run(["mount", "-o", "remount,ro", str(tiny)], check=True)
    clone.run("status", "--exit-code")
    clone.create({"data": {"a": "a2\n"}})
    pointer = (clone.root / "data.dvt").read_bytes()
    refused(clone.run("add", "data", code=7), str(tiny))
    assert (clone.root / "data.dvt").read_bytes() == pointer
    assert_tree(clone.root / "data", {"a": "a2\n", "b": "b\n"})
    (clone.root / "data/b").unlink()
    (clone.root / "data/a").unlink()
    clone.run("checkout")
    assert_tree(clone.root / "data", {"a": "a1\n", "b": "b\n"})


def files_in(directory: Path) -> NormalTree:
    return tree_of(directory) if directory.exists() else {}
