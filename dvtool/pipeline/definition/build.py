"""From the checked values of a stage to a `Stage`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from dvtool.formats.bytesizes import parse_byte_size
from dvtool.formats.durations import parse_duration
from dvtool.formats.lock import Json
from dvtool.formats.yamlmarked import Value
from dvtool.model.paths import split
from dvtool.pipeline.definition.paths import is_url
from dvtool.pipeline.definition.paths import resolve
from dvtool.pipeline.definition.shapes import Reading
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind
from dvtool.pipeline.types import Out
from dvtool.pipeline.types import OutKind
from dvtool.pipeline.types import ParamsDep
from dvtool.pipeline.types import Retry
from dvtool.pipeline.types import Stage

PARAMS_FILE = "params.yaml"
_LINES = re.compile(r"([1-9][0-9]{0,17})(?:(-)([1-9][0-9]{0,17})?)?", re.ASCII)
_OUT_KEYS = frozenset({"cache", "persist", "push", "remote", "checkpoint"})
_DEFAULT = Retry()


def build_stage(
    name: str, body: Value, reading: Reading, *, group: str = "", uses: tuple[ParamsDep, ...] = ()
) -> Stage:
    """The stage *name* with the keys of `keys.STAGE` in *body*. Raises `ConfigError`, `UnsafeInput`."""
    return _StageBuilder(body.data, reading).build(name, body, group, uses)


class _StageBuilder:
    def __init__(self, body: dict[str, Value], reading: Reading) -> None:
        self._body = body
        self._reading = reading
        self._base = split(reading.file)[0]

    def build(self, name: str, body: Value, group: str, uses: tuple[ParamsDep, ...]) -> Stage:
        get = self._body.get
        cmd, argv = get("cmd"), get("argv")
        if cmd is None and argv is None:
            self._reading.refuse(body, f"stage {name} has no `cmd`", "write what it runs: cmd: python x.py", key=True)
        if cmd is not None and argv is not None:
            self._reading.refuse(argv, f"stage {name} has `cmd` and `argv`", "one of the two runs", key=True)
        if (wdir := get("wdir")) is not None:
            self._base = resolve(text(wdir), self._base, wdir, self._reading, may_be_root=True)
        retry, meta, timeout = get("retry"), get("meta"), get("timeout")
        return Stage(
            file=self._reading.file,
            name=name,
            at=self._reading.mark(body, key=True),
            commands=() if cmd is None else self._commands(cmd),
            argv=() if argv is None else tuple(self._word(each) for each in argv.data),
            wdir=self._base,
            deps=self._deps(),
            params=self._params(),
            outs=self._outs(),
            frozen=self._flag("frozen"),
            always_changed=self._flag("always_changed"),
            group=group,
            desc="" if get("desc") is None else text(self._body["desc"]),
            meta=None if meta is None else json_of(meta),
            environment=self._environment(),
            timeout=None if timeout is None else _seconds(timeout),
            retry=_DEFAULT if retry is None else _retry(retry),
            go_on=get("on_error") is not None and text(self._body["on_error"]) == "continue",
            resources=self._resources(),
            uses=uses,
        )

    def _items(self, key: str) -> list[Value]:
        value = self._body.get(key)
        found: list[Value] = [] if value is None or value.data is None else value.data
        return found

    def _flag(self, key: str) -> bool:
        value = self._body.get(key)
        return value is not None and value.data is True

    def _commands(self, cmd: Value) -> tuple[str, ...]:
        if type(cmd.data) is list:
            found = [text(each) for each in cmd.data]
        else:
            found = [line for line in text(cmd).splitlines() if line.strip()]
        if any("\0" in each for each in found):
            self._reading.refuse(cmd, "a command holds a NUL character")
        return tuple(found)

    def _word(self, value: Value) -> str:
        found = value.text if value.text is not None else text(value)
        if "\0" in found:
            self._reading.refuse(value, "an argument holds a NUL character")
        return found

    def _path(self, value: Value, shown: str | None = None, *, at: Value | None = None) -> bytes:
        return resolve(text(value) if shown is None else shown, self._base, at or value, self._reading)

    def _deps(self) -> tuple[Dep, ...]:
        found: dict[str, Dep] = {}
        for item in self._items("deps"):
            dep = self._dep_table(item) if type(item.data) is dict else self._dep_text(item, text(item))
            found.setdefault(dep.name, dep)
        return tuple(found.values())

    def _dep_text(self, item: Value, name: str) -> Dep:
        at = self._reading.mark(item)
        if "://" in name:
            if name.startswith("ds://"):
                self._reading.refuse(item, "dvtool has no `datasets`", "depend on its files or its URL")
            return Dep(DepKind.URL, b"", self._url(item, name), at)
        return Dep(DepKind.PATH, self._path(item), "", at)

    def _dep_table(self, item: Value) -> Dep:
        at, body = self._reading.mark(item), item.data
        path = body.get("path")
        kinds = [key for key in body if key != "path"]
        if len(kinds) > 1 or not body:
            self._reading.refuse(item, "a dependency is on one thing", "one of: path, glob, env, url, cmd")
        if not kinds:
            return self._dep_text(path, text(path))
        kind = DepKind(kinds[0])
        value = body[kinds[0]]
        if (kind in (DepKind.KEY, DepKind.LINES, DepKind.REGEX)) != (path is not None):
            with_it = "needs" if path is None else "stands without"
            self._reading.refuse(value, f"a dependency with `{kinds[0]}` {with_it} `path`", key=True)
        if kind is DepKind.GLOB:
            return Dep(kind, self._path(value), "", at)
        detail = self._word(value)
        if kind is DepKind.LINES:
            detail = self._lines(value, detail)
        elif kind is DepKind.REGEX:
            self._check_regex(value, detail)
        elif kind is DepKind.URL:
            detail = self._url(value, detail)
        return Dep(kind, b"" if path is None else self._path(path), detail, at)

    def _lines(self, value: Value, detail: str) -> str:
        match = _LINES.fullmatch(detail)
        if match is None:
            self._reading.refuse(value, f"{detail[:40]!r} is no range of lines", "write it as 3-10, 3- or 3, from 1")
        first, dash, last = match.groups()
        if last is not None and int(last) < int(first):
            self._reading.refuse(value, f"the range {detail[:40]} ends before it begins")
        return f"{first}-{(last or '') if dash else first}"

    def _check_regex(self, value: Value, detail: str) -> None:
        try:
            re.compile(detail.encode("utf-8"))
        except (re.error, RecursionError, OverflowError) as error:
            self._reading.refuse(value, f"{detail[:40]!r} is no regular expression: {error}")

    def _url(self, value: Value, url: str) -> str:
        try:
            parts = urlsplit(url)
            has_secret = parts.password is not None
        except ValueError as error:
            self._reading.refuse(value, f"not a URL: {error}")
        if not is_url(url) or "::" in url.partition("?")[0] or not url.isprintable():
            self._reading.refuse(value, f"{url[:80]!r} is no URL", "write it as https://host/path or s3://bucket/key")
        if has_secret:
            self._reading.refuse(value, "a password stands in the URL", "a definition is committed: take it out")
        return url

    def _params(self) -> tuple[ParamsDep, ...]:
        keys: dict[str, dict[str, None]] = {}
        marks: dict[str, Value] = {}
        whole: set[str] = set()
        for name, value, wanted in self._param_items():
            marks.setdefault(name, value)
            keys.setdefault(name, {})
            if not wanted:
                whole.add(name)
            keys[name] |= dict.fromkeys(text(each) for each in wanted)
        found = []
        for name, wanted_keys in keys.items():
            path = self._path(marks[name], name)
            at = self._reading.mark(marks[name], key=True)
            found.append(ParamsDep(path, () if name in whole else tuple(wanted_keys), at))
        return tuple(found)

    def _param_items(self) -> Iterator[tuple[str, Value, list[Value]]]:
        for item in self._items("params"):
            if type(item.data) is dict:
                for name, wanted in item.data.items():
                    yield name, wanted, wanted.data or []
            else:
                yield PARAMS_FILE, item, [item]

    def _outs(self) -> tuple[Out, ...]:
        found: list[Out] = []
        for kind in OutKind:
            merged: dict[str, tuple[Value, dict[str, Value]]] = {}
            for item in self._items(kind.value):
                if type(item.data) is dict:
                    for name, options in item.data.items():
                        merged.setdefault(name, (options, {}))[1].update(options.data or {})
                else:
                    merged.setdefault(text(item), (item, {}))
            found += [self._out(kind, name, *each) for name, each in merged.items()]
        return tuple(found)

    def _out(self, kind: OutKind, name: str, value: Value, options: dict[str, Value]) -> Out:
        at = self._reading.mark(value, key=True)
        if "://" in name:
            self._reading.refuse(value, f"an output lies in the project, not at {name[:80]!r}", key=True)
        path = resolve(name, self._base, value, self._reading)
        if not options:
            return Out(path, kind, at)
        remote = options.get("remote")
        return Out(
            path,
            kind,
            at,
            cache=_true(options.get("cache"), default=True),
            persist=_true(options.get("persist"), default=False),
            push=_true(options.get("push"), default=True),
            remote=None if remote is None else text(remote),
            about={key: json_of(each) for key, each in options.items() if key not in _OUT_KEYS},
        )

    def _environment(self) -> dict[str, str]:
        env = self._body.get("env")
        variables = None if env is None else env.data.get("vars")
        if variables is None or variables.data is None:
            return {}
        return {name: self._word(value) for name, value in variables.data.items()}

    def _resources(self) -> dict[str, float]:
        value = self._body.get("resources")
        if value is None or value.data is None:
            return {}
        return {name: _amount(each) for name, each in value.data.items()}


def text(value: Value) -> str:
    """A scalar as text, as a template writes it."""
    data = value.data
    if type(data) is str:
        return data
    return str(data).lower() if type(data) is bool else str(data)


def json_of(value: Value) -> Json:
    """Without places; keys as text."""
    data = value.data
    if type(data) is dict:
        return {key if type(key) is str else text(Value(key, None)): json_of(each) for key, each in data.items()}
    if type(data) is list:
        return [json_of(each) for each in data]
    found: Json = data
    return found


def _true(value: Value | None, *, default: bool) -> bool:
    return default if value is None else value.data is True


def _seconds(value: Value) -> float:
    return float(parse_duration(value.data)) if type(value.data) is str else float(value.data)


def _amount(value: Value) -> float:
    return float(parse_byte_size(value.data)) if type(value.data) is str else float(value.data)


def _retry(value: Value) -> Retry:
    if type(value.data) is not dict:
        return Retry(value.data)
    wait, backoff = value.data.get("wait"), value.data.get("backoff")
    return Retry(
        value.data["times"].data,
        0.0 if wait is None else _seconds(wait),
        1.0 if backoff is None else float(backoff.data),
    )
