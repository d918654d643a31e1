"""One owner for each output, also where definitions have changed since locks were written."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from dvtool.formats.lock import LockedStage
from dvtool.model.paths import split
from dvtool.pipeline.types import Definition

Finished = tuple[bytes, str, LockedStage]
"""A definition, a stage in it, and its record."""


class Claims:
    """Which stage each output belongs to, as the locks beside *definitions* say. *read*: the lock beside one."""

    def __init__(self, read: Callable[[bytes], Mapping[str, LockedStage]], definitions: Iterable[Definition]) -> None:
        self._read = read
        self._definitions = tuple(definitions)
        self._records: dict[tuple[bytes, str], LockedStage] | None = None
        self._owners: dict[bytes, tuple[bytes, str]] = {}
        self._below: dict[bytes, set[bytes]] = {}

    def settle(self, finished: Iterable[Finished]) -> list[Finished]:
        """*finished*, and before them other stages without the outputs that are now those' ones.

        In this order no path ever has two owners, wherever writing them ends.
        """
        records = self._load()
        losers: dict[tuple[bytes, str], LockedStage] = {}
        winners: dict[tuple[bytes, str], LockedStage] = {}
        for file, name, record in finished:
            key = (file, name)
            for path in record.outs:
                for taken in self._overlapping(path):
                    other = self._owners[taken]
                    if other != key:
                        records[other] = _without(records[other], taken)
                        (winners if other in winners else losers)[other] = records[other]
                        self._drop(taken)
            self._forget(key)
            records[key] = winners[key] = record
            losers.pop(key, None)
            for path in record.outs:
                self._put(path, key)
        return [(*key, record) for each in (losers, winners) for key, record in each.items()]

    def gone(self, files: Iterable[bytes]) -> list[tuple[bytes, list[str]]]:
        """Of the definitions *files*, the stages that their locks have and they do not."""
        wanted = set(files)
        found = []
        for definition in self._definitions:
            if definition.file in wanted:
                defined = {stage.name for stage in definition.stages}
                names = sorted(self._read(definition.file).keys() - defined)
                found += [(definition.file, names)] if names else []
        return found

    def _load(self) -> dict[tuple[bytes, str], LockedStage]:
        if self._records is None:
            self._records = {
                (definition.file, name): record
                for definition in self._definitions
                for name, record in self._read(definition.file).items()
            }
            for key, record in self._records.items():
                for path in record.outs:
                    self._put(path, key)
        return self._records

    def _put(self, path: bytes, key: tuple[bytes, str]) -> None:
        self._owners[path] = key
        for above in _above(path):
            self._below.setdefault(above, set()).add(path)

    def _drop(self, path: bytes) -> None:
        del self._owners[path]
        for above in _above(path):
            self._below[above].discard(path)

    def _forget(self, key: tuple[bytes, str]) -> None:
        for path in self._load().get(key, LockedStage()).outs:
            if self._owners.get(path) == key:
                self._drop(path)

    def _overlapping(self, path: bytes) -> Sequence[bytes]:
        around = [each for each in (path, *_above(path)) if each in self._owners]
        return [*around, *self._below.get(path, ())]


def _above(path: bytes) -> Iterator[bytes]:
    while path := split(path)[0]:
        yield path


def _without(record: LockedStage, path: bytes) -> LockedStage:
    outs = {each: content for each, content in record.outs.items() if each != path}
    return record._replace(outs=outs, storing={each: how for each, how in record.storing.items() if each != path})
