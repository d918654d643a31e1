"""The reference is what the command line says, and every verb has its page."""

from __future__ import annotations

import importlib.util
from inspect import cleandoc
from types import ModuleType

import click
import pytest

from dvtool.cli import exitcodes
from dvtool.cli.frame import VerbCommand
from dvtool.cli.frame import VerbGroup
from dvtool.cli.group import load
from dvtool.cli.group import program
from dvtool.cli.table import ALIASES
from dvtool.cli.table import VERBS
from dvtool.errors import DvtoolError
from tests.architecture import sources

# A script for the shell.
WITHOUT_API = {"completion"}
REFERENCE = sources.ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return script("gen_reference")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, sources.ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date(generator: ModuleType) -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in (REFERENCE / "cli").glob("*.md")}
    assert written == generator.pages(), "run: python scripts/gen_reference.py"


def test_the_page_of_pythons_verbs_is_up_to_date() -> None:
    written = (REFERENCE / "python-verbs.md").read_text(encoding="utf-8")
    assert written == script("gen_python").page(), "run: python scripts/gen_python.py"
    assert {f"### {name}" for name in VERBS if name not in WITHOUT_API} <= set(written.split("\n"))


def everything() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = [("dvtool", program)]
    for name, entry in VERBS.items():
        command = load(entry.target)
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {below}", each) for below, each in command.commands.items()]
    return found


@pytest.mark.parametrize(("name", "command"), everything(), ids=[name for name, _ in everything()])
def test_every_verb_is_described(name: str, command: click.Command) -> None:
    assert isinstance(command, VerbCommand | VerbGroup)
    first, _, rest = cleandoc(command.help or "").partition("\n")
    assert first.endswith(".")
    assert len(first) <= 90
    assert not rest.strip() or rest.startswith("\n"), "an empty line after the first"
    assert command.examples
    assert all("dvtool" in example for example in command.examples)
    options = [param for param in command.params if isinstance(param, click.Option)]
    assert [option.opts for option in options if not option.help or not option.help.endswith(".")] == []
    if name in VERBS:
        assert first == VERBS[name].summary


def test_an_alias_names_a_verb() -> None:
    assert set(ALIASES.values()) <= set(VERBS)
    assert not set(ALIASES) & set(VERBS)


def kinds(cls: type[DvtoolError]) -> set[str]:
    return {cls.kind}.union(*(kinds(each) for each in cls.__subclasses__()))


def test_every_kind_of_error_has_a_documented_code() -> None:
    assert kinds(DvtoolError) <= set(exitcodes.BY_KIND)
    page = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8")
    numbers = {*exitcodes.BY_KIND.values(), exitcodes.INTERRUPTED, exitcodes.OUTPUT_CLOSED, exitcodes.TERMINATED}
    assert [number for number in sorted(numbers) if f"| {number} | " not in page] == []
    json_page = (REFERENCE / "json.md").read_text(encoding="utf-8")
    assert [kind for kind in exitcodes.BY_KIND if f"`{kind}`" not in json_page] == []
