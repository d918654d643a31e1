"""A command line as it may be shown and noted: without secrets."""

from __future__ import annotations

from collections.abc import Sequence

from dvtool.remote.redact import redact

_VALUES = ((["config"], 1), (["remote", "modify"], 2))
"""Verbs whose last word may be a secret, and how many words before it stay."""


def shown_command(argv: Sequence[str]) -> tuple[str, ...]:
    """The words, each through the filter for secrets; values of settings are left out whatever they are."""
    return tuple(redact(word) for word in without_values(argv))


def without_values(argv: Sequence[str]) -> list[str]:
    """`config KEY VALUE` and `remote modify NAME KEY VALUE` may carry a secret: only the key stays."""
    words = list(argv)
    for verb, kept in _VALUES:
        for start in range(len(words)):
            if words[start : start + len(verb)] == verb:
                plain = [i for i in range(start + len(verb), len(words)) if not words[i].startswith("-")]
                for i in plain[kept:]:
                    words[i] = "***"
    return words
