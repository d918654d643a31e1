"""The world of the pipeline verbs, put together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from dvtool.errors import ConfigError
from dvtool.formats.lock import LockedStage
from dvtool.formats.lock import Storing
from dvtool.formats.lock import encode_lock
from dvtool.model.pointer import Kind
from dvtool.pipeline.types import Definition
from dvtool.project.pipelines import Pipeline
from dvtool.project.pipelines import open_pipeline
from dvtool.store.gaps import Gap
from tests.support.workbench import Workbench
from tests.unit.pipeline.made import definition
from tests.unit.pipeline.made import stage


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "repo")


def opened(bench: Workbench, *definitions: Definition, allow_missing: bool = False) -> Pipeline:
    pipeline = open_pipeline(bench.project, allow_missing=allow_missing)
    pipeline.__dict__["definitions"] = definitions
    return pipeline


def locked(pipeline: Pipeline, outs: Sequence[str], storing: Storing | None = None) -> LockedStage:
    found = {os.fsencode(path): pipeline.observer.content(os.fsencode(path)) for path in outs}
    contents = {path: content for path, content in found.items() if content is not None}
    return LockedStage(("run",), outs=contents, storing={} if storing is None else dict.fromkeys(contents, storing))


def write_lock(bench: Workbench, name: str, record: LockedStage) -> None:
    (bench.root / "dvtool.lock").write_bytes(encode_lock({name: record}))


def test_stages_and_pointers_are_one_graph(bench: Workbench) -> None:
    bench.track({"raw.csv": "1"})
    with opened(bench, definition(stage("prepare", deps="raw.csv", outs="clean"))) as pipeline:
        assert pipeline.tracked == {b"raw.csv": b"raw.csv.dvt"}
        assert list(pipeline.graph.stages) == ["prepare"]


def test_a_path_with_a_pointer_is_no_output(bench: Workbench) -> None:
    bench.track({"raw.csv": "1"})
    with (
        opened(bench, definition(stage("prepare", outs="raw.csv"))) as pipeline,
        pytest.raises(ConfigError, match=r"dvtool.yaml:1: raw.csv belongs to stage prepare .* \(raw.csv.dvt\)"),
    ):
        pipeline.graph  # noqa: B018


def test_locks_are_read_by_stage(bench: Workbench) -> None:
    known, other = stage("known"), stage("other")
    write_lock(bench, "known", LockedStage(("run known",)))
    with opened(bench, definition(known, other)) as pipeline:
        assert pipeline.locks.of(known) == LockedStage(("run known",))
        assert pipeline.locks.of(other) is None


def test_a_graph_opens_no_worktree(bench: Workbench) -> None:
    with opened(bench, definition(stage("one"))) as pipeline:
        assert pipeline.graph.stages
        assert not {"worktree", "cache", "locks"} & vars(pipeline).keys()


def test_what_the_cache_lacks_of_a_recorded_output(bench: Workbench) -> None:
    bench.track({"stored": {"a": "1", "sub": {"b": "22"}}, "file": "333"})
    bench.create({"new": {"c": "4444", "sub": {"b": "22"}}, "other": "55555"})
    with opened(bench) as pipeline:
        whole, part = locked(pipeline, ["stored", "file"]), locked(pipeline, ["new"])
        assert pipeline.in_cache(whole)
        assert not pipeline.in_cache(part)
        assert pipeline.gap(part.outs[b"new"]) == Gap(2, 6)
        assert pipeline.gap(locked(pipeline, ["other"]).outs[b"other"]) == Gap(1, 5)


def test_an_output_outside_the_cache_is_at_hand_where_it_stands(bench: Workbench) -> None:
    bench.create({"metrics.json": "{}"})
    with opened(bench) as pipeline:
        record = locked(pipeline, ["metrics.json"], Storing(cache=False))
        assert pipeline.in_cache(record)
        (bench.root / "metrics.json").write_text("{1}")
        pipeline.observer.forget([b"metrics.json"])
        assert not pipeline.in_cache(record)


def test_what_is_absent_counts_as_recorded_on_demand(bench: Workbench) -> None:
    bench.track({"raw": {"a": "1"}})
    bench.create({"clean": "2"})
    one = stage("prepare", deps="raw", outs="clean")
    with opened(bench, definition(one)) as pipeline:
        write_lock(bench, "prepare", locked(pipeline, ["clean"]))
    (bench.root / "clean").unlink()
    (bench.root / "raw/a").unlink()
    (bench.root / "raw").rmdir()
    with opened(bench, definition(one)) as pipeline:
        assert pipeline.observer.content(b"raw") is None
    with opened(bench, definition(one), allow_missing=True) as pipeline:
        raw, clean = pipeline.observer.content(b"raw"), pipeline.observer.content(b"clean")
        assert raw is not None and (raw.kind, raw.files, raw.size) == (Kind.DIRECTORY, 1, 1)
        assert clean == pipeline.locks.beside(b"dvtool.yaml")["prepare"].outs[b"clean"]
        assert pipeline.observer.content(b"nowhere") is None
