"""What the verbs that run stages have in common: telling how it goes, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dvtool.cli.session import Session

if TYPE_CHECKING:
    from dvtool.api.repro import ReproResult
    from dvtool.pipeline.outcome import Tell


def narrator(session: Session, *, as_json: bool, jobs: int) -> Tell:
    """Tells of each stage while it goes on, unless nobody wants to hear."""
    from dvtool.ui.repro import Narrator

    if as_json or session.quiet:
        return lambda _: None
    return Narrator(session.line, session.raw, session.paint, streams=jobs == 1)


def warn_of_visible(session: Session, result: ReproResult) -> None:
    """Outputs that the user's own rules keep visible to Git."""
    from dvtool.model.paths import show

    for path in result.visible:
        session.warn(
            f"Git still sees {show(path)}: a rule of yours keeps it visible",
            hint=f"look with: git check-ignore -v --no-index {show(path)}",
        )
