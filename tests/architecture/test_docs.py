"""The documentation is complete and ordered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from tests.architecture.sources import ROOT


def _pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for value in nav.values():
            yield from _pages(value)
    else:
        for item in nav:
            yield from _pages(item)


def test_every_page_is_in_the_navigation_once() -> None:
    listed = list(_pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    existing = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    verbs = {page for page in existing if page.startswith("reference/cli/")} - {"reference/cli/index.md"}
    assert len(listed) == len(set(listed))
    assert set(listed) == existing - verbs


def test_the_command_reference_links_to_every_verb() -> None:
    place = ROOT / "docs" / "reference" / "cli"
    text = (place / "index.md").read_text()
    assert [page.name for page in place.glob("*.md") if page.name != "index.md" and f"]({page.name})" not in text] == []


def test_every_stored_format_has_a_page() -> None:
    described = {path.stem for path in (ROOT / "docs" / "formats").glob("*.md")}
    assert {"config", "memo", "pack", "pointer", "recipe", "remote", "tree"} <= described
