"""Answers of ``check-ignore`` as lines."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dvtool.model.paths import show

if TYPE_CHECKING:
    from dvtool.api.check_ignore import IgnoreAnswer


def ignore_lines(answers: Sequence[IgnoreAnswer], *, details: bool, non_matching: bool) -> Iterator[str]:
    """The paths; with *details* ``file:line:pattern``, a tab and the path, as `git check-ignore -v` has it."""
    for answer in answers:
        if not details:
            if answer.ignored:
                yield show(answer.path)
        elif answer.file is not None and answer.pattern is not None:
            yield f"{show(answer.file)}:{answer.line}:{show(answer.pattern)}\t{show(answer.path)}"
        elif non_matching:
            yield f"::\t{show(answer.path)}"
