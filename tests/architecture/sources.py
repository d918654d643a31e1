"""The sources of dvtool as syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Module:
    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def package(self) -> str:
        """The floor it lives on: ``store`` for ``dvtool/store/pack.py``, ``errors`` for ``dvtool/errors.py``."""
        parts = self.path.relative_to(ROOT / "dvtool").parts
        return parts[0].removesuffix(".py")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_bytes(), str(self))

    def imported(self) -> set[str]:
        """Top-level names of everything it imports absolutely, inside functions too."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
                found.add(node.module.partition(".")[0])
        return found

    def references(self) -> Iterator[tuple[int, str]]:
        """Line and full dotted name of every use of a name, with import aliases resolved."""
        aliases = dict(self.aliases())
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load):
                name = dotted(node)
                if name is not None:
                    first, _, rest = name.partition(".")
                    origin = aliases.get(first, first)
                    yield node.lineno, f"{origin}.{rest}" if rest else origin

    def aliases(self) -> Iterator[tuple[str, str]]:
        """Names under which something imported goes here, and what it is."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.asname is not None:
                        yield alias.asname, alias.name
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                for alias in node.names:
                    yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def modules() -> list[Module]:
    """Every module of the package."""
    return [Module(path) for path in sorted((ROOT / "dvtool").rglob("*.py"))]


def dotted(node: ast.expr) -> str | None:
    """``a.b.c`` for such an expression; None for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    return None
