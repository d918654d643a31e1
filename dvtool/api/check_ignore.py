"""Which paths are passed over, and by which pattern."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.project.open import Project
from dvtool.project.parts import relative_path
from dvtool.workspace.ignore import IgnoreRules


@dataclass(frozen=True, slots=True)
class IgnoreAnswer:
    """``path`` as it was asked. The rule is there if a pattern matched; a negated one means "not ignored"."""

    path: bytes
    ignored: bool
    file: bytes | None
    line: int | None
    pattern: bytes | None


def check_ignore(project: Project, targets: Sequence[bytes]) -> tuple[IgnoreAnswer, ...]:
    """One answer for each target, which need not exist (a final slash makes it a directory)."""
    rules = IgnoreRules.load(project.root, project.ignore_file)
    answers = []
    for target in targets:
        path = relative_path(project, target)
        full = os.path.join(project.root, path)
        is_dir = target.endswith(b"/") or (os.path.isdir(full) and not os.path.islink(full))
        rule = rules.explain(path, is_dir) if path else None
        if rule is None:
            answers.append(IgnoreAnswer(target, False, None, None, None))
        else:
            answers.append(IgnoreAnswer(target, not rule.negated, rule.file, rule.line, rule.pattern))
    return tuple(answers)
