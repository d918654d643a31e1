"""Every state of the model, breadth first."""

from __future__ import annotations

from xxhash import xxh3_64_intdigest

from tests.model.protocol import Protocol
from tests.model.values import State


def explore(protocol: Protocol) -> int:
    """Breadth first through every state; how many there are. Raises `Lost` with the shortest way to a loss.

    States are remembered by 64 bits of a hash: of ten million, two would be taken for one with a chance of 1 in
    400,000.
    """
    frontier = [*dict.fromkeys(protocol.starts())]
    known = {_hash(state) for state in frontier}
    while frontier:
        following: list[State] = []
        for state in frontier:
            for _, after in protocol.steps(state):
                key = _hash(after)
                if key not in known:
                    known.add(key)
                    if protocol.is_lost(after):
                        raise Lost
                    following.append(after)
        frontier = following
    return len(known)


class Lost(Exception):
    """A push has ended with exit 0, and what it promised is gone."""


def shortest_loss(protocol: Protocol) -> list[str]:
    """The steps of the shortest way to a loss; empty when there is none."""
    came_from: dict[State, tuple[State, str] | None] = dict.fromkeys(protocol.starts())
    frontier = list(came_from)
    while frontier:
        following: list[State] = []
        for state in frontier:
            for label, after in protocol.steps(state):
                if after not in came_from:
                    came_from[after] = (state, label)
                    if protocol.is_lost(after):
                        return _trace(came_from, after)
                    following.append(after)
        frontier = following
    return []


def _hash(state: State) -> int:
    return xxh3_64_intdigest(repr(state).encode("ascii"))


def _trace(came_from: dict[State, tuple[State, str] | None], state: State) -> list[str]:
    labels = []
    while (before := came_from[state]) is not None:
        state, label = before
        labels.append(label)
    return labels[::-1]
