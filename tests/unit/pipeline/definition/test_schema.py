"""The JSON Schema says what the tables say, and so does the format page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from dvtool.pipeline.definition.keys import DEFINITIONS
from dvtool.pipeline.definition.keys import TOP
from dvtool.pipeline.definition.schema import SCHEMA_PATH
from dvtool.pipeline.definition.schema import modeline
from dvtool.pipeline.definition.schema import schema_text
from dvtool.pipeline.definition.shapes import Table
from tests.equivalence.cases import all_cases

ROOT = Path(__file__).parents[4]
CASES = [(name, path, text) for name, files in all_cases().items() for path, text in files.items()]


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json.loads(schema_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def test_the_shipped_schema_is_current() -> None:
    assert (ROOT / "dvtool/pipeline/dvtool.schema.json").read_bytes() == schema_text(), "run scripts/gen_schema.py"


def test_every_key_stands_on_the_format_page() -> None:
    page = (ROOT / "docs/formats/pipeline.md").read_text(encoding="utf-8")
    missing = {name for table in (TOP, *DEFINITIONS) for name in table.keys if f"`{name}`" not in page}
    assert not {name for name in missing if f"{{{name}:" not in page and f", {name}:" not in page}


@pytest.mark.parametrize(
    ("name", "text"), [(name, text) for name, path, text in CASES if path.endswith("dvc.yaml")], ids=lambda value: ""
)
def test_what_means_something_fits_the_schema(validator: Any, name: str, text: str) -> None:
    body = yaml.safe_load(text) or {}
    validator.validate(json.loads(json.dumps(body)))


@pytest.mark.parametrize(
    "body",
    [
        {"stage": {}},
        {"stages": {"a": {"comd": "x"}}},
        {"stages": {"a": {"cmd": "x", "frozen": "yes"}}},
        {"stages": {"a": {"cmd": "x", "deps": [1]}}},
        {"stages": {"a": {"cmd": "x", "outs": [{"o": {"cach": True}}]}}},
        {"stages": {"a": {"foreach": [1], "do": {"cmd": "x"}, "cmd": "y"}}},
        {"stages": {"a": {"cmd": "x", "on_error": "ignore"}}},
    ],
)
def test_what_is_refused_does_not(validator: Any, body: dict[str, Any]) -> None:
    assert not validator.is_valid(body)


def test_templates_may_stand_for_anything(validator: Any) -> None:
    validator.validate({"stages": {"a": {"cmd": "x", "frozen": "${f}", "timeout": "${t}", "retry": "${r}"}}})


@pytest.mark.parametrize(("file", "path"), [(b"dvtool.yaml", ""), (b"a/dvtool.yaml", "../"), (b"a/b/x.yaml", "../../")])
def test_the_modeline_is_relative_to_the_definition(file: bytes, path: str) -> None:
    assert modeline(file) == f"# yaml-language-server: $schema={path}{SCHEMA_PATH.decode()}\n"


def test_names_in_the_schema_are_unique() -> None:
    names = [table.name for table in _tables()]
    assert len(names) == len(set(names)) == len(DEFINITIONS)


def _tables() -> Iterator[Table]:
    yield from DEFINITIONS
