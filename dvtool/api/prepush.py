"""The data of commits goes to its remote before the commits go to theirs."""

from __future__ import annotations

import os
from collections.abc import Collection
from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.api.push import PushReport
from dvtool.api.push import PushRequest
from dvtool.api.push import push
from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import MissingData
from dvtool.git.blobs import read_file_at
from dvtool.git.discover import find_git
from dvtool.git.history import PointerBlob
from dvtool.git.pushed import pointers_brought
from dvtool.git.pushed import range_for
from dvtool.git.pushed import tips_of
from dvtool.git.roots import project_roots
from dvtool.git.roots import root_of
from dvtool.git.run import GitRepo
from dvtool.git.worktree import pointers_at
from dvtool.model.paths import is_below
from dvtool.model.paths import show
from dvtool.model.ports import SILENT
from dvtool.model.ports import Reporter
from dvtool.project.environment import Environment
from dvtool.project.history import tracked_at
from dvtool.project.open import Project
from dvtool.project.open import open_project
from dvtool.project.transfers import Revisions
from dvtool.workspace.pointers import Tracked

__all__ = ["PrePushRequest", "PrePushResult", "pre_push"]

_PAST = "`git push --no-verify` goes past this check"
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class PrePushRequest:
    """``refs``: of each ref what is here and what is there; all zeros for none. ``now``: Unix seconds."""

    refs: tuple[tuple[str, str], ...]
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class PrePushResult:
    """``left_behind``: what older commits name and neither this clone nor the remote has, in words."""

    reports: tuple[PushReport, ...] = ()
    left_behind: tuple[str, ...] = ()


def pre_push(environment: Environment, request: PrePushRequest, reporter: Reporter = SILENT) -> PrePushResult:
    """Upload what the new commits name. Where they change no pointer, nothing is contacted.

    Raises `MissingData` where data that they bring in is neither here nor there, `ConfigError`, `StorageError`, ...
    """
    repo = find_git(environment.cwd, environment.environ)
    tips = tips_of(repo, (here for here, _ in request.refs)) if repo is not None else []
    if repo is None or not tips:
        return PrePushResult()
    brought = range_for(repo, tips, (there for _, there in request.refs))
    blobs = pointers_brought(repo, brought)
    roots = project_roots(repo)
    by_root: dict[bytes, list[PointerBlob]] = {}
    for blob in blobs:
        root = root_of(blob.path, roots)
        if root is not None:
            by_root.setdefault(root, []).append(blob)
        else:
            _refuse_absent(repo, blob.path, tips)
    reports: list[PushReport] = []
    left: list[str] = []
    for root in sorted(by_root):
        project = open_project(os.path.join(repo.worktree, root), environment)
        if project.git is not None:
            found, notes = _Pushing(project, by_root[root], request, reporter).run(tips, brought)
            reports += found
            left += notes
    return PrePushResult(tuple(reports), tuple(left))


class _Pushing:
    """One project. *blobs*: the versions of its pointers and locks that the new commits brought in."""

    def __init__(
        self, project: Project, blobs: Collection[PointerBlob], request: PrePushRequest, reporter: Reporter
    ) -> None:
        self._project = project
        self._blobs = blobs
        self._request = request
        self._reporter = reporter

    def run(self, tips: Sequence[str], brought: tuple[str, ...]) -> tuple[list[PushReport], list[str]]:
        layout, git = self._project.layout, self._project.git
        assert git is not None
        items = [item for tip in tips for item in tracked_at(self._project, tip) if item.pushed]
        reports: list[PushReport] = []
        left: list[str] = []
        if items:
            self._require_remote(items)
            changed = {layout.from_git(blob.path) for blob in self._blobs}
            own = {item.path for item in items if item.pointer_path in changed}
            left += self._push(Revisions(commits=tuple(tips)), own, reports)
        prefix = layout.prefix.rstrip(b"/")
        last = {blob for tip in tips for blob in pointers_at(git, tip, prefix, locks=True).values()}
        if self._is_configured() and any(blob.blob not in last for blob in self._blobs):
            # What commits in between name is sent as far as it is here: refusing would bring none of it back.
            left += self._push(Revisions(brought=brought), (), reports)
        return [report for report in reports if not report.up_to_date], left

    def _push(self, revisions: Revisions, own: Collection[bytes], reports: list[PushReport]) -> list[str]:
        try:
            request = PushRequest(revisions=revisions, now=self._request.now, worktree=False)
            reports.append(push(self._project, request, self._reporter))
        except MissingData as error:
            paths = [os.fsencode(each.path) for each in error.causes if isinstance(each, DvtoolError) and each.path]
            if not paths or any(is_below(path, each) for path in paths for each in own):
                error.hint = f"{error.hint}; {_PAST}" if error.hint else _PAST
                raise
            return [f"{show(path)} of an older commit is neither here nor on the remote" for path in paths]
        return []

    def _is_configured(self) -> bool:
        return bool(self._project.config.remotes())

    def _require_remote(self, items: Sequence[Tracked]) -> None:
        if not self._is_configured():
            raise ConfigError(
                f"no remote is configured, so the data of {show(items[0].path)} would stay on this machine alone",
                hint=f"dvtool remote add -d NAME URL; {_PAST}",
            )


def _refuse_absent(repo: GitRepo, path: bytes, tips: Sequence[str]) -> None:
    """A project that the pushed commits have and this work tree has not: its settings are not here to be used."""
    for tip in tips:
        if read_file_at(repo, tip, path) is None:
            continue
        above = path
        while above:
            above = above.rpartition(b"/")[0]
            marker = above + b"/.dvtool/config" if above else b".dvtool/config"
            if read_file_at(repo, tip, marker, limit=_LIMIT) is not None:
                raise DvtoolError(
                    f"{show(path)} in the pushed commits belongs to a dvtool project that is not in this work tree",
                    path=path,
                    hint=f"check out that branch and push again; {_PAST}",
                )
