"""Results to text, tables, progress and JSON. Streams, environment and clock are passed in from the command line."""

from __future__ import annotations
