"""What a check found, in the form that a platform shows beside the lines of a change."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple

from dvtool.hashing.digests import object_id
from dvtool.ui.text import safe

PLATFORMS = ("github", "gitlab")


class Annotation(NamedTuple):
    """``path``: from the top of the Git repository, as text; empty where it is about no file. ``line``: from 1, 0 for
    the whole file. ``rule``: what kind of finding it is, in one word."""

    path: str
    line: int
    rule: str
    message: str
    is_error: bool = True


def annotation_lines(platform: str, found: Iterable[Annotation]) -> Iterator[str]:
    """For "github" workflow commands, for "gitlab" a code quality report: one JSON document."""
    return _github(found) if platform == "github" else _gitlab(found)


def _github(found: Iterable[Annotation]) -> Iterator[str]:
    each = list(found)
    # Errors first, for a step shows a few of each kind alone.
    for one in sorted(each, key=lambda one: not one.is_error):
        place = [("file", one.path)] if one.path else []
        place += [("line", str(one.line))] if one.path and one.line else []
        facts = ",".join(f"{key}={_property(value)}" for key, value in (*place, ("title", f"dvtool: {one.rule}")))
        yield f"::{'error' if one.is_error else 'warning'} {facts}::{_data(safe(one.message))}"


def _gitlab(found: Iterable[Annotation]) -> Iterator[str]:
    seen: dict[str, int] = {}
    report = []
    for one in found:
        text = f"{one.rule}\0{one.path}\0{one.message}"
        # Two findings with one fingerprint are one to GitLab; the line is no part of it, for lines move.
        seen[text] = seen.get(text, 0) + 1
        report.append(
            {
                "description": safe(one.message),
                "check_name": f"dvtool-{one.rule}",
                "fingerprint": object_id(f"{text}\0{seen[text]}".encode("utf-8", "surrogateescape")).hex()[:32],
                "severity": "major" if one.is_error else "minor",
                "location": {"path": safe(one.path) or ".", "lines": {"begin": one.line or 1}},
            }
        )
    yield json.dumps(report, indent=1)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(safe(text)).replace(":", "%3A").replace(",", "%2C")
