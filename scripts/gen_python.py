"""Write docs/reference/python-verbs.md from the code: for each verb the functions behind it and their requests.

Run it after a change of a function of dvtool.api or of its request; a test compares.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from types import ModuleType
from typing import Any

from dvtool.cli.table import SECTIONS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "python-verbs.md"
HEAD = """<!-- Written by scripts/gen_python.py from the code. Change the function, then run it. -->

# Python: every verb

What each verb of the command line does is a function: a request in, a result out, nothing printed, errors of
`dvtool.errors`. Paths are `bytes`, as the system has them. [Python](python.md) says how to begin, with examples.
"""


def page() -> str:
    """The whole text."""
    parts = [HEAD]
    for title, verbs in SECTIONS.items():
        parts.append(f"## {title}\n")
        for name, verb in verbs.items():
            module = ROOT / "dvtool" / "cli" / "verbs" / f"{verb.target.partition(':')[0]}.py"
            found = list(_functions(module))
            if found:
                parts.append(f"### {name}\n\n{verb.summary}\n")
                parts += _described(found)
    return "\n".join(parts)


def main() -> int:
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE} written")
    return 0


def _functions(path: Path) -> Iterator[FunctionType]:
    """What a verb's module takes from the API, in the order of its text."""
    seen = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not f"{node.module}.".startswith("dvtool.api."):
            continue
        for alias in node.names:
            thing = getattr(importlib.import_module(node.module or ""), alias.name)
            own = vars(thing).values() if isinstance(thing, ModuleType) else [thing]
            for each in own:
                is_public = isinstance(each, FunctionType) and not each.__name__.startswith("_")
                if is_public and each.__module__ in (node.module, getattr(thing, "__name__", "")) and each not in seen:
                    seen.add(each)
                    yield each


def _described(functions: list[FunctionType]) -> Iterator[str]:
    requests: dict[str, Any] = {}
    by_module: dict[str, list[str]] = {}
    for function in functions:
        names = by_module.setdefault(function.__module__, [])
        for parameter in inspect.signature(function).parameters.values():
            request = getattr(importlib.import_module(function.__module__), str(parameter.annotation), None)
            if dataclasses.is_dataclass(request) and str(parameter.annotation).endswith("Request"):
                requests[str(parameter.annotation)] = request
                if parameter.annotation not in names and getattr(request, "__module__", "") == function.__module__:
                    names.append(str(parameter.annotation))
        names.append(function.__name__)
    lines = ["```python"]
    lines += [f"from {module} import {', '.join(sorted(set(names)))}" for module, names in by_module.items()]
    lines += ["", *(f"{function.__name__}{_signature(function)}" for function in functions), "```\n"]
    yield "\n".join(lines)
    for function in functions:
        yield f"**`{function.__name__}`**: {_text(function)}\n"
    for name, request in requests.items():
        own = (request.__doc__ or "").startswith(f"{name}(")
        yield f"**`{name}`**{'' if own else ': ' + _text(request)}\n"
        rows = [f"| `{field.name}` | `{_type(field)}` | {_default(field)} |" for field in dataclasses.fields(request)]
        if rows:
            yield "\n".join(["| field | type | default |", "|---|---|---|", *rows, ""])


def _signature(function: FunctionType) -> str:
    signature = inspect.signature(function)
    parts = []
    keyword = False
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword:
            keyword = True
            parts.append("*")
        default = "" if parameter.default is parameter.empty else f" = {_shown(parameter.default)}"
        parts.append(f"{parameter.name}: {parameter.annotation}{default}")
    return f"({', '.join(parts)}) -> {signature.return_annotation}"


def _text(thing: Any) -> str:
    """The docstring as one paragraph."""
    paragraphs = inspect.cleandoc(thing.__doc__ or "").split("\n\n")
    return " ".join(" ".join(paragraph.split()) for paragraph in paragraphs).replace("``", "`")


def _type(field: dataclasses.Field[Any]) -> str:
    return str(field.type).replace("|", "\\|")


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"`{_shown(field.default)}`".replace("|", "\\|")
    return "" if field.default_factory is dataclasses.MISSING else "empty"


def _shown(value: Any) -> str:
    """As one would write it: constants of dvtool by their names."""
    if dataclasses.is_dataclass(value) or type(value).__module__.startswith("dvtool."):
        name = type(value).__name__
        return "SILENT" if name == "Silent" else f"{name}()"
    return "..." if callable(value) else repr(value)


if __name__ == "__main__":
    raise SystemExit(main())
