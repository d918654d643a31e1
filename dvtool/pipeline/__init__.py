"""Pipelines: load definitions, observe what they name, decide, run, record."""
