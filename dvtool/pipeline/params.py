"""Values of parameter files: YAML, JSON, TOML, and Python, which is read and never run."""

from __future__ import annotations

import ast
import json
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from dvtool.errors import FormatError
from dvtool.formats.lock import Json
from dvtool.formats.yamlmarked import MAX_DEPTH
from dvtool.formats.yamlmarked import decode_text
from dvtool.formats.yamlmarked import read_yaml
from dvtool.formats.yamlmarked import to_plain
from dvtool.model.paths import show

_MAX_PYTHON = 1 << 20


def read_values(text: bytes, file: bytes) -> Json:
    """What *text* holds, read as the suffix of *file* says, YAML where it says nothing. Dates are text.

    Values nest at most 64 deep; keys are text. An empty file is an empty mapping. Raises `FormatError`.
    """
    where = show(file)
    suffix = file[file.rfind(b".") :].lower() if b"." in file.rpartition(b"/")[2] else b""
    try:
        if suffix == b".json":
            found = json.loads(decode_text(text, where))
        elif suffix == b".toml":
            found = _toml(decode_text(text, where))
        elif suffix == b".py":
            found = _python(text, where)
        else:
            value = read_yaml(text, where)
            found = None if value is None else to_plain(value)
        return {} if found is None else _clean(found, 0)
    except RecursionError:
        raise FormatError(f"{where}: nested deeper than {MAX_DEPTH} levels", path=where) from None
    except (ValueError, SyntaxError, MemoryError) as error:
        raise FormatError(f"{where}{_place(error)}: cannot be read: {_reason(error)}", path=where) from None


def _place(error: Exception) -> str:
    line, column = getattr(error, "lineno", None), getattr(error, "colno", None) or getattr(error, "offset", None)
    return "" if not line else f":{line}:{column}" if column else f":{line}"


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "nested too deep"
    if isinstance(error, UnicodeEncodeError):
        return f"{error.object[error.start]!r} is no character"
    text = getattr(error, "msg", None) or str(error)
    return " ".join(str(text).split())[:200]


def _clean(value: Any, depth: int) -> Json:
    """Only what JSON knows, to a bounded depth."""
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        return {_key(key): _clean(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(each, depth + 1) for each in value]
    if isinstance(value, str):
        if not value.isascii():
            value.encode("utf-8")
        return value
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return str(value)


def _key(key: Any) -> str:
    if isinstance(key, str):
        if not key.isascii():
            key.encode("utf-8")
        return key
    return str(key).lower() if isinstance(key, bool) or key is None else str(key)


def _toml(text: str) -> Any:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)


def _python(text: bytes, where: str) -> Any:
    if len(text) > _MAX_PYTHON:
        raise FormatError(f"{where}: larger than {_MAX_PYTHON >> 20} MiB", path=where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(_constants(ast.parse(text).body))


def _constants(body: list[ast.stmt], *, of_self: bool = False) -> Iterator[tuple[str, Any]]:
    """Names that are given a constant: in a module or class, or as ``self.NAME`` in ``__init__``."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name, dict(_constants(statement.body))
        elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            yield from _constants(statement.body, of_self=True)
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            name = _target(targets[0], of_self=of_self) if len(targets) == 1 else None
            if name is not None and statement.value is not None:
                try:
                    yield name, ast.literal_eval(statement.value)
                except (ValueError, TypeError):
                    continue


def _target(target: ast.expr, *, of_self: bool) -> str | None:
    if isinstance(target, ast.Name) and not of_self:
        return target.id
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
        return target.attr
    return None
