"""The remotes that one command uses: each opened once, when it is first needed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType

from dvtool.errors import DvtoolError
from dvtool.model.ports import Remote
from dvtool.project.open import Project
from dvtool.project.parts import open_remote_of


class Remotes:
    """A context manager: closes what it opened."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._open: dict[str, Remote] = {}

    def __enter__(self) -> Remotes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._open:
            self._open.popitem()[1].close()

    def get(self, name: str) -> Remote:
        """The remote of that name. Raises as `open_remote_of`."""
        if name not in self._open:
            self._open[name] = open_remote_of(self._project, name)
        return self._open[name]

    def prepare(self, names: Iterable[str]) -> None:
        """These will likely be needed: a driver takes up to half a second to load, while pointers are read.

        No name means the default one. What cannot be opened is told when it is needed.
        """
        config = self._project.config
        default = config.text("core.remote")
        for name in dict.fromkeys((*names,) or ((default,) if default else ())):
            with suppress(DvtoolError):
                self.get(name).prepare()
