"""What stands between ``${`` and ``}``: dotted names, with ``[0]`` for items of lists.

By hand rather than by regular expressions: those take quadratic time where a hostile text lets them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_MARKS = re.compile(r"([.\[\]])")


class Template(NamedTuple):
    """One ``${}`` in a text: where it begins and ends, and what stands inside."""

    start: int
    end: int
    inner: str


def templates_in(text: str) -> Iterator[Template]:
    """From left to right. None is one behind a backslash, and none goes over a line's end."""
    at = line_end = close = -1
    while (at := text.find("${", max(at, 0))) >= 0:
        if at and text[at - 1] == "\\":
            at += 2
            continue
        if close < at + 2:
            close = text.find("}", at + 2)
            if close < 0:
                return
        if line_end < at:
            line_end = text.find("\n", at)
            line_end = len(text) if line_end < 0 else line_end
        if close > line_end:
            at += 2
            continue
        yield Template(at, close + 1, text[at + 2 : close])
        at = close + 1


def has_template(text: str) -> bool:
    return next(templates_in(text), None) is not None


def names_in(inner: str) -> list[str] | None:
    """The names of an expression, from the outermost in; None where it is none."""
    first, *rest = _MARKS.split(inner)
    names = [first]
    marks, words = rest[::2], rest[1::2]
    at = 0
    while at < len(marks):
        if marks[at] == "[":
            if at + 1 == len(marks) or marks[at + 1] != "]" or words[at + 1].strip():
                return None
            names.append(words[at])
            at += 2
        elif marks[at] == ".":
            names.append(words[at])
            at += 1
        else:
            return None
    names = [name.strip() for name in names]
    return names if all(names) else None
