"""A command, the power loss at every moment of it, and what the disk may hold then."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.faults.disk import ROOT
from tests.faults.disk import Image
from tests.faults.disk import after
from tests.faults.disk import fingerprint
from tests.faults.disk import pending
from tests.faults.disk import read_image
from tests.faults.disk import read_log
from tests.faults.disk import write_image
from tests.faults.injector import Injector
from tests.faults.injector import Outcome
from tests.faults.sweep import Tally
from tests.faults.verdict import Case
from tests.faults.verdict import Judge
from tests.faults.world import World

MIXTURES = 3
"""At each moment, so many disks with a part of what was pending, drawn at random."""


class Loss(NamedTuple):
    """One disk. ``until``: how many changes had been made; ``why``: what of them is lost."""

    until: int
    why: str
    image: Image


class PowerSweep:
    """One case in *folder*: the disks that a power loss can leave, and what must hold on each."""

    def __init__(self, injector: Injector, folder: Path, case: Case, *, link: str = "copy") -> None:
        self.case = case
        self._name = case.name if link == "copy" else f"{case.name}/{link}"
        self._world = world = World(folder / "world", injector, link)
        case.prepare(world)
        self._before = world.look()
        self._image, known = read_image(world.path)
        log = folder / "log"
        self._met = injector.run(case.argv, world.place, below=world.path, log=log)
        assert self._met.code in case.ends, self._met
        self._changes = read_log(log, world.path, self._image, known)
        self._after = world.look()
        self._judge = Judge(case, self._before, self._after, {})
        self.replayed = after(self._image, self._changes, len(self._changes), set())
        self.real, _ = read_image(world.path)

    def losses(self) -> Iterator[Loss]:
        """Every disk once."""
        seen = {self._fingerprint(self.replayed)}
        draw = random.Random(self._name)
        moments = [at for at, change in enumerate(self._changes) if change.what == "sync"]
        # Just before a sync the most is pending; after the last change everything was promised.
        for until in dict.fromkeys([*moments, *range(5, len(self._changes), 11), len(self._changes)]):
            for why, lost, zeroed in self._choices(until, draw):
                image = after(self._image, self._changes, until, lost, zeroed)
                mark = self._fingerprint(image) + (b"done" if until == len(self._changes) else b"")
                if mark not in seen:
                    seen.add(mark)
                    yield Loss(until, why, image)

    def run(self, tally: Tally, losses: Iterator[Loss], *, retry_every: int = 1) -> None:
        """Judge each of *losses*."""
        for loss in losses:
            tally.points += 1
            tally.hit += 1
            tally.violations += (
                f"{self._name} power loss after {loss.until} of {len(self._changes)} changes, {loss.why}: {problem}"
                for problem in self._problems(loss, retry=tally.points % retry_every == 0)
            )

    def tally(self) -> Tally:
        """An empty one for this case."""
        return Tally(self._name, "power loss", calls=len(self._changes))

    @staticmethod
    def describe(image: Image) -> dict[bytes, tuple[str, int, bytes]]:
        """Every path with its kind, mode and bytes, but for the shared memory of SQLite, which is no file to it."""
        found: dict[bytes, tuple[str, int, bytes]] = {}
        todo = [(b"", ROOT)]
        while todo:
            path, number = todo.pop()
            inode = image[number]
            if not path.endswith(b"-shm"):
                found[path] = (inode.kind, inode.mode if inode.kind == "f" else 0, inode.data)
            todo += [(path + b"/" + name, child) for name, child in inode.names.items()]
        return found

    def _choices(self, until: int, draw: random.Random) -> Iterator[tuple[str, set[int], list[int]]]:
        open_data, open_names = pending(self._changes, until)
        bytes_lost = {at for positions in open_data.values() for at in positions}
        names_lost = {at for positions in open_names.values() for at in positions}
        yield "nothing that was not synced is there", bytes_lost | names_lost, []
        yield "no bytes are there that were not synced", bytes_lost, []
        yield "there are zeros for bytes that were not synced", bytes_lost, list(open_data)
        yield "no name is there that was not synced", names_lost, []
        for inode, positions in open_data.items():
            zeroed = [inode] if draw.random() < 0.5 else []
            yield f"one file without its bytes, zeros {bool(zeroed)}", set(positions), zeroed
        for positions in open_names.values():
            yield "one directory without its new names", set(positions[draw.randrange(len(positions)) :]), []
        for _ in range(MIXTURES):
            lost: set[int] = set()
            zeroed = []
            for inode, positions in open_data.items():
                kept = draw.choice([0, len(positions), draw.randrange(len(positions) + 1)])
                lost.update(positions[kept:])
                if draw.random() < 0.3:
                    zeroed.append(inode)
            for positions in open_names.values():
                lost.update(positions[draw.randrange(len(positions) + 1) :])
            yield "a mixture", lost, zeroed

    @staticmethod
    def _fingerprint(image: Image) -> bytes:
        return fingerprint(image, lambda data: hashlib.blake2b(data, digest_size=16).digest())

    def _problems(self, loss: Loss, *, retry: bool) -> Iterator[str]:
        world = self._world
        write_image(loss.image, world.path)
        now = world.look()
        done = loss.until == len(self._changes)
        yield from self._judge.after_power_loss(now, done=done)
        if retry and not (self.case.once and self._judge.is_done(now)):
            again = self._again()
            if again.code == 2 and self.case.refused and self.case.refused in again.err:
                return
            yield from self._judge.after_power_came_back(world, again)

    def _again(self) -> Outcome:
        return self._world.injector.run(self.case.argv, self._world.place, below=self._world.path)
