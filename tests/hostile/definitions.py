"""Definitions and files of parameters that reach outside, blow up, or smuggle commands in."""

from __future__ import annotations

import json
from typing import NamedTuple

TOUCH = "touch ../marker"


class Definition(NamedTuple):
    """``files`` of a project, of which one is ``dvtool.yaml``; how a verb that reads them ends, and what it says."""

    name: str
    files: dict[str, str | bytes]
    code: int
    names: str

    def __str__(self) -> str:
        return self.name


PATHS = {
    "parent": "../outside/secret",
    "through": "data/../../outside/secret",
    "absolute": "/etc/passwd",
    "hooks": ".git/hooks/pre-commit",
    "hooks-disguised": ".GIT/hooks/pre-commit",
    "own": ".dvtool/config",
    "backslash": "..\\\\outside",
    "drive": "C:/x",
    "escape": "a\\e]0;x",
}
_KEYS = {
    "dep": "cmd: x\n    deps: [{}]",
    "out": "cmd: x\n    outs: [{}]",
    "metric": "cmd: x\n    metrics: [{}: {{cache: false}}]",
    "wdir": "cmd: x\n    wdir: {}",
    "params": "cmd: x\n    params: [{}: ]",
    "vars": "cmd: 'x ${{a}}'\n    vars: [{}]",
    "glob": "cmd: x\n    deps: [{{glob: {}}}]",
    "key": "cmd: x\n    deps: [{{path: {}, key: a}}]",
}


def _stage(body: str) -> str:
    return f"stages:\n  a:\n    {body}\n"


def _paths() -> list[Definition]:
    found = [
        Definition(f"{key}-{name}", {"dvtool.yaml": _stage(body.format(f'"{path}"'))}, 6, r"dvtool\.yaml:\d+:\d+: ")
        for at, (key, body) in enumerate(_KEYS.items())
        for number, (name, path) in enumerate(PATHS.items())
        if number == 0 or ((number + at) % 4 == 0 and (key, name) != ("vars", "drive"))
    ]
    top = [f"{key}: ['../outside/secret']\n" for key in ("params", "metrics")]
    found += [Definition(f"top-{text[:6]}", {"dvtool.yaml": text}, 6, "leads out of the project") for text in top]
    below = _stage("cmd: x\n    deps: [../../outside/secret]")
    return [*found, Definition("below", {"src/dvtool.yaml": below}, 6, r"src/dvtool\.yaml:4:12: ")]


_ALIASES = "".join(f"  {chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9))
_TEN = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"
_MANY = ",".join(map(str, range(10_000)))

_MILLION = "".join(f"{name}: {_TEN}, " for name in "abcdef")
_COUNTLESS = "".join(f"a{n}: [x, y], " for n in range(5_000))
_WIDE = ",".join(f"d{n}" for n in range(500))

BOMBS: dict[str, dict[str, str | bytes]] = {
    "matrix-of-a-million": {"dvtool.yaml": _stage(f"matrix: {{{_MILLION}}}\n    cmd: x")},
    "countless-matrix": {"dvtool.yaml": _stage(f"matrix: {{{_COUNTLESS}}}\n    cmd: x")},
    "foreach-of-many": {
        "dvtool.yaml": _stage("foreach: ${l}\n    do: {cmd: x}"),
        "params.yaml": json.dumps({"l": list(range(100_000))}),
    },
    "aliases": {"dvtool.yaml": "vars:\n- a: &a [x,x,x,x,x,x,x,x,x]\n" + _ALIASES + _stage("cmd: x")},
    "merges": {"dvtool.yaml": "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 3000))},
    "deep-list": {"dvtool.yaml": "stages: " + "[" * 100_000},
    "deep-mapping": {"dvtool.yaml": "stages: " + "{a: " * 100_000},
    "many-values": {"dvtool.yaml": "vars: [[" + "x," * 700_000 + "]]"},
    "text-that-grows": {
        "dvtool.yaml": f"vars: [{{a: {'x' * 1_000_000}}}]\n" + _stage(f"foreach: [{_MANY}]\n    do: {{cmd: '${{a}}'}}")
    },
    "stages-that-grow": {"dvtool.yaml": _stage(f"foreach: [{_MANY}]\n    do: {{cmd: x, deps: [{_WIDE}]}}")},
    "vars-that-grow": {
        "dvtool.yaml": "stages:\n" + "".join(f"  s{n}: {{cmd: '${{k1}}', vars: [big.json]}}\n" for n in range(10_000)),
        "big.json": json.dumps({f"k{n}": n for n in range(20_000)}),
    },
    "half-templates": {"dvtool.yaml": _stage("cmd: '" + "${a" * 100_000 + "}'")},
    "blanks-in-a-template": {"dvtool.yaml": _stage("cmd: '${" + " " * 100_000 + "x" + " " * 100_000 + ".}'")},
    "number": {"dvtool.yaml": "a: " + "9" * 100_000},
    "large": {"dvtool.yaml": b"# " + b"x" * (65 << 20)},
}


_VALUES = {
    "semicolon": f"x; {TOUCH}",
    "and": f"x && {TOUCH}",
    "pipe": f"x | {TOUCH}",
    "substitution": f"$({TOUCH})",
    "backquotes": f"`{TOUCH}`",
    "line": f"x\n{TOUCH}",
    "background": f"x & {TOUCH}",
    "quote": f"'; {TOUCH}; '",
    "double-quote": f'"; {TOUCH}; "',
    "redirection": "x > ../marker",
    "next-line": f"x\x85{TOUCH}",
}


def _commands() -> list[Definition]:
    found: list[Definition] = []
    for name, value in _VALUES.items():
        params = json.dumps({"v": value, "m": {"k": 1, value: 2}, "l": [value]})
        for how, body in {
            "cmd": "cmd: echo ${v}",
            "item": "foreach: ${l}\n    do: {cmd: 'echo ${item}'}",
            "name": "foreach: ${m}\n    do: {cmd: 'echo ${key}'}",
            "options": "cmd: echo ${m}",
            "inner": "cmd: bash -c 'echo \"${v}\"'",
            "dep": "cmd: x\n    deps: [{cmd: 'echo ${v}'}]",
        }.items():
            if how == "cmd" or len(found) % 3 == 0 or name == "semicolon":
                files: dict[str, str | bytes] = {"dvtool.yaml": _stage(body), "params.yaml": params}
                found.append(Definition(f"value-{name}-{how}", files, 9, "cannot stand here|no part of a stage's name"))
    return found


def _others() -> list[Definition]:
    texts: dict[str, tuple[str | bytes, str]] = {
        "recursive-vars": ("vars: [{a: '${b}'}, {b: '${a}'}]\n" + _stage("cmd: '${a}'"), "yaml:1:12: "),
        "tag": (f"stages: !!python/object/apply:os.system ['{TOUCH}']\n", "tag"),
        "latin-1": (b"stages: {caf\xe9: {cmd: x}}", r"dvtool\.yaml.* not UTF-8"),
        "name": ('stages: {"a\\e]0;x": {cmd: x}}', "yaml:1:10: "),
        "two-owners": (_stage("cmd: x\n    outs: [data]"), "data belongs to"),
        "conflict": ("<<<<<<< ours\n" + _stage("cmd: x"), "conflict"),
        "password": (_stage("cmd: x\n    deps: ['https://u:p@127.0.0.1/x']"), "password"),
        "url-chain": (_stage("cmd: x\n    deps: ['simplecache::https://127.0.0.1/x']"), "no URL"),
    }
    values: dict[str, tuple[str, str]] = {
        "tag.yaml": (f"v: !!python/name:os.system '{TOUCH}'", "tag"),
        "code.py": (f"v = __import__('os').system('{TOUCH}')", "`v`"),
        "deep.py": ("v = " + "-" * 100_000 + "1", "nested"),
        "deep.json": ("[" * 100_000, "nested"),
        "deep.toml": ("v = " + "[" * 100_000, "nested"),
        "deep.yaml": ("v: " + "[" * 100_000, "nested"),
        "number.json": ('{"v": ' + "9" * 9_000 + "}", r"number\.json"),
        "surrogate.json": ('{"v": "\\ud800"}', "no character"),
    }
    found = [Definition(name, {"dvtool.yaml": text}, 9, names) for name, (text, names) in texts.items()]
    for name, (value, names) in values.items():
        files: dict[str, str | bytes] = {"dvtool.yaml": f"vars: [{name}]\n" + _stage("cmd: echo ${v}"), name: value}
        found.append(Definition(f"file-{name}", files, 9, names))
    return found


CASES = [*_paths(), *_commands(), *_others()]
