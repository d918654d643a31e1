"""Numbers with their nouns."""

from __future__ import annotations


def number(value: int) -> str:
    """``12,345``"""
    return f"{value:,}"


def count(value: int, noun: str, plural: str | None = None) -> str:
    """``1 file``, ``2 files``, ``12,345 entries``"""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"
