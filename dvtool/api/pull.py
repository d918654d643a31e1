"""Fetch, then checkout."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace

from dvtool.api.checkout import CheckoutRequest
from dvtool.api.checkout import CheckoutResult
from dvtool.api.checkout import checkout
from dvtool.api.checkout import raise_for as checkout_raise_for
from dvtool.api.fetch import FetchRequest
from dvtool.api.fetch import fetch
from dvtool.api.fetch import raise_for as fetch_raise_for
from dvtool.errors import DvtoolError
from dvtool.errors import IntegrityError
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.open import Project
from dvtool.project.oplog import begin
from dvtool.project.parts import open_cache
from dvtool.project.reading import FetchReport


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What to fetch and how to check it out; both parts have the same targets."""

    fetch: FetchRequest = field(default_factory=FetchRequest)
    checkout: CheckoutRequest = field(default_factory=CheckoutRequest)


@dataclass(frozen=True, slots=True)
class PullResult:
    """Both results; ``checkout`` is None after a dry run."""

    fetched: FetchReport
    checkout: CheckoutResult | None


def pull(project: Project, request: PullRequest, reporter: Reporter = SILENT) -> PullResult:
    """Fetch what the cache lacks and restore the worktree: all that can be had, the rest is listed.

    What turns out to be damaged in the cache is set aside and fetched again.

    Raises as `fetch` and `checkout` do.
    """
    if request.fetch.dry_run:
        return PullResult(fetch(project, request.fetch, reporter), None)
    with begin(project, "pull"):
        return _pull(project, request, reporter)


def _pull(project: Project, request: PullRequest, reporter: Reporter) -> PullResult:
    cache = open_cache(project)
    fetched = fetch(project, request.fetch, reporter, cache=cache)
    cache.forget()
    done = checkout(project, request.checkout, reporter, cache=cache)
    damage = [error for error in done.errors if isinstance(error, IntegrityError)]
    if damage:
        _set_aside(project, damage, reporter)
        again = fetch(project, request.fetch, reporter)
        fetched = again.after(fetched)
        done = done.followed_by(checkout(project, request.checkout, reporter))
    return PullResult(fetched, done)


def _set_aside(project: Project, damage: list[IntegrityError], reporter: Reporter) -> None:
    """Move damaged files of the cache out of the way, so that what they held can be fetched again."""
    from dvtool.store.salvage import set_aside_damage

    for aside in set_aside_damage(open_cache(project), damage, what="dvtool pull", on_wait=reporter.note):
        reporter.note(f"{show(aside.path)} was damaged and is set aside in {show(aside.moved_to)}")


def raise_for(result: PullResult, request: PullRequest) -> None:
    """Raise the error that a pull ends with, if it left anything undone.

    What the remotes did not have is named by the fetch; the checkout's list of the same paths adds nothing.
    """
    fetched = result.fetched.without_missing() if request.checkout.allow_missing else result.fetched
    problems: list[DvtoolError] = []
    try:
        fetch_raise_for(fetched)
    except DvtoolError as error:
        problems.append(error)
    try:
        if result.checkout is not None:
            checkout_raise_for(result.checkout, replace(request.checkout, allow_missing=True))
    except DvtoolError as error:
        problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        causes = tuple(cause for problem in problems for cause in (problem.causes or (problem,)))
        raise DvtoolError("the worktree is not what the pointers say", hint=problems[0].hint, causes=causes)
