"""The cases: small projects in text files, several to a file.

Uses the standard library alone, because DVC's own interpreter reads them too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

CASES = Path(__file__).parent / "cases"
ANSWERS = Path(__file__).parent / "answers.json"

Files = Mapping[str, str]


def all_cases() -> dict[str, Files]:
    """By name: the files of a project, by path."""
    found: dict[str, Files] = {}
    for file in sorted(CASES.glob("*.txt")):
        for block in ("\n" + file.read_text(encoding="utf-8")).split("\n=== ")[1:]:
            name, *parts = (block.rstrip("\n") + "\n").split("--- ")
            files = dict(part.split("\n", 1) for part in parts)
            assert name.strip() not in found
            found[name.strip()] = files
    return found


def write(files: Files, root: Path) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
