"""``dvtool.yaml``: see ``docs/formats/pipeline.md``."""

from __future__ import annotations

from dvtool.pipeline.definition.files import load
from dvtool.pipeline.definition.parse import parse

__all__ = ["load", "parse"]
