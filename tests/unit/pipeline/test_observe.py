"""What a stage's inputs and outputs are now."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dvtool.errors import ConfigError
from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.hashing.digests import object_id
from dvtool.model.pointer import Kind
from dvtool.pipeline.observe import Observer
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Mark
from dvtool.pipeline.types import ParamsDep
from dvtool.pipeline.values import value_at
from dvtool.project.parts import open_worktree
from tests.support.workbench import Workbench
from tests.unit.pipeline.made import stage

AT = Mark(b"dvtool.yaml", 7, 1)


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "repo")


@contextmanager
def observer(bench: Workbench, environ: Mapping[str, str] = {}, **more: Any) -> Iterator[Observer]:
    with open_worktree(bench.project) as worktree:
        yield Observer(worktree, lambda text, _: json.loads(text), environ=environ, **more)


def dep(kind: DepKind, path: str, detail: str = "") -> Dep:
    return Dep(kind, path.encode(), detail, AT)


def digest(content: Content | None) -> bytes:
    assert content is not None
    return content.digest.raw


def test_files_and_directories_have_the_digests_that_add_gives(bench: Workbench) -> None:
    bench.create({"data": {"a": "1", "sub": {"b": "22"}}, "file": "hello"})
    with observer(bench) as look:
        directory, file = look.content(b"data"), look.content(b"file")
        assert look.content(b"nothing") is None
    added = {each.path: each for each in bench.add("data", "file").added}
    assert directory is not None and file is not None
    assert (str(directory.digest), directory.size, directory.files) == (added[b"data"].digest, 3, 2)
    assert (str(file.digest), file.size, file.kind) == (added[b"file"].digest, 5, Kind.FILE)


def test_what_was_seen_is_not_looked_at_again_until_it_is_forgotten(bench: Workbench) -> None:
    bench.create({"data": {"a": "1"}, "other": "x"})
    with observer(bench) as look:
        before = look.content(b"data"), look.content(b"other")
        (bench.root / "data/a").write_text("2")
        (bench.root / "other").write_text("y")
        assert (look.content(b"data"), look.content(b"other")) == before
        look.forget([b"data/a"])
        assert look.content(b"data") != before[0]
        assert look.content(b"other") == before[1]


def test_links_count_as_what_is_behind_them(bench: Workbench, tmp_path: Path) -> None:
    bench.create({"real": "one"})
    (tmp_path / "outside").write_text("two")
    for name, target in (("inside", "real"), ("outside", "../outside"), ("gone", "nowhere"), ("self", "self")):
        os.symlink(target, bench.root / name)
    with observer(bench) as look:
        assert look.content(b"inside") == look.content(b"real")
        assert digest(look.content(b"outside")) == object_id(b"two")
        assert look.content(b"gone") is None
        assert look.content(b"self") is None


def test_globs_see_names_and_contents(bench: Workbench) -> None:
    bench.create({"src": {"a.py": "1", "deep": {"b.py": "2"}, "c.txt": "3"}})
    pattern = dep(DepKind.GLOB, "src/**/*.py")
    with observer(bench) as look:
        first = look.dependency(pattern)
        assert look.dependency(dep(DepKind.GLOB, "src/*.none")) is None
    (bench.root / "src/c.txt").write_text("other")
    with observer(bench) as look:
        assert look.dependency(pattern) == first
    (bench.root / "src/deep/b.py").rename(bench.root / "src/deep/c.py")
    with observer(bench) as look:
        assert look.dependency(pattern) != first


def test_parts_of_files(bench: Workbench) -> None:
    bench.create({"p.json": '{"a": {"b": [1, 2]}, "c": 3}', "names.txt": "Dr A\nMr B\nDr C\nMs D"})

    def parts() -> list[bytes]:
        with observer(bench) as look:
            return [
                digest(look.dependency(dep(DepKind.KEY, "p.json", "a.b"))),
                digest(look.dependency(dep(DepKind.LINES, "names.txt", "2-3"))),
                digest(look.dependency(dep(DepKind.REGEX, "names.txt", "^Dr"))),
            ]

    before = parts()
    assert before == [object_id(b"[1, 2]"), object_id(b"Mr B\nDr C\n"), object_id(b"Dr A\nDr C\n")]
    (bench.root / "p.json").write_text('{"c": 4, "a": {"b": [1,2]}}')
    (bench.root / "names.txt").write_text("Dr A\nMr B\nDr C\nMs E")
    assert parts() == before
    (bench.root / "names.txt").write_text("Dr A\nMr X\nDr C\nMs E")
    assert parts() == [before[0], object_id(b"Mr X\nDr C\n"), before[2]]


def test_a_key_that_is_not_there_differs_from_every_value(bench: Workbench) -> None:
    bench.create({"p.json": '{"a": null}'})
    with observer(bench) as look:
        absent = look.dependency(dep(DepKind.KEY, "p.json", "b"))
        assert absent is not None and absent != look.dependency(dep(DepKind.KEY, "p.json", "a"))
        assert look.dependency(dep(DepKind.KEY, "none.json", "a")) is None


def test_a_variable_that_is_empty_differs_from_one_that_is_not_set(bench: Workbench) -> None:
    variable = dep(DepKind.ENV, "", "MODE")
    found = []
    for environ in ({}, {"MODE": ""}, {"MODE": "fast"}):
        with observer(bench, environ) as look:
            found.append(digest(look.dependency(variable)))
    assert len(set(found)) == 3


def test_what_would_start_something_is_left_out_unless_somebody_evaluates_it(bench: Workbench) -> None:
    url = Dep(DepKind.URL, b"", "https://example.org/x", AT)
    made = stage("s", "")
    made = type(made)(**{**{name: getattr(made, name) for name in made.__slots__}, "deps": (url,)})
    with observer(bench) as look:
        assert look.observe(made).deps == {}
    with observer(bench, evaluate=lambda _: None) as look:
        assert look.observe(made).deps == {"url:https://example.org/x": None}


def test_parameters_by_key_and_whole(bench: Workbench) -> None:
    bench.create({"p.json": '{"a": {"b": 1}, "x.y": 2}'})
    with observer(bench) as look:
        assert look.parameters(ParamsDep(b"p.json", ("a.b", "x.y", "none"), AT)) == {"a.b": 1, "x.y": 2}
        assert look.parameters(ParamsDep(b"p.json", (), AT)) == {"a": {"b": 1}, "x.y": 2}
        assert look.parameters(ParamsDep(b"absent.json", ("a",), AT)) == {}


def test_what_should_stand_there_stands_in_for_what_does_not(bench: Workbench) -> None:
    bench.create({"here": "x"})
    with observer(bench) as look:
        here = look.content(b"here")
    with observer(bench, absent=lambda path: here if path == b"data" else None) as look:
        assert look.content(b"data") == here
        assert look.content(b"other") is None


def test_a_broken_expression_is_named_with_its_place(bench: Workbench) -> None:
    bench.create({"f": "x"})
    with observer(bench) as look, pytest.raises(ConfigError, match=r"dvtool\.yaml:7"):
        look.dependency(dep(DepKind.REGEX, "f", "("))


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a", ({"b": [5, {"c": 6}]},)),
        ("a.b.0", (5,)),
        ("a.b.1.c", (6,)),
        ("a.b.9", None),
        ("d.e", (7,)),
        ("d.e.f", (8,)),
    ],
)
def test_dotted_keys(key: str, expected: tuple[Json] | None) -> None:
    assert value_at({"a": {"b": [5, {"c": 6}]}, "d.e": 7, "d": {"e.f": 8}}, key) == expected
