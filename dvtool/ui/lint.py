"""What a check of dvtool's own files found, in words and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from dvtool.api.lint import Finding
from dvtool.api.lint import LintResult
from dvtool.model.paths import show
from dvtool.ui.annotations import Annotation
from dvtool.ui.counts import count
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe


def lint_lines(result: LintResult, paint: Paint) -> Iterator[str]:
    """``path:line: error: message``, as compilers write it, then a line with the numbers."""
    for finding in result.findings:
        kind = paint("error:", "red", "bold") if finding.is_error else paint("warning:", "yellow", "bold")
        yield f"{_place(finding)}{kind} {safe(finding.message)}"
        if finding.hint:
            yield f"  {paint('hint:', 'cyan')} {safe(finding.hint)}"
    looked = ", ".join(
        count(number, word)
        for number, word in ((result.pointers, "pointer"), (result.locks, "lock"), (result.definitions, "definition"))
    )
    errors = sum(finding.is_error for finding in result.findings)
    advice = len(result.findings) - errors
    yield f"{looked}: {count(errors, 'error')}, {count(advice, 'warning')}"


def lint_annotations(result: LintResult, to_git: Callable[[bytes], bytes]) -> Iterator[Annotation]:
    """Each finding at its line. *to_git* as in `Layout`."""
    for finding in result.findings:
        path = to_git(finding.path).decode("utf-8", "surrogateescape") if finding.path else ""
        message = f"{finding.message} (hint: {finding.hint})" if finding.hint else finding.message
        yield Annotation(path, finding.line, finding.rule, message, finding.is_error)


def lint_json(result: LintResult) -> dict[str, object]:
    """The document of ``lint/1``."""
    return {
        "pointers": result.pointers,
        "locks": result.locks,
        "definitions": result.definitions,
        "findings": [
            {
                "path": finding.path or None,
                "line": finding.line or None,
                "severity": "error" if finding.is_error else "warning",
                "rule": finding.rule,
                "message": finding.message,
                "hint": finding.hint or None,
            }
            for finding in result.findings
        ],
    }


def _place(finding: Finding) -> str:
    if not finding.path:
        return ""
    return f"{show(finding.path)}:{finding.line}: " if finding.line else f"{show(finding.path)}: "
