"""The JSON Schema of definitions, for editors: made of the tables that definitions are checked against."""

from __future__ import annotations

import json

from dvtool.model.paths import split
from dvtool.pipeline.definition.keys import DEFINITIONS
from dvtool.pipeline.definition.keys import TOP

SCHEMA_PATH = b".dvtool/dvtool.schema.json"
"""Where a project keeps its copy, relative to the root."""


def schema_text() -> bytes:
    """The schema as JSON text."""
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:dvtool:pipeline:1",
        "title": "dvtool.yaml",
        "description": "Stages of a pipeline.",
    }
    found = {**head, **TOP.schema(), "definitions": {table.name: table.definition() for table in DEFINITIONS}}
    return (json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def modeline(file: bytes) -> str:
    """The first line of the definition *file*, by which editors find the project's copy."""
    parent = split(file)[0]
    up = b"../" * (parent.count(b"/") + 1) if parent else b""
    return f"# yaml-language-server: $schema={(up + SCHEMA_PATH).decode('ascii')}\n"
