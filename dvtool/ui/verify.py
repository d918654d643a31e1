"""What a look at a commit found, in words, as JSON and beside the lines of a change."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from dvtool.api.verify import Lacking
from dvtool.api.verify import Outdated
from dvtool.api.verify import VerifyResult
from dvtool.model.paths import show
from dvtool.ui.annotations import Annotation
from dvtool.ui.counts import count
from dvtool.ui.reasons import reason_details
from dvtool.ui.reasons import reason_json
from dvtool.ui.reasons import weightiest
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe

_SHORT = 10


def verify_lines(result: VerifyResult, paint: Paint) -> Iterator[str]:
    """What is out of date, what was not looked at, then one line with the verdict. The error tells what is missing."""
    for one in result.outdated:
        yield f"{paint(safe(one.stage), 'bold')} is not what its lock says  {paint(_place(one), 'dim')}"
        yield from (f"  {reason_details(reason)}" for reason in one.reasons)
    for unsure in result.unchecked:
        what = f"{unsure.stage}: {unsure.subject}" if unsure.subject else unsure.stage
        why = f": {unsure.why}" if unsure.why else ""
        yield paint(f"not looked at: {safe(what)}{safe(why)}", "dim")
    yield _verdict(result)


def _verdict(result: VerifyResult) -> str:
    what = f"{safe(result.rev)} ({result.commit[:_SHORT]})"
    looked = f"{count(result.stages, 'stage')}, {count(result.tracked, 'tracked path')}"
    wrong = []
    if result.outdated:
        wrong.append(f"{count(len(result.outdated), 'stage')} out of date")
    if result.lacking:
        wrong.append(f"{count(len(result.lacking), 'object')} on no remote")
    if wrong:
        return f"{what} is not whole: {', '.join(wrong)} ({looked})"
    asked = "" if result.lacking is not None else "; no remote was asked"
    return f"{what} is whole: {looked}{asked}"


def verify_json(result: VerifyResult) -> dict[str, object]:
    """The document of ``verify/1``."""
    return {
        "rev": result.rev,
        "commit": result.commit,
        "whole": result.is_whole,
        "stages": result.stages,
        "tracked": result.tracked,
        "outdated": [
            {
                "stage": one.stage,
                "path": one.file,
                "line": one.line,
                "follows": one.follows,
                "reasons": [reason_json(reason) for reason in one.reasons],
            }
            for one in result.outdated
        ],
        "unchecked": [
            {"stage": one.stage, "subject": one.subject or None, "why": one.why or None} for one in result.unchecked
        ],
        "lacking": None if result.lacking is None else [_lacking(item) for item in result.lacking],
    }


def verify_annotations(result: VerifyResult, to_git: Callable[[bytes], bytes]) -> Iterator[Annotation]:
    """At the stage's definition, and at the pointer or lock that names what is missing. *to_git* as in `Layout`."""
    for one in result.outdated:
        message = f"stage {one.stage} is not what its lock says: {weightiest(one.reasons)}; run `dvtool repro`"
        yield Annotation(_text(to_git(one.file)), one.line, "outdated", message)
    by_pointer: dict[bytes, list[Lacking]] = {}
    for item in result.lacking or ():
        by_pointer.setdefault(item.pointer, []).append(item)
    for pointer, items in by_pointer.items():
        more = f" and {len(items) - 1:,} more are" if items[1:] else " is"
        message = f"{show(items[0].path)}{more} not on {' or '.join(items[0].remotes)}; run `dvtool push`"
        yield Annotation(_text(to_git(pointer)) if pointer else "", 1, "not-pushed", message)


def _lacking(item: Lacking) -> dict[str, object]:
    return {
        "path": item.path,
        "pointer": item.pointer or None,
        "digest": item.digest,
        "size": item.size,
        "remotes": list(item.remotes),
    }


def _place(one: Outdated) -> str:
    return f"{show(one.file)}:{one.line}"


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
