from __future__ import annotations

import pytest

from dvtool.errors import FormatError
from dvtool.formats.precommit import HOOK_IDS
from dvtool.formats.precommit import with_hooks
from dvtool.formats.precommit import without_hooks

TEXTS = {
    "flush": "repos:\n- repo: https://example.org/x\n  rev: v1  # pinned\n  hooks:\n  - id: a\n",
    "indented": "---\n# ours\nrepos:\n  # one\n  - repo: x\n    rev: v1\n    hooks:\n      - id: a\n",
    "not last": "repos:\n- repo: x\n  rev: v1\n  hooks: [{id: a}]\n\n# for the service\nci:\n  skip: [a]\n",
    "no end of line": "repos:\n- repo: x\n  rev: v1\n  hooks: [{id: a}]",
    "types": "default_install_hook_types: [pre-commit]\nrepos:\n- {repo: x, rev: v1, hooks: [{id: a}]}\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_stands_there_stays(text: str) -> None:
    new = with_hooks(text, "x")
    assert [line for line in text.splitlines() if line not in new.splitlines()] == []
    assert all(f"- id: {name}\n" in new for name in HOOK_IDS)
    assert with_hooks(new, "x") == new
    left = without_hooks(new).splitlines()
    assert left[-len(text.splitlines()) + 1 :] == text.splitlines()[1:]


def test_a_new_file_goes_as_it_came() -> None:
    new = with_hooks(None, "x")
    assert new == with_hooks("\n", "x")
    assert without_hooks(new) == ""


def test_only_those_that_are_missing() -> None:
    some = "repos:\n- repo: x\n  rev: v1\n  hooks:\n  - id: dvtool-pre-commit\n  - id: dvtool-pre-push\n"
    new = with_hooks(some, "x")
    assert new.count("id: dvtool-pre-commit\n") == 1
    assert new.count("id: dvtool-post-merge\n") == 1


@pytest.mark.parametrize("text", ["repos: []\n", "[a]\n", "repos: {a: b}\n", "a: b\n", "repos: [{repo: x}]\n"])
def test_another_form_is_left_to_its_owner(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        with_hooks(text, "x")
    assert "put this in by hand:" in (caught.value.hint or "")


def test_what_is_no_yaml_is_told_with_its_line() -> None:
    with pytest.raises(FormatError, match="x:3"):
        with_hooks("repos:\n- {a\n", "x")
