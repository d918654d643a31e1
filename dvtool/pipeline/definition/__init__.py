"""``dvtool.yaml``: see ``docs/formats/pipeline.md``."""

from __future__ import annotations

from dvtool.pipeline.definition.find import find_definitions
from dvtool.pipeline.definition.find import load
from dvtool.pipeline.definition.parse import parse

__all__ = ["find_definitions", "load", "parse"]
