"""Write the JSON Schema of ``dvtool.yaml`` that the package ships, after a change of the keys; a test compares."""

from __future__ import annotations

from pathlib import Path

from dvtool.pipeline.definition.schema import schema_text

PLACE = Path(__file__).resolve().parents[1] / "dvtool" / "pipeline" / "dvtool.schema.json"

if __name__ == "__main__":
    PLACE.write_bytes(schema_text())
