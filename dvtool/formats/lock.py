"""``dvtool.lock``, version 1: see ``docs/formats/lock.md``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple
from typing import NoReturn

from dvtool.errors import FormatError
from dvtool.errors import UnsafeInput
from dvtool.errors import UsageError
from dvtool.formats.config import check_name
from dvtool.model.digest import Algorithm
from dvtool.model.digest import Digest
from dvtool.model.digest import parse_digest
from dvtool.model.paths import check_path
from dvtool.model.pointer import Kind

VERSION = 1
MAX_BYTES = 256 << 20

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

_CONFLICT = re.compile(rb"^(<<<<<<<|=======|>>>>>>>)", re.MULTILINE)
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
_SPACED_COLON = re.compile(r'"\s+:')
_TEXT_ONLY = {str}
_ALGORITHM = Algorithm.BLAKE3
_RAW_BYTES = _ALGORITHM.size
_SCALARS = frozenset({str, int, float, bool, type(None)})
_DEEPEST = 100
_FILE = Kind.FILE
_NUMBERS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_BLOCK_KEYS = frozenset({"cmd", "argv", "deps", "params", "outs"})
_CONTENT_KEYS = frozenset({"digest", "size", "files", "executable"})
_STORING_KEYS = frozenset({"cache", "push", "remote"})
_MAX_SIZE = (1 << 63) - 1
_made = tuple.__new__
"""What the constructor of a named tuple calls: a third of the time where there are thousands."""


class Content(NamedTuple):
    """What stood at a path, or what a dependency came to. ``size``: bytes; ``files``: in a directory, else 1.

    Of a glob, a key, lines, a regular expression, a variable, a URL or a command it is a digest of text, and ``kind``
    is FILE.
    """

    kind: Kind
    digest: Digest
    size: int
    files: int = 1
    executable: bool = False


class Storing(NamedTuple):
    """Where an output's bytes are kept: in the cache, on remotes, and on which one; empty for what the settings say."""

    cache: bool = True
    push: bool = True
    remote: str = ""


class LockedStage(NamedTuple):
    """What a stage's last recorded run read and wrote: ``deps`` by name, ``params`` by file and dotted key, ``outs`` by
    path. One of ``commands`` and ``argv`` is empty. ``storing``: of those outputs that are not kept as all others."""

    commands: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    deps: Mapping[str, Content] = {}
    params: Mapping[bytes, Mapping[str, Json]] = {}
    outs: Mapping[bytes, Content] = {}
    storing: Mapping[bytes, Storing] = {}


_AS_ALL = Storing()

Lock = Mapping[str, LockedStage]
"""One ``dvtool.lock``: its stages by name."""


def encode_lock(lock: Lock) -> bytes:
    """The text as the tool writes it."""
    return join_blocks({name: encode_block(name, lock[name]) for name in lock})


def encode_block(name: str, stage: LockedStage) -> str:
    """The lines of one stage."""
    return "\n".join([f"{_text(name)}: {{", ",\n".join(_block(stage)), "},"])


def join_blocks(blocks: Mapping[str, str]) -> bytes:
    """The text of a lock from the lines of its stages, by name."""
    head = ["{", '"dvtool": "lock",', f'"version": {VERSION},', '"stages": {']
    return "\n".join([*head, *(blocks[name] for name in sorted(blocks)), '"": {}}}', ""]).encode("utf-8")


def value_text(value: Json) -> str:
    """A parameter's value as one line of JSON, keys sorted: what is compared and shown."""
    return _ESCAPED.sub(_escape, json.dumps(_finite(value), sort_keys=True, ensure_ascii=False, allow_nan=False))


def decode_lock(data: bytes, where: str) -> dict[str, LockedStage]:
    """Read a lock; *where* names it in errors. Raises `FormatError`, `UnsafeInput` for a path that reaches outside."""
    if len(data) > MAX_BYTES:
        raise FormatError(f"{where}: a lock is not larger than {MAX_BYTES} bytes", path=where)
    # Each is looked for by itself first: the expression takes 20 ms for a lock of 3,000 stages.
    if any(mark in data for mark in (b"<<<<<<<", b"=======", b">>>>>>>")) and _CONFLICT.search(data):
        raise FormatError(
            f"{where}: a Git merge left conflict markers in it",
            path=where,
            hint="`dvtool resolve` merges both sides; once committed like that: `git checkout HEAD~ -- FILE`",
        )
    return _Reader(where).lock(data)


def _block(stage: LockedStage) -> list[str]:
    parts: list[str] = []
    if stage.argv:
        parts.append(f'  "argv": {value_text(list(stage.argv))}')
    if stage.commands:
        parts.append(f'  "cmd": {value_text(list(stage.commands))}')
    if stage.deps:
        parts.append(_object("deps", [f"{_text(name)}: {_content(stage.deps[name])}" for name in sorted(stage.deps)]))
    if stage.outs:
        outs = {path.decode("utf-8"): path for path in stage.outs}
        parts.append(_object("outs", [f"{_text(text)}: {_output(stage, outs[text])}" for text in sorted(outs)]))
    if stage.params:
        parts.append(_object("params", [_values(file, stage.params[file]) for file in sorted(stage.params)]))
    return parts


def _object(key: str, lines: Sequence[str], indent: str = "  ") -> str:
    if not lines:
        return f"{indent}{_text(key)}: {{}}"
    inner = f",\n{indent}  ".join(line.lstrip(" ") for line in lines)
    return f"{indent}{_text(key)}: {{\n{indent}  {inner}\n{indent}}}"


def _values(file: bytes, values: Mapping[str, Json]) -> str:
    lines = [f"{_text(key)}: {value_text(values[key])}" for key in sorted(values)]
    return _object(file.decode("utf-8"), lines, "    ")


def _output(stage: LockedStage, path: bytes) -> str:
    return _content(stage.outs[path], stage.storing.get(path, _AS_ALL))


def _content(content: Content, storing: Storing = _AS_ALL) -> str:
    before = "" if storing.cache else '"cache": false, '
    more = ', "executable": true' if content.executable else ""
    if content.kind is Kind.DIRECTORY:
        more += f', "files": {content.files}'
    if not storing.push:
        more += ', "push": false'
    if storing.remote:
        more += f', "remote": {_text(storing.remote)}'
    return f'{{{before}"digest": "{content.digest}"{more}, "size": {content.size}}}'


def _text(text: str) -> str:
    return _ESCAPED.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _finite(value: Json) -> Json:
    if isinstance(value, float) and not math.isfinite(value):
        return {"$number": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return value


def _load(data: bytes) -> tuple[Any, str]:
    """The JSON value, and its text as long as it is not known whether a key is repeated, else an empty one."""
    text = data.decode("utf-8")
    value = json.loads(text, parse_constant=_no_constant)
    may_be_spaced = any(space in text for space in ("\t", "\r", " :", "\n:"))
    if (may_be_spaced and _SPACED_COLON.search(text)) or '"$number"' in text:
        json.loads(text, object_pairs_hook=_unique)
        return _with_numbers(value), ""
    return value, text


def _count_keys(values: Iterable[Any], depth: int = 0) -> int:
    """How many keys the objects among *values* have, with all below. ``ValueError`` where it goes too deep."""
    if depth > _DEEPEST:
        raise ValueError(f"deeper than {_DEEPEST} levels")
    found = 0
    for each in values:
        if type(each) is dict:
            found += len(each) + _count_keys(each.values(), depth + 1)
        elif type(each) is list:
            found += _count_keys(each, depth + 1)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return found


def _with_numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_numbers(each) for each in value]
    if isinstance(value, dict):
        if len(value) == 1 and value.get("$number") in _NUMBERS:
            return _NUMBERS[value["$number"]]
        return {key: _with_numbers(each) for key, each in value.items()}
    return value


class _Reader:
    def __init__(self, where: str) -> None:
        self._where = where
        self._paths: dict[str, bytes] = {}
        self._digests: dict[str, Digest] = {}
        self._keys = 0

    def lock(self, data: bytes) -> dict[str, LockedStage]:
        try:
            body, text = _load(data)
        except UnicodeDecodeError:
            self._refuse("not UTF-8 text")
        except (ValueError, RecursionError) as error:
            self._refuse(f"not a lock: {str(error)[:200] or type(error).__name__}")
        if not isinstance(body, dict) or body.get("dvtool") != "lock":
            self._refuse("not a dvtool lock")
        version = body.get("version")
        if isinstance(version, int) and version > VERSION:
            raise FormatError(
                f"{self._where}: version {version} is newer than this dvtool reads ({VERSION})",
                path=self._where,
                hint="upgrade: pip install --upgrade dvtool",
            )
        stages = body.get("stages")
        if (
            set(body) != {"dvtool", "version", "stages"}
            or type(version) is not int
            or version != VERSION
            or not isinstance(stages, dict)
        ):
            self._refuse("not a dvtool lock")
        self._keys = len(body) + len(stages)
        if stages.pop("", {}) != {}:
            self._refuse("a stage without a name")
        found = {name: self._stage(name, block) for name, block in stages.items()}
        # A hook for each object takes five times as long as all the rest, so it is asked only if the keys are not
        # as many as what looks like one.
        if text and text.count('":') != self._keys:
            try:
                json.loads(text, object_pairs_hook=_unique)
            except ValueError as error:
                self._refuse(f"not a lock: {str(error)[:200]}")
        return found

    def _stage(self, name: str, block: Any) -> LockedStage:
        if not isinstance(block, dict) or not block.keys() <= _BLOCK_KEYS:
            self._refuse(f"stage {name!r} is not what a lock holds")
        deps, outs, params = block.get("deps", {}), block.get("outs", {}), block.get("params", {})
        if type(deps) is not dict or type(outs) is not dict or type(params) is not dict:
            self._refuse(f"stage {name!r}: deps, outs or params is no object")
        self._keys += len(block) + len(deps) + len(outs) + len(params)
        values = {}
        for file, of_file in params.items():
            if type(of_file) is not dict:
                self._refuse(f"stage {name!r}: {file} is no object")
            self._keys += len(of_file)
            if not _SCALARS.issuperset(map(type, of_file.values())):
                try:
                    self._keys += _count_keys(of_file.values())
                except ValueError as error:
                    self._refuse(f"stage {name!r}: the parameters of {file} go {error}")
            values[self._path(file)] = of_file
        storing: dict[str, Storing] = {}
        made = self._contents(name, outs, storing)
        as_path = self._path
        return LockedStage(
            self._words(name, block, "cmd") if "cmd" in block else (),
            self._words(name, block, "argv") if "argv" in block else (),
            self._contents(name, deps),
            values,
            {as_path(path): content for path, content in made.items()},
            {as_path(path): how for path, how in storing.items() if how != _AS_ALL} if storing else {},
        )

    def _contents(
        self, stage: str, entries: dict[str, Any], storing: dict[str, Storing] | None = None
    ) -> dict[str, Content]:
        """Of an output, *storing* gets how it is stored."""
        contents: dict[str, Content] = {}
        known, keys = self._digests, 0
        for name, found in entries.items():
            if type(found) is not dict:
                self._refuse(f"stage {stage!r}: an entry is not what a lock holds")
            keys += len(found)
            if storing is not None and not _STORING_KEYS.isdisjoint(found):
                storing[name] = self._storing(stage, found)
            size, text = found.get("size"), found.get("digest")
            # Nearly every entry is of this kind: at 12,000 of them the other way costs 20 ms more.
            if len(found) == 2 and type(text) is str and type(size) is int and 0 <= size <= _MAX_SIZE:
                digest = known.get(text) or self._digest(stage, text)
                contents[name] = _made(Content, (_FILE, digest, size, 1, False))
            else:
                contents[name] = self._content(stage, found)
        self._keys += keys
        return contents

    def _words(self, stage: str, block: dict[str, Any], key: str) -> tuple[str, ...]:
        found = block.get(key, [])
        if not isinstance(found, list) or not {*map(type, found)} <= _TEXT_ONLY:
            self._refuse(f"stage {stage!r}: {key} is no list of texts")
        return tuple(found)

    def _path(self, text: str) -> bytes:
        path = self._paths.get(text)
        if path is None:
            try:
                path = text.encode("utf-8")
            except UnicodeEncodeError:
                self._refuse(f"{text!r} is no path")
            check_path(path, self._where)
            self._paths[text] = path
        return path

    def _storing(self, stage: str, found: dict[str, Any]) -> Storing:
        """Takes those keys away, for what is left is as of a dependency."""
        cache, push, remote = found.pop("cache", True), found.pop("push", True), found.pop("remote", None)
        if type(cache) is not bool or type(push) is not bool:
            self._refuse(f"stage {stage!r}: cache and push of an output are true or false")
        if remote is None:
            return Storing(cache, push)
        try:
            check_name(remote if isinstance(remote, str) else "")
        except UsageError:
            self._refuse(f"stage {stage!r}: the remote of an output is no name of one")
        return Storing(cache, push, remote)

    def _content(self, stage: str, found: dict[str, Any]) -> Content:
        if not found.keys() <= _CONTENT_KEYS:
            self._refuse(f"stage {stage!r}: an entry is not what a lock holds")
        size, files, executable = found.get("size"), found.get("files", 1), found.get("executable", False)
        if type(size) is not int or type(files) is not int or not (0 <= size <= _MAX_SIZE and 0 <= files <= _MAX_SIZE):
            self._refuse(f"stage {stage!r}: a size is not a number of bytes")
        kind = Kind.DIRECTORY if "files" in found else Kind.FILE
        if type(executable) is not bool or (executable and kind is Kind.DIRECTORY):
            self._refuse(f"stage {stage!r}: executable is not true of a file")
        text = found.get("digest")
        digest = self._digests.get(text) if type(text) is str else None
        return Content(kind, digest or self._digest(stage, text), size, files, executable)

    def _digest(self, stage: str, text: Any) -> Digest:
        if not isinstance(text, str):
            self._refuse(f"stage {stage!r}: an entry has no digest")
        found = self._digests.get(text)
        if found is None:
            found = _blake3(text)
            if found is None:
                try:
                    found = parse_digest(text)
                except FormatError as error:
                    raise UnsafeInput(f"{self._where}: stage {stage!r}: {error.message}", path=self._where) from error
            self._digests[text] = found
        return found

    def _refuse(self, why: str) -> NoReturn:
        raise FormatError(
            f"{self._where}: {why}",
            path=self._where,
            hint="take it from Git (`git checkout -- FILE`), or remove it: `dvtool repro` writes it anew",
        )


def _blake3(text: str) -> Digest | None:
    """Nearly every digest, at half the price of an expression; None for anything else."""
    digits = text[7:]
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return None
    is_one = text.startswith("blake3:") and len(raw) == _RAW_BYTES and raw.hex() == digits
    return _made(Digest, (_ALGORITHM, raw)) if is_one else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
