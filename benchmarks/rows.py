"""The rows on many small files: one function each."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import data
from benchmarks import s3
from benchmarks.measure import Sample
from benchmarks.measure import stored_bytes
from benchmarks.measure import timed
from benchmarks.model import AtMost
from benchmarks.model import Contender
from benchmarks.model import Counts
from benchmarks.model import Faster
from benchmarks.model import Mark
from benchmarks.model import Row
from benchmarks.model import Within
from benchmarks.scenes import Bench
from benchmarks.scenes import copy
from benchmarks.scenes import removed
from benchmarks.scenes import same
from benchmarks.tools import Versioner


def add(bench: Bench) -> Row:
    source = bench.files(data.FILES)

    def versioner(tool: Versioner) -> Contender:
        repo = bench.directory("add", tool.name)

        def prepare(_run: int) -> None:
            tool.init(repo)
            copy(source, repo / "data")

        return Contender(tool.name, lambda _run: tool.call(repo, "add", "data"), prepare)

    contenders = [versioner(tool) for tool in bench.tools]
    contenders.append(_git_add(bench, source))
    if bench.restic is not None:
        contenders.append(_restic_backup(bench, bench.restic, source))
    floor = [
        sys.executable,
        str(Path(__file__).with_name("floor.py")),
        str(source),
        str(bench.directory("add", "floor")),
    ]
    contenders.append(Contender("read + hash + append", lambda _run: _plain(bench, source, *floor)))
    return Row(f"`add` {bench.count(data.FILES):,} files of 1-4 KB", contenders, [Faster("DVC", 12)])


def _git_add(bench: Bench, source: Path) -> Contender:
    repo = bench.directory("add", "git")

    def prepare(_run: int) -> None:
        removed(repo)
        repo.mkdir(parents=True)
        bench.dvtool.git(repo, "init", "--quiet")
        copy(source, repo / "data")

    return Contender("git add", lambda _run: _plain(bench, repo, "git", "add", "data"), prepare)


def _restic_backup(bench: Bench, restic: str, source: Path) -> Contender:
    store = bench.directory("add", "restic")

    def prepare(_run: int) -> None:
        removed(store)
        _plain(bench, source, restic, "init", "-q", "-r", str(store))

    return Contender(
        "restic", lambda _run: _plain(bench, source, restic, "-q", "-r", str(store), "backup", "."), prepare
    )


def status(bench: Bench) -> Row:
    source = bench.files(data.FILES)

    def versioner(tool: Versioner) -> Contender:
        repo = bench.added(tool, source)
        return Contender(tool.name, lambda _run: tool.call(repo, "status"))

    repo = bench.directory("status", "git")
    repo.mkdir(parents=True)
    bench.dvtool.git(repo, "init", "--quiet")
    copy(source, repo / "data")
    bench.dvtool.commit(repo, "data")
    _plain(bench, repo, "git", "status", "--short")
    contenders = [
        *(versioner(tool) for tool in bench.tools),
        Contender("git status", lambda _run: _plain(bench, repo, "git", "status")),
        Contender("find -printf", lambda _run: _plain(bench, repo, "find", ".", "-printf", "%s %T@ %p\n")),
    ]
    return Row("`status`, nothing changed, same tree", contenders, [Faster("DVC", 7), Within("git status", 3)])


def add_again(bench: Bench) -> Row:
    source = bench.files(data.FILES)

    def versioner(tool: Versioner) -> Contender:
        repo = bench.added(tool, source)

        def prepare(run: int) -> None:
            tool.commit(repo, "before the change")
            data.edit_one(repo / "data", run)

        return Contender(tool.name, lambda _run: tool.call(repo, "add", "data"), prepare)

    def count() -> Counts:
        repo = bench.added(bench.dvtool, source)
        data.edit_one(repo / "data", 1000)
        hashed = number(bench.dvtool.call(repo, "add", "--json", "data"), "hashed")
        bench.dvtool.commit(repo, "counted")
        return {} if hashed is None else {"files hashed": hashed}

    contenders = [versioner(tool) for tool in bench.tools]
    return Row("`add` again after 1 change", contenders, [Faster("DVC", 8), AtMost("files hashed", 1)], count)


def checkout(bench: Bench) -> Row:
    source = bench.files(data.FILES)

    def versioner(tool: Versioner) -> Contender:
        repo = bench.added(tool, source)
        kept = bench.directory("checkout", f"{tool.name}-kept")

        def prepare(run: int) -> None:
            if run == 0:
                copy(repo / "data", kept)
            removed(repo / "data")

        return Contender(
            tool.name, lambda _run: tool.call(repo, "checkout"), prepare, lambda: same(kept, repo / "data")
        )

    archive, out = bench.directory("checkout", "data.tar"), bench.directory("checkout", "tar")
    _plain(bench, source, "tar", "cf", str(archive), ".")

    def prepare_tar(_run: int) -> None:
        removed(out)
        out.mkdir()

    tar = Contender("tar xf", lambda _run: _plain(bench, out, "tar", "xf", str(archive)), prepare_tar)
    contenders = [*(versioner(tool) for tool in bench.tools), tar]
    return Row("`checkout` of the tree from the cache", contenders, [Faster("DVC", 3), Within("tar xf", 1.5)])


def push(bench: Bench) -> Row:
    return _push(bench, data.FILES, lambda: None, "`push` to a directory", [Faster("DVC", 15)])


def pull(bench: Bench) -> Row:
    return _pull(bench, data.FILES, lambda: None, "`pull` from a directory into a fresh clone", [Faster("DVC", 5)])


def s3_push(bench: Bench) -> Row:
    marks: list[Mark] = [Faster("DVC", 12), AtMost("requests, % of files", 1)]
    return _push(bench, data.SMALL_FILES, bench.s3_endpoint, "S3: `push`", marks, _counted_push(bench))


def s3_pull(bench: Bench) -> Row:
    marks: list[Mark] = [Faster("DVC", 10), AtMost("requests, % of files", 1)]
    return _pull(
        bench, data.SMALL_FILES, bench.s3_endpoint, "S3: `pull` into a fresh clone", marks, _counted_pull(bench)
    )


def push_nothing(bench: Bench) -> Row:
    source = bench.files(data.FILES)

    def versioner(tool: Versioner) -> Contender:
        repo = bench.added(tool, source)
        bench.remote(tool, repo)
        tool.call(repo, "push")
        return Contender(tool.name, lambda _run: tool.call(repo, "push"))

    def count() -> Counts:
        tool, few = bench.dvtool, bench.files(data.SMALL_FILES)
        repo = bench.added(tool, few)
        found: dict[str, float] = {}
        with s3.counting_proxy() as (endpoint, counted):
            bench.s3_endpoint()
            bench.remote(tool, repo, endpoint=endpoint)
            for commits in (1, 20):
                for edit in range(1, commits):
                    data.edit_one(repo / "data", 2000 + edit)
                    tool.call(repo, "add", "data")
                    tool.commit(repo, f"version {edit}")
                    tool.call(repo, "push")
                tool.call(repo, "push")
                counted.requests.clear()
                tool.call(repo, "push")
                found[f"S3 requests after {commits} pushed versions"] = counted.requests.total()
        before, after = found.values()
        return {**found, "requests more after 20 versions": after - before}

    contenders = [versioner(tool) for tool in bench.tools]
    marks: list[Mark] = [Faster("DVC", 4), AtMost("requests more after 20 versions", 0)]
    return Row("`push` with nothing to send", contenders, marks, count)


def one_folder_add(bench: Bench) -> Row:
    source = bench.files(data.FILES, folders=0)

    def versioner(tool: Versioner) -> Contender:
        repo = bench.added(tool, source)
        return Contender(
            tool.name,
            lambda _run: tool.call(repo, "add", "data"),
            lambda run: _ignore(data.edit_one(repo / "data", run)),
        )

    contenders = [versioner(tool) for tool in bench.tools]
    return Row(f"{bench.count(data.FILES):,} files in one folder: `add` after 1 change", contenders, [Faster("DVC", 8)])


def one_folder_push(bench: Bench) -> Row:
    source = bench.files(data.FILES, folders=0)
    remotes: dict[str, Path | str] = {}

    def versioner(tool: Versioner) -> Contender:
        repo = bench.added(tool, source)
        remotes[tool.name] = bench.remote(tool, repo)
        tool.call(repo, "push")

        def prepare(run: int) -> None:
            data.edit_one(repo / "data", run)
            tool.call(repo, "add", "data")
            tool.commit(repo, "changed")

        return Contender(tool.name, lambda _run: tool.call(repo, "push"), prepare)

    def count() -> Counts:
        tool = bench.dvtool
        repo = bench.added(tool, source)
        data.edit_one(repo / "data", 3000)
        tool.call(repo, "add", "data")
        tool.commit(repo, "counted")
        before = stored_bytes(Path(remotes[tool.name]))
        tool.call(repo, "push")
        return {"KB sent for 1 change": round((stored_bytes(Path(remotes[tool.name])) - before) / 1000, 1)}

    contenders = [versioner(tool) for tool in bench.tools]
    marks: list[Mark] = [AtMost("KB sent for 1 change", 256)]
    return Row("The same folder: `push` of that change", contenders, marks, count)


def _push(
    bench: Bench,
    files: int,
    endpoint: Callable[[], str | None],
    title: str,
    marks: list[Mark],
    count: Callable[[], Counts] | None = None,
) -> Row:
    source = bench.files(files)
    url = endpoint()

    def versioner(tool: Versioner) -> Contender:
        repo = bench.added(tool, source)
        last: list[Path | str] = []

        def prepare(_run: int) -> None:
            for old in last:
                if isinstance(old, Path):
                    removed(old)
            last[:] = [bench.remote(tool, repo, endpoint=url)]

        return Contender(tool.name, lambda _run: tool.call(repo, "push"), prepare)

    contenders = [versioner(tool) for tool in bench.tools]
    if url is not None and bench.restic is not None:
        restic, stores = bench.restic, []

        def prepare_restic(_run: int) -> None:
            stores.append(f"s3:{url}/{s3.BUCKET}/{bench.new('restic')}")
            _plain(bench, source, restic, "init", "-q", "-r", stores[-1])

        def backup(_run: int) -> Sample:
            return _plain(bench, source, restic, "-q", "-r", stores[-1], "backup", ".")

        contenders.append(Contender("restic", backup, prepare_restic))
    return Row(f"{title} ({bench.count(files):,} files)", contenders, marks, count)


def _pull(
    bench: Bench,
    files: int,
    endpoint: Callable[[], str | None],
    title: str,
    marks: list[Mark],
    count: Callable[[], Counts] | None = None,
) -> Row:
    source = bench.files(files)
    url = endpoint()

    def versioner(tool: Versioner) -> Contender:
        repo, clone = bench.added(tool, source), bench.directory("clones", f"{tool.name}-{files}")
        bench.remote(tool, repo, endpoint=url)
        tool.call(repo, "push")
        return Contender(
            tool.name,
            lambda _run: tool.call(clone, "pull"),
            lambda _run: tool.clone(repo, clone),
            lambda: same(repo / "data", clone / "data"),
        )

    contenders = [versioner(tool) for tool in bench.tools]
    if url is not None and bench.restic is not None:
        contenders.append(_restic_restore(bench, bench.restic, source, f"s3:{url}/{s3.BUCKET}/{bench.new('restic')}"))
    return Row(f"{title} ({bench.count(files):,} files)", contenders, marks, count)


def _restic_restore(bench: Bench, restic: str, source: Path, store: str) -> Contender:
    out = bench.directory("clones", "restic")
    _plain(bench, source, restic, "init", "-q", "-r", store)
    _plain(bench, source, restic, "-q", "-r", store, "backup", ".")
    cache = Path(bench.dvtool.environment["HOME"]) / ".cache" / "restic"

    def prepare(_run: int) -> None:
        removed(out)
        shutil.rmtree(cache, ignore_errors=True)

    def restore(_run: int) -> Sample:
        return _plain(bench, source, restic, "-q", "-r", store, "restore", "latest", "--target", str(out))

    return Contender("restic", restore, prepare)


def _counted_push(bench: Bench) -> Callable[[], Counts]:
    def count() -> Counts:
        repo = bench.added(bench.dvtool, bench.files(data.SMALL_FILES))
        with s3.counting_proxy() as (endpoint, counted):
            bench.remote(bench.dvtool, repo, endpoint=endpoint)
            bench.dvtool.call(repo, "push")
            return _share(bench, counted, counted.sent)

    return count


def _counted_pull(bench: Bench) -> Callable[[], Counts]:
    def count() -> Counts:
        tool = bench.dvtool
        repo, clone = bench.added(tool, bench.files(data.SMALL_FILES)), bench.directory("clones", "counted")
        with s3.counting_proxy() as (endpoint, counted):
            bench.remote(tool, repo, endpoint=endpoint)
            tool.call(repo, "push")
            tool.clone(repo, clone)
            counted.requests.clear()
            counted.received = 0
            tool.call(clone, "pull")
            return _share(bench, counted, counted.received)

    return count


def _share(bench: Bench, counted: s3.Counted, transferred: int) -> Counts:
    requests = counted.requests.total()
    return {
        "requests": requests,
        "requests, % of files": round(100 * requests / bench.count(data.SMALL_FILES), 3),
        "MB transferred": round(transferred / 1e6, 1),
    }


def _plain(bench: Bench, cwd: Path, *command: str) -> Sample:
    return timed(command, cwd, bench.dvtool.environment)


def _ignore(_value: object) -> None:
    return


def number(sample: Sample, name: str) -> float | None:
    """The first number called *name* anywhere in the JSON that a command printed."""
    try:
        waiting = [json.loads(sample.output)]
    except ValueError:
        return None
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get(name), int | float):
                return float(value[name])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return None
