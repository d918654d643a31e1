"""Findings in the words of platforms."""

from __future__ import annotations

import json

from dvtool.ui.annotations import Annotation
from dvtool.ui.annotations import annotation_lines

ERROR = Annotation("a,b:c.yaml", 3, "outdated", "100% of it\nis old")
ADVICE = Annotation("", 0, "shell", "be careful", is_error=False)


def test_commands_hold_their_values() -> None:
    first, second = annotation_lines("github", [ADVICE, ERROR])
    assert first == "::error file=a%2Cb%3Ac.yaml,line=3,title=dvtool%3A outdated::100%25 of it%0Ais old"
    assert second == "::warning title=dvtool%3A shell::be careful"


def test_no_value_becomes_a_command_of_its_own() -> None:
    (line,) = annotation_lines("github", [Annotation("x\n::stop-commands::y", 1, "r", "m\r\n::set-output::")])
    assert "\n" not in line and "\r" not in line


def test_a_report_of_code_quality() -> None:
    report = json.loads("".join(annotation_lines("gitlab", [ERROR, ADVICE, ADVICE])))
    assert [each["severity"] for each in report] == ["major", "minor", "minor"]
    assert report[0]["location"] == {"path": "a,b:c.yaml", "lines": {"begin": 3}}
    assert len({each["fingerprint"] for each in report}) == 3
    moved = json.loads("".join(annotation_lines("gitlab", [ERROR._replace(line=9)])))
    assert moved[0]["fingerprint"] == report[0]["fingerprint"]
    assert json.loads("".join(annotation_lines("gitlab", []))) == []
