"""Which files of a directory elsewhere are passed over when it is read for a path of the project."""

from __future__ import annotations

from dvtool.model.paths import join
from dvtool.model.paths import split
from dvtool.workspace.ignore import IgnoreRules
from dvtool.workspace.snapshot import Ignore


class MovedRules:
    """The ignore files in the directory *source* count, and *rules* for *target*, its future path.

    Paths to ask about begin with the name of *source*.
    """

    def __init__(self, rules: Ignore, source: bytes, target: bytes) -> None:
        self._rules = rules
        self._own = IgnoreRules(source, name=rules.name)
        self._target = target
        self._skip = len(split(source)[1]) + 1

    @property
    def name(self) -> bytes:
        return self._rules.name

    @property
    def is_empty(self) -> bool:
        # Either may have rules in files that nobody has asked about yet.
        return False

    def is_ignored(self, path: bytes, is_dir: bool) -> bool:  # noqa: FBT001
        below = path[self._skip :]
        return self._own.is_ignored(below, is_dir) or self._rules.is_ignored(join(self._target, below), is_dir)
