"""Which remote a tracked path belongs to, and which ones are read for it in which order.

A pointer's own ``remote`` line decides, then the patterns in ``remote.NAME.paths``, then the default
remote. A tracked directory belongs to one remote as a whole: its listing promises all of it. What
belongs to the default one may go to any other that is named, unless that has ``paths`` of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import NamedTuple

from dvtool.errors import ConfigError
from dvtool.errors import UsageError
from dvtool.model.paths import show
from dvtool.model.ports import Reporter
from dvtool.project.config import Config
from dvtool.transfer.types import Wanted
from dvtool.workspace.pointers import Tracked

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class Route(NamedTuple):
    """What is to be moved, and the remotes for it: where it goes, or in which order they are asked."""

    remotes: tuple[str, ...]
    wanted: list[Wanted]


_Choice = Callable[[str], tuple[str, ...]]
"""The remotes for what belongs to the one of that name (empty: the default one)."""


class Routes:
    """The rules of one project. Nothing in it is contacted."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._rules: list[tuple[str, GitIgnoreSpec]] | None = None

    def owner(self, item: Tracked) -> str:
        """The remote a tracked path belongs to; empty: the default one. Raises `ConfigError` where two claim it."""
        return self.owner_of(item.path, item.pointer.remote, is_directory=item.is_directory)

    def owner_of(self, path: bytes, stated: str, *, is_directory: bool) -> str:
        """The same for a path whose pointer states that remote, or none."""
        if stated:
            return stated
        text = os.fsdecode(path) + ("/" if is_directory else "")
        names = [name for name, patterns in self._patterns() if patterns.match_file(text)]
        if len(names) > 1:
            raise ConfigError(
                f"{show(path)} belongs to several remotes: the paths of {' and of '.join(names)} match it",
                path=path,
                hint=f"change `dvtool config remote.{names[0]}.paths`, or: dvtool add --remote NAME {show(path)}",
            )
        return names[0] if names else ""

    def for_pushing(
        self, wanted: Iterable[Wanted], names: Sequence[str], reporter: Reporter, *, mirrors: bool
    ) -> list[Route]:
        """One route for each remote. *names* narrow it down: what belongs elsewhere stays, and a note says so."""

        def to(owner: str) -> tuple[str, ...]:
            if names:
                return tuple(name for name in dict.fromkeys(names) if self.may_hold(owner, name))
            own = self._family(owner)
            return own if mirrors else own[:1]

        by_remote: dict[str, list[Wanted]] = {}
        for remotes, some in self._grouped(wanted, to, names, reporter):
            for name in remotes:
                by_remote.setdefault(name, []).extend(some)
        return [Route((name,), some) for name, some in by_remote.items()]

    def for_reading(self, wanted: Iterable[Wanted], names: Sequence[str], reporter: Reporter) -> list[Route]:
        """What is read from the same remotes together. *names* stand for the default one and its mirrors."""

        def chain(owner: str) -> tuple[str, ...]:
            if not names:
                return self._family(owner)
            asked = (self._family(name) for name in names if self.may_hold(owner, name))
            return tuple(dict.fromkeys(name for family in asked for name in family))

        return [Route(remotes, some) for remotes, some in self._grouped(wanted, chain, names, reporter)]

    def may_hold(self, owner: str, name: str) -> bool:
        """Whether what belongs to *owner* may lie on the remote *name*. Raises `ConfigError`."""
        if owner:
            return name in self._family(owner)
        settings = self._config.remote(name)
        default = self._config.text("core.remote")
        return not settings.names("paths") or (default is not None and name in self._family(default))

    def reading_order(self) -> tuple[str, ...]:
        """All remotes, for what has no path: the default one and its mirrors first."""
        remotes = self._config.remotes()
        default = self._config.text("core.remote")
        first = self._family(default) if default in remotes else ()
        return tuple(dict.fromkeys((*first, *remotes)))

    def _grouped(
        self, wanted: Iterable[Wanted], remotes_for: _Choice, names: Sequence[str], reporter: Reporter
    ) -> list[Route]:
        for name in names:
            self._config.remote(name)
        groups: dict[str, list[Wanted]] = {}
        for one in wanted:
            groups.setdefault(one.remote, []).append(one)
        routes: dict[tuple[str, ...], list[Wanted]] = {}
        left = []
        for owner, some in groups.items():
            try:
                remotes = remotes_for(owner)
            except ConfigError as error:
                if not owner:
                    raise
                what = f"{show(some[0].path)} belongs to a remote that is not usable: {error.message}"
                raise ConfigError(what, path=some[0].path, hint=error.hint) from error
            if remotes:
                routes.setdefault(remotes, []).extend(some)
            else:
                more = f" and {len(some) - 1:,} more" if len(some) > 1 else ""
                where = f"the remote {owner}" if owner else "the default remote"
                left.append(f"{show(some[0].path)}{more}: that belongs to {where}")
        if left and not routes:
            raise UsageError(
                f"nothing of it may lie on {' or '.join(names)}: {left[0]}",
                path=next(iter(groups.values()))[0].path,
                hint="leave out -r, or change where it belongs: `dvtool add --remote NAME PATH`",
            )
        for text in left:
            reporter.note(f"left out: {text}")
        return [Route(*each) for each in routes.items()]

    def _family(self, name: str) -> tuple[str, ...]:
        """A remote (the default one for an empty name), then its mirrors. Raises `ConfigError`."""
        settings = self._config.remote(name or None)
        mirrors = settings.names("mirrors")
        known = self._config.remotes()
        absent = [mirror for mirror in mirrors if mirror not in known]
        if absent:
            raise ConfigError(
                f"remote {settings.name}: its mirror {absent[0]!r} is not configured",
                hint=f"`dvtool remote add {absent[0]} URL`, or change `dvtool config remote.{settings.name}.mirrors`",
            )
        return tuple(dict.fromkeys((settings.name, *mirrors)))

    def _patterns(self) -> list[tuple[str, GitIgnoreSpec]]:
        if self._rules is None:
            stated = {name: remote.names("paths") for name, remote in self._config.remotes().items()}
            self._rules = [(name, _compiled(name, lines)) for name, lines in stated.items() if lines]
        return self._rules


def _compiled(name: str, lines: Sequence[str]) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise ConfigError(
            f"remote {name}: its paths hold no pattern as in .gitignore: {error}",
            hint=f"dvtool config remote.{name}.paths 'data/private/, *.secret'",
        ) from None
