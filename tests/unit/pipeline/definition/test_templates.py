"""Templates beyond what DVC has an answer for: errors, and values that may not become commands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dvtool.errors import ConfigError
from dvtool.errors import UnsafeInput
from dvtool.formats.lock import Json
from dvtool.model.paths import DEFINITION_NAME
from dvtool.pipeline.definition import parse
from dvtool.pipeline.types import Mark
from dvtool.pipeline.types import ParamsDep
from dvtool.pipeline.types import Stage


def stages(text: str, **files: str) -> tuple[Stage, ...]:
    """*files*: by name with ``_`` for the dot."""
    found = {name.replace("_", ".").encode(): body.encode() for name, body in files.items()}
    return parse(text.encode(), DEFINITION_NAME, found.get).stages


def command(cmd: str | list[str], value: Json, more: str = "") -> tuple[str, ...]:
    """The commands that *cmd* comes to, where ``${v}`` is *value* of params.yaml."""
    text = f"{more}stages:\n  a:\n    cmd: {json.dumps(cmd)}\n"
    return stages(text, params_yaml=json.dumps({"v": value}))[0].commands


def refused(text: str, error: Any = ConfigError, **files: Any) -> tuple[str, str]:
    with pytest.raises(error) as caught:
        stages(text, **files)
    assert "\n" not in str(caught.value)
    return str(caught.value), getattr(caught.value, "hint", None) or ""


@pytest.mark.parametrize(
    ("cmd", "value", "result"),
    [
        ("run ${v}", "data/a b.csv", "run data/a b.csv"),
        ("run ${v}", "a*b", "run a*b"),
        ("run ${v}", "--lr 0.1 --name=x", "run --lr 0.1 --name=x"),
        ("run ${v}", "https://host/x?y=z", "run https://host/x?y=z"),
        ("run ${v}", "ünïcode ☃", "run ünïcode ☃"),
        ("run ${v}", "a#b", "run a#b"),
        ("${v} x", "python3.11", "python3.11 x"),
        ('run "${v}"', "a; b | c & (d) 'e' #f <g>", "run \"a; b | c & (d) 'e' #f <g>\""),
        ("run '${v}'", '$(a) `b` "c" \\ ;', "run '$(a) `b` \"c\" \\ ;'"),
        ("run ${v}", {"name": "it's; $(x)", "n": 1}, "run --name 'it'\"'\"'s; $(x)' --n 1"),
        ('run "$(cat "${v}")"', "a;b", 'run "$(cat "a;b")"'),
        ("run x > ${v}", "out.txt", "run x > out.txt"),
        ("run # it's\n", "x", "run # it's"),
    ],
)
def test_values_that_are_words_or_quoted_are_put_in(cmd: str, value: Json, result: str) -> None:
    assert command(cmd, value) == (result,)


@pytest.mark.parametrize(
    ("cmd", "value"),
    [
        *(("run ${v}", f"x{character}y") for character in ";&|<>()$`\\\"'\n\r\x0b\x0c\x1e\x85\u2028\0\x1b"),
        *((f"{{a}}{before}${{v}} y", "x #y") for before in (" ", "z", "\t")),
        ('run "${v}"', '$(x)'),
        ('run "${v}"', "`x`"), ('run "${v}"', 'a"b'), ('run "${v}"', "a\\"), ('run "${v}"', "a\nb"),
        ("run '${v}'", "it's"), ("run '${v}'", "a\nb"),
        ("run ${v}", {"name": "a\nb"}), ("run ${v}", {"a; b": 1}), ("run ${v}", {"l": ["a\nb"]}),
        ('run "${v}"', {"n": '"; touch P'}), ("run '${v}'", {"n": "a b"}),
        ("bash -c 'run ${v}'", "x; touch P"), ('sh -ec "run ${v}"', "x; touch P"), ("bash -lc '${v}'", "x;y"),
        ("ssh host 'run ${v}'", "x;y"), ("eval 'x ${v}'", "x;y"), ("python -c 'print(\"${v}\")'", '")+x("'),
        ("run `x '${v}'`", "a;b"), ("cat <<E\n'${v}'\nE", "$(x)"), ("run $'a ${v}'", "a\\'"),
        ("run $((${v}))", "a[$(x)]"), ("run \\${x:-'${v}'}", "a;b"),
        ("run $${v}", "{IFS}"), ("${v} run", "LD_PRELOAD=x"), ("run && ${v} x", "A=b"), ("(${v} x)", "A=b"),
        ("${v}x", "#"), ("run ${v}", "#x"),
        ("run # don't\nrun ${v}", "a;b"), ("run 'a' \"b\" \\' ${v}", "a;b"), ('run "a \\" ${v}"', "$x"),
        ("run 'a'${v}", "a;b"), ("case x in a) ${v} ;; esac", "a;b"),
    ],
)  # fmt: skip
def test_values_that_the_shell_would_act_on_are_refused(cmd: str, value: Json) -> None:
    with pytest.raises(ConfigError) as caught:
        command(cmd, value)
    message = str(caught.value)
    assert message.startswith("dvtool.yaml:3:10: `v")
    assert message.isprintable()
    assert "argv" in (caught.value.hint or "")


@pytest.mark.parametrize("value", ["x; touch P", "$(touch P)", "a\nb", "'", '"', "`x`", "\\", "a b"])
def test_argv_takes_any_value_as_one_word(value: str) -> None:
    text = "stages:\n  a:\n    argv: [run, '${v}', 'x${v}y']\n"
    assert stages(text, params_yaml=json.dumps({"v": value}))[0].argv == ("run", value, f"x{value}y")


def test_what_the_definition_itself_says_is_the_word_of_its_author() -> None:
    text = "vars: [{v: 'x; y'}]\nstages:\n  a:\n    foreach: ['$(b)']\n    do: {cmd: 'run ${v} ${item}'}\n"
    assert stages(text)[0].commands == ("run x; y $(b)",)


def test_a_trusted_file_counts_as_the_definition() -> None:
    assert command("run ${v}", "x; y", "trusted: [params.yaml]\n") == ("run x; y",)


@pytest.mark.parametrize(
    "body",
    [
        "foreach: ['${v}']\n    do: {cmd: 'run ${item}'}",
        "foreach: ['a ${v}']\n    do: {cmd: 'run ${item}'}",
        "foreach: [{x: ['${v}']}]\n    do: {cmd: 'run ${item.x[0]}'}",
        "foreach: {'a ${v}': 1}\n    do: {cmd: 'run ${key}'}",
        "foreach: ${m}\n    do: {cmd: 'run ${key}'}",
        "matrix: {x: ['${v}']}\n    cmd: run ${item.x}",
        "matrix: {x: ['${v}']}\n    cmd: run ${key}",
        "matrix: {x: '${m}'}\n    cmd: run ${item.x}",
        "matrix: {x: [1]}\n    cmd: run ${v}",
        "vars: [other.json]\n    cmd: run ${o}",
        "cmd: [run, 'run ${v}']",
        "cmd: x\n    deps: [{cmd: 'run ${v}'}]",
    ],
)
def test_a_value_stays_what_it_is_through_loops(body: str) -> None:
    files = {"params_yaml": '{"v": "x; y", "m": {"x; y": 1}}', "other_json": '{"o": "x; y"}'}
    message, _ = refused(f"stages:\n  a:\n    {body}\n", **files)
    assert "cannot stand here in a command: it holds ';'" in message


def test_values_given_from_outside_are_never_trusted() -> None:
    text = b"trusted: [params.yaml]\nstages:\n  a: {cmd: 'run ${a.b} ${c}'}\n"
    files = {b"params.yaml": b"a: {b: 1}\nc: 2\n"}
    found = parse(text, DEFINITION_NAME, files.get, overrides={"a.b": 7}).stages[0]
    assert found.commands == ("run 7 2",)
    with pytest.raises(ConfigError, match="cannot stand here"):
        parse(text, DEFINITION_NAME, files.get, overrides={"a.b": "x;y"})


def test_what_a_stage_uses_is_told_with_its_place() -> None:
    found = stages(
        "stages:\n  a: {cmd: 'x ${a.b} ${l[-1]}', deps: ['${d}']}\n", params_yaml="a: {b: 1}\nl: [1, 2]\nd: e"
    )
    assert found[0].uses == (ParamsDep(b"params.yaml", ("a.b", "l.1", "d"), Mark(DEFINITION_NAME, 2, 12)),)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("stages:\n  a: {cmd: '${lrr}'}", "dvtool.yaml:2:12: there is no value `lrr`", "did you mean `lr`?"),
        ("stages:\n  a: {cmd: '${m.deph}'}", "there is no value `m.deph`", "did you mean `depth`?"),
        ("stages:\n  a: {cmd: '${lr.x}'}", "there is no value `lr.x`", "lr is one value"),
        ("stages:\n  a: {cmd: '${l[7]}'}", "there is no value `l.7`", "the list has 2 items"),
        ("stages:\n  a: {cmd: '${l[x]}'}", "there is no value `l.x`", "the list has 2 items"),
        ("stages:\n  a: {cmd: '${}'}", "`` is no name", "write ${a.b}"),
        ("stages:\n  a: {cmd: '${a + b}'}", "there is no value `a + b`", "known here"),
        ("stages:\n  a: {cmd: '${a..b}'}", "`a..b` is no name", ""),
        ("stages:\n  a: {cmd: '${l}'}", "`l` is a list, not one value", ""),
        ("stages:\n  a: {cmd: x, deps: ['${m}']}", "is a mapping, not one value", "in `cmd` alone"),
        ("stages:\n  a: {cmd: x, frozen: '${lr}'}", "2:23: expected true or false, found the number 0.1", ""),
        ("stages:\n  a: {cmd: x, timeout: '${word}'}", "no length of time", ""),
        ("stages:\n  a: {cmd: 'x ${deep}'}", "holds a list of lists", ""),
        ("stages:\n  a:\n    foreach: ${lr}\n    do: {cmd: x}", "`foreach` takes a list or a mapping", ""),
        ("stages:\n  a:\n    matrix: {x: '${lr}'}\n    cmd: x", "an axis of a matrix takes a list", ""),
        ("stages:\n  a:\n    foreach: [1]\n    do: {cmd: '${itm}'}", "no value `itm` (in a@1)", "did you mean `item`?"),
        ("stages:\n  a:\n    foreach: [1]\n    cmd: x\n    do: {cmd: x}", "'cmd' is no key", "it belongs under `do`"),
        ("stages:\n  a:\n    foreach: [1]\n    do: {cmd: x, vars: [{item: 1}]}", "sets 'item'", ""),
        ("stages:\n  a:\n    foreach: [\"a\\nb\"]\n    do: {cmd: x}", "no part of a stage's name", ""),
        ("vars: [{a: '${lr}'}]\nstages:\n  a: {cmd: '${a}'}", "1:12: `${}` does not work in `vars`", ""),
        ("vars: ['${lr}.yaml']\nstages:\n  a: {cmd: '${a}'}", "`${}` does not work in `vars`", ""),
        ("vars: [{lr: 1}]\nstages:\n  a: {cmd: '${lr}'}", "vars sets `lr`, which is set already", ""),
        ("vars: [{m: {depth: 1}}]\nstages:\n  a: {cmd: '${lr}'}", "vars sets `m.depth`, which is set already", ""),
        ("vars: [none.yaml]\nstages:\n  a: {cmd: '${lr}'}", "there is no file none.yaml", ""),
        ("vars: ['params.yaml:lr']\nstages:\n  a: {cmd: '${lr}'}", "params.yaml is loaded already", ""),
        ("vars: ['o.yaml:a', o.yaml]\nstages:\n  a: {cmd: '${lr}'}", "o.yaml is loaded already", ""),
        ("vars: ['o.yaml:oone']\nstages:\n  a: {cmd: '${lr}'}", "o.yaml has no key 'oone'", "did you mean `one`?"),
        ("vars: [list.yaml]\nstages:\n  a: {cmd: '${lr}'}", "list.yaml holds no `key: value` pairs", ""),
        ("vars: [bad.yaml]\nstages:\n  a: {cmd: '${lr}'}", ": bad.yaml:", ""),
        ("stages:\n  a: {cmd: x}\nplots: ['${x}']", "no value `x`", ""),
        ("stages:\n  a: {cmd: x, meta: {'${lr}': 1, '0.1': 2}}", "the key '0.1' stands there twice", ""),
    ],
)  # fmt: skip
def test_errors_of_templates(text: str, message: str, hint: str) -> None:
    files = {
        "params_yaml": "lr: 0.1\nm: {depth: 3}\nl: [1, 2]\ndeep: {a: [[1]]}\nword: soon\n",
        "o_yaml": "a: 1\none: 2",
        "list_yaml": "- 1",
        "bad_yaml": "a: [",
    }
    found, advice = refused(text, **files)
    assert found.startswith("dvtool.yaml:")
    assert message in found
    assert hint in advice


@pytest.mark.parametrize("path", ["../x.yaml", "/etc/passwd", ".git/config"])
def test_values_are_read_from_nowhere_else(path: str) -> None:
    refused(f"vars: ['{path}']\nstages:\n  a: {{cmd: '${{x}}'}}\n", UnsafeInput)


def test_paths_that_templates_make_are_looked_at() -> None:
    refused("stages:\n  a: {cmd: x, outs: ['${p}/x']}\n", UnsafeInput, params_yaml="p: ../..")


def test_without_templates_no_file_is_read() -> None:
    def files(path: bytes) -> bytes | None:
        raise AssertionError(path)

    assert parse(b"stages:\n  a: {cmd: x, params: [lr]}\n", DEFINITION_NAME, files).stages
