"""Every promise in the documentation names tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.architecture.sources import ROOT

PAGE = (ROOT / "docs/explanation/promises.md").read_text()
SECTIONS = dict(re.findall(r"^## (P\d+) .*?\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL))
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))


def test_there_are_ten_and_each_names_tests() -> None:
    assert list(SECTIONS) == [f"P{number}" for number in range(1, 11)]
    assert [name for name, text in SECTIONS.items() if "- `tests/" not in text] == []


@pytest.mark.parametrize("name", NAMED)
def test_the_test_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    source = (ROOT / path).read_text()
    assert re.search(rf"^ *def {function or 'test_'}", source, re.MULTILINE), name


def test_every_story_holds_a_promise() -> None:
    stories = {f"tests/stories/{path.name}" for path in (ROOT / "tests/stories").glob("test_*.py")}
    assert stories - {name.partition("::")[0] for name in NAMED} == set()
