"""What a hostile repository is: how it is made, and what the verbs that meet it must answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field

from tests.hostile.scene import Scene

Step = Callable[[Scene], None]


def nothing(scene: Scene) -> None:
    """Nothing more to do."""


@dataclass(frozen=True)
class Hostile:
    """``build`` works on the repository before it is committed and cloned, ``after`` on the clone.

    ``code``: how each of ``refusing`` (names of `tests.hostile.verbs`) must end; ``ends``: where one differs.
    Any other may end as it likes, but for a bug. ``skip`` are not run. ``names``: what a refusal must say.
    """

    name: str
    build: Step
    code: int
    refusing: frozenset[str]
    names: str = ""
    after: Step = nothing
    ends: dict[str, int] = field(default_factory=dict)
    skip: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name
