"""What stands between ``${`` and ``}``: dotted names, with ``[0]`` for items of lists."""

from __future__ import annotations

import re

PATTERN = re.compile(r"(?<!\\)\$\{(.*?)\}")
_WORD = r"[^.\[\]]+"
_EXPRESSION = re.compile(rf"{_WORD}(?:\s*\.{_WORD}|\s*\[{_WORD}\s*\])*\s*")


def has_template(text: str) -> bool:
    return "${" in text and PATTERN.search(text) is not None


def names_in(inner: str) -> list[str] | None:
    """The names of an expression, from the outermost in; None where it is none."""
    if _EXPRESSION.fullmatch(inner) is None:
        return None
    names = [name.strip() for name in inner.replace("[", ".").replace("]", "").split(".")]
    return names if all(names) else None
