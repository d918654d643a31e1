"""Definitions without templates."""

from __future__ import annotations

import pytest

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.model.paths import DEFINITION_NAME
from dvtool.pipeline.definition import parse
from dvtool.pipeline.types import Definition
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Mark
from dvtool.pipeline.types import Out
from dvtool.pipeline.types import OutKind
from dvtool.pipeline.types import ParamsDep
from dvtool.pipeline.types import Retry
from dvtool.pipeline.types import Stage


def read(text: str, file: bytes = DEFINITION_NAME) -> Definition:
    return parse(text.encode(), file, lambda path: None)


def stage(body: str, file: bytes = DEFINITION_NAME) -> Stage:
    """The one stage with these lines in it."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    (found,) = read(f"stages:\n  a:\n{lines}", file).stages
    return found


def refused(text: str, error: type[Exception] = ConfigError) -> tuple[str, str | None]:
    with pytest.raises(error) as caught:
        read(text)
    message = str(caught.value)
    assert "\n" not in message
    return message, getattr(caught.value, "hint", None)


@pytest.mark.parametrize("text", ["", "# nothing\n", "stages:\n", "stages: {}\n"])
def test_a_definition_may_be_empty(text: str) -> None:
    assert read(text) == Definition(DEFINITION_NAME, ())


def test_every_key_of_a_stage() -> None:
    found = stage(
        """
cmd: [python a.py, python b.py]
wdir: ../src
deps: [a.csv, ../b.csv]
params: [lr, model.json: [depth], other.toml: ]
outs: [model: {cache: false, persist: true, push: false, remote: big, desc: it, labels: [x]}]
metrics: [m.json: {cache: false}]
plots: [p.csv: {x: step, header: false}]
frozen: true
always_changed: true
desc: What it does
meta: {any: [1, x]}
env: {vars: {SEED: 010, NAME: x, ON: yes, FLAG: true}}
timeout: 15m
retry: {times: 3, wait: 5, backoff: 2}
on_error: continue
resources: {cpu: 2, memory: 4Gi, licence: 1}
""".replace("other.toml: ]", "{other.toml: }]"),
        b"sub/dvtool.yaml",
    )
    file = b"sub/dvtool.yaml"
    assert found == Stage(
        file=file,
        name="a",
        at=Mark(file, 2, 3),
        commands=("python a.py", "python b.py"),
        wdir=b"src",
        deps=(
            Dep(DepKind.PATH, b"src/a.csv", "", Mark(file, 5, 12)),
            Dep(DepKind.PATH, b"b.csv", "", Mark(file, 5, 19)),
        ),
        params=(
            ParamsDep(b"src/params.yaml", ("lr",), Mark(file, 6, 14)),
            ParamsDep(b"src/model.json", ("depth",), Mark(file, 6, 18)),
            ParamsDep(b"src/other.toml", (), Mark(file, 6, 40)),
        ),
        outs=(
            Out(b"src/model", OutKind.OUT, Mark(file, 7, 12), cache=False, persist=True, push=False, remote="big",
                about={"desc": "it", "labels": ["x"]}),
            Out(b"src/m.json", OutKind.METRIC, Mark(file, 8, 15), cache=False),
            Out(b"src/p.csv", OutKind.PLOT, Mark(file, 9, 13), about={"x": "step", "header": False}),
        ),
        frozen=True,
        always_changed=True,
        desc="What it does",
        meta={"any": [1, "x"]},
        environment={"SEED": "010", "NAME": "x", "ON": "yes", "FLAG": "true"},
        timeout=900.0,
        retry=Retry(3, 5.0, 2.0),
        go_on=True,
        resources={"cpu": 2.0, "memory": float(4 << 30), "licence": 1.0},
    )  # fmt: skip


def test_lines_of_one_command_text_run_in_turn() -> None:
    assert stage("cmd: |\n  echo a\n\n  echo b").commands == ("echo a", "echo b")
    assert stage("cmd:\n  - |\n    echo a\n    echo b").commands == ("echo a\necho b\n",)


def test_argv_takes_words_as_they_are_written() -> None:
    assert stage("argv: [run, 1.10, 0x1F, yes, true, 'a b', '']").argv == (
        "run", "1.10", "0x1F", "yes", "true", "a b", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a//b/./c/", "a/b/c"),
        ("{path: a}", "a"),
        ("{glob: 'd/**/*.csv'}", "glob:d/**/*.csv"),
        ("{path: f.yaml, key: a.b}", "f.yaml#key:a.b"),
        ("{path: f, lines: 3-10}", "f#lines:3-10"),
        ("{path: f, lines: 3-}", "f#lines:3-"),
        ("{path: f, lines: 3}", "f#lines:3-3"),
        ("{path: f, regex: '^x'}", "f#regex:^x"),
        ("{env: HOME}", "env:HOME"),
        ("{url: 'https://host/x'}", "url:https://host/x"),
        ("s3://bucket/x", "url:s3://bucket/x"),
        ("{cmd: git rev-parse HEAD}", "cmd:git rev-parse HEAD"),
        ("'data/*.csv'", "data/*.csv"),
    ],
)
def test_every_kind_of_dependency(text: str, name: str) -> None:
    assert [dep.name for dep in stage(f"cmd: x\ndeps:\n- {text}").deps] == [name]


def test_a_file_tracked_as_a_whole_has_no_keys() -> None:
    found = stage("cmd: x\nparams: [a, {params.yaml: }, b, {c.yaml: [d]}, {c.yaml: [e, d]}]").params
    assert [(each.file, each.keys) for each in found] == [(b"params.yaml", ()), (b"c.yaml", ("d", "e"))]


def test_the_same_output_twice_has_the_options_of_both() -> None:
    (out,) = stage("cmd: x\nouts: [a: {cache: false}, a, a: {push: false}]").outs
    assert (out.cache, out.push) == (False, False)


def test_the_top_level() -> None:
    found = read(
        "params: [a.yaml]\nmetrics: [m.json, m.json]\nplots: [p.csv, x: {y: {f: [a]}}]\n"
        "artifacts: {m: {path: model, type: model}}\n",
        b"d/dvtool.yaml",
    )
    assert found == Definition(
        b"d/dvtool.yaml", (), (b"d/a.yaml",), (b"d/m.json",), ("p.csv", {"x": {"y": {"f": ["a"]}}}),
        {"m": {"path": "model", "type": "model"}},
    )  # fmt: skip


def test_merge_keys_and_aliases() -> None:
    found = read("stages:\n  a: &a\n    cmd: x\n    deps: [d]\n  b:\n    <<: *a\n    cmd: y\n")
    assert [(each.name, each.commands, each.deps[0].path) for each in found.stages] == [
        ("a", ("x",), b"d"),
        ("b", ("y",), b"d"),
    ]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("stage: {}", "dvtool.yaml:1:1: 'stage' is no key of dvtool.yaml", "did you mean `stages`?"),
        ("stages:\n  a:\n    comd: x", "dvtool.yaml:3:5: 'comd' is no key of a stage", "did you mean `cmd`?"),
        ("stages:\n  a: {cmd: x, frozen: yes}", "2:23: expected true or false, found the text 'yes'", None),
        ("stages:\n  a: {cmd: x, deps: [2024]}", "2:22: expected text, found the number 2024", "quotes: '2024'"),
        ("stages:\n  a: {cmd: x, deps: data}", "expected a list of dependencies, found the text 'data'", None),
        ("stages:\n  a: {deps: [x]}", "dvtool.yaml:2:3: stage a has no `cmd`", "cmd: python x.py"),
        ("stages:\n  a: {cmd: x, argv: [x]}", "2:15: stage a has `cmd` and `argv`", None),
        ("stages:\n  a: {cmd: x, outs: [o: {cach: false}]}", "'cach' is no key of an output", "`cache`"),
        ("stages:\n  a: {cmd: x, deps: [{glob: a, env: B}]}", "a dependency is on one thing", None),
        ("stages:\n  a: {cmd: x, deps: [{key: a}]}", "a dependency with `key` needs `path`", None),
        ("stages:\n  a: {cmd: x, deps: [{path: f, lines: 4-2}]}", "the range 4-2 ends before it begins", None),
        ("stages:\n  a: {cmd: x, deps: [{path: f, regex: '('}]}", "no regular expression", None),
        ("stages:\n  a: {cmd: x, deps: ['https://u:p@h/x']}", "a password stands in the URL", None),
        ("stages:\n  a: {cmd: x, deps: ['.']}", "'.' is the whole project", None),
        ("stages:\n  a: {cmd: x, outs: ['s3://b/x']}", "an output lies in the project", None),
        ("stages:\n  a: {cmd: x, timeout: soon}", "no length of time", None),
        ("stages:\n  a: {cmd: x, on_error: ignore}", "expected `fail` or `continue`", None),
        ("stages:\n  a: {cmd: x, env: {vars: {A B: c}}}", "no name of a variable", None),
        ("stages:\n  a: {cmd: x, retry: {wait: 3}}", "`times` is missing in retry", None),
        ("stages:\n  a: {cmd: x, resources: {cpu: -1}}", "a resource is not negative", None),
        ("stages:\n  a@b: {cmd: x}", "holds @ or :", None),
        ("stages:\n  a: {cmd: x}\n  a: {cmd: y}", "dvtool.yaml:3:3: the key 'a' stands there already, in line 2", None),
        ("stages:\n  a: [cmd", "not valid YAML", None),
        ("datasets: []", "'datasets' is no key", "dvtool has no `datasets`"),
        ("artifacts: {m: {type: x}}", "`path` is missing in an artifact", None),
        ("<<<<<<< HEAD\nstages:\n", "a Git merge left conflict markers in it", "both sides"),
        ("a: !!python/object:os.system x", "the YAML tag 'tag:yaml.org,2002:python/object:os.syste' is not", None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line_with_its_place(text: str, message: str, hint: str | None) -> None:
    found, advice = refused(text)
    assert found.startswith("dvtool.yaml:")
    assert message in found
    assert hint is None or hint in (advice or "")


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", ".git/hooks/x", "a/../../x", ".GIT/x", "a\\b", '"a\\tb"', "C:/x"]
)
@pytest.mark.parametrize("key", ["deps", "outs", "wdir"])
def test_paths_that_lead_out_of_the_project_are_refused(path: str, key: str) -> None:
    value = path if key == "wdir" else f"[{path}]"
    refused(f"stages:\n  a: {{cmd: x, {key}: {value}}}", UnsafeInput)
