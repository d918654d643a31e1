"""Why something is done with a stage, in words: one sentence for each `Because`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from dvtool.pipeline.types import Because
from dvtool.pipeline.types import Reason
from dvtool.ui.text import safe

_MOST_VALUE = 60
_BEFORE_DIFFERENCE = 20
_DIGEST_SHOWN = 12

_WORDS: dict[Because, str] = {
    Because.UNCHANGED: "nothing changed",
    Because.NEVER_RAN: "it never ran",
    Because.FORCED: "a run was demanded",
    Because.ALWAYS: "it is always_changed",
    Because.FROZEN: "it is frozen",
    Because.COMMAND_CHANGED: "its command changed",
    Because.DEP_CHANGED: "dependency {} changed",
    Because.DEP_ADDED: "dependency {} is new",
    Because.DEP_REMOVED: "dependency {} was taken out",
    Because.DEP_MISSING: "dependency {} is not there",
    Because.DEP_UNCHECKED: "dependency {} is only looked at by `dvtool repro`",
    Because.PARAM_CHANGED: "parameter {} changed",
    Because.PARAM_ADDED: "parameter {} is new",
    Because.PARAM_REMOVED: "parameter {} was taken out",
    Because.OUT_CHANGED: "output {} is not what the last run made",
    Because.OUT_MISSING: "output {} is not there",
    Because.OUT_ADDED: "output {} is new",
    Because.OUT_REMOVED: "output {} was taken out",
    Because.RUN_CACHED: "an earlier run with the same inputs is known",
    Because.UPSTREAM_RUNS: "stage {} comes before it",
    Because.UPSTREAM_FAILED: "stage {} failed",
}

_WITH_VALUES = frozenset({Because.PARAM_CHANGED, Because.PARAM_ADDED, Because.PARAM_REMOVED, Because.COMMAND_CHANGED})
_WITH_DIGESTS = frozenset({Because.DEP_CHANGED, Because.OUT_CHANGED})


def reason_words(reason: Reason) -> str:
    """One sentence without its full stop; values are shown before and after, digests are not."""
    words = _WORDS[reason.because].format(safe(reason.subject))
    if reason.because in _WITH_VALUES:
        change = " -> ".join(_shortened([value for value in (reason.before, reason.after) if value]))
        return f"{words}: {change}" if change else words
    return words


def reason_details(reason: Reason) -> str:
    """`reason_words`, with the digests before and after where there are any."""
    if reason.because in _WITH_DIGESTS and reason.before and reason.after:
        return f"{reason_words(reason)}: {_digest(reason.before)} -> {_digest(reason.after)}"
    return reason_words(reason)


def reason_json(reason: Reason) -> dict[str, object]:
    """The same for ``--json``; ``before`` and ``after`` are null where there is none."""
    return {
        "because": reason.because.value,
        "subject": reason.subject or None,
        "before": reason.before or None,
        "after": reason.after or None,
        "text": reason_words(reason),
    }


def weightiest(reasons: Sequence[Reason]) -> str:
    """The first reason, and how many more there are."""
    if not reasons:
        return ""
    more = len(reasons) - 1
    return reason_words(reasons[0]) + (f" (and {more} more)" if more else "")


def _shortened(values: Sequence[str]) -> list[str]:
    """Each on one line; of long ones the part in which they differ."""
    texts = [safe(value).replace("\n", "\\n") for value in values]
    if max(map(len, texts), default=0) <= _MOST_VALUE:
        return texts
    first = 0
    if len(texts) > 1:
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*texts)))
        first = max(0, alike - _BEFORE_DIFFERENCE)
    return [_cut(text, first) for text in texts]


def _cut(text: str, first: int) -> str:
    shown = text if first < _BEFORE_DIFFERENCE else "..." + text[first:]
    return shown if len(shown) <= _MOST_VALUE else shown[: _MOST_VALUE - 3] + "..."


def _digest(text: str) -> str:
    algorithm, colon, rest = text.partition(":")
    return f"{algorithm}{colon}{rest[:_DIGEST_SHOWN]}"
