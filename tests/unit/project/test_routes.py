"""Which remote a path belongs to, where it is pushed and in which order remotes are read for it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dvtool.errors import ConfigError
from dvtool.errors import DvtoolError
from dvtool.errors import UsageError
from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.model.pointer import Kind
from dvtool.model.pointer import Pointer
from dvtool.model.ports import SILENT
from dvtool.model.ports import Silent
from dvtool.project.init import init_project
from dvtool.project.open import open_project
from dvtool.project.routes import Routes
from dvtool.project.transfers import wanted_of
from dvtool.transfer.types import Wanted
from dvtool.workspace.pointers import Tracked
from dvtool.workspace.pointers import pointer_path_of
from tests.unit.project.conftest import Place

CONFIG = b"""
[core]
    remote = origin
[remote "origin"]
    url = ../origin
    mirrors = backup, second
[remote "backup"]
    url = ../backup
[remote "second"]
    url = ../second
[remote "eu"]
    url = ../eu
    paths = private/, *.secret, !private/open
    mirrors = eu2
[remote "eu2"]
    url = ../eu2
"""


class Noted(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def routes(place: Place, config: bytes = CONFIG) -> Routes:
    init_project(b".", place.environment)
    place.write(b".git/dvtool/config", config)
    return Routes(open_project(b".", place.environment).config)


def item(path: bytes, remote: str = "", *, directory: bool = False) -> Tracked:
    kind = Kind.DIRECTORY if directory else Kind.FILE
    name = path.rpartition(b"/")[2]
    return Tracked(pointer_path_of(path), Pointer(name, kind, as_digest(ObjectId(bytes(32))), 1, remote=remote))


def wanted(found: Routes, *items: Tracked) -> list[Wanted]:
    return [wanted_of(found, each) for each in items]


DATA, SECRET, BOUND = item(b"data"), item(b"private/x"), item(b"model", "backup")


@pytest.mark.parametrize(
    ("tracked", "owner"),
    [
        (DATA, ""),
        (SECRET, "eu"),
        (item(b"private", directory=True), "eu"),
        (item(b"private"), ""),
        (item(b"private/open", directory=True), ""),
        (item(b"deep/down/a.secret"), "eu"),
        (item(b"private/x", "backup"), "backup"),
        (item(b"caf\xe9.secret"), "eu"),
        (item(b"data", "absent"), "absent"),
    ],
)
def test_the_pointer_decides_then_the_patterns(repo: Place, tracked: Tracked, owner: str) -> None:
    assert routes(repo).owner(tracked) == owner


def test_two_remotes_that_claim_one_path_are_refused_with_the_way_out(repo: Place) -> None:
    found = routes(repo, CONFIG + b'[remote "us"]\n    url = ../us\n    paths = private/x\n')
    with pytest.raises(ConfigError, match="belongs to several remotes") as refused:
        found.owner(SECRET)
    assert refused.value.hint is not None
    assert "dvtool add --remote NAME private/x" in refused.value.hint


@pytest.mark.parametrize(
    ("names", "mirrors", "goes"),
    [
        ((), False, {"origin": [b"data"], "eu": [b"private/x"], "backup": [b"model"]}),
        (
            (),
            True,
            {
                "origin": [b"data"],
                "backup": [b"data", b"model"],
                "second": [b"data"],
                "eu": [b"private/x"],
                "eu2": [b"private/x"],
            },
        ),
        (("backup",), False, {"backup": [b"data", b"model"]}),
        (("backup", "eu2"), False, {"backup": [b"data", b"model"], "eu2": [b"data", b"private/x"]}),
        (("eu",), False, {"eu": [b"private/x"]}),
    ],
)
def test_where_it_is_pushed(repo: Place, names: Sequence[str], mirrors: bool, goes: dict[str, list[bytes]]) -> None:
    found = routes(repo)
    planned = found.for_pushing(wanted(found, DATA, SECRET, BOUND), names, SILENT, mirrors=mirrors)
    assert {route.remotes[0]: [one.path for one in route.wanted] for route in planned} == goes


def test_what_may_not_go_there_is_told(repo: Place) -> None:
    found, reporter = routes(repo), Noted()
    found.for_pushing(wanted(found, DATA, SECRET, BOUND), ("origin",), reporter, mirrors=False)
    assert reporter.notes == [
        "left out: private/x: that belongs to the remote eu",
        "left out: model: that belongs to the remote backup",
    ]
    with pytest.raises(UsageError, match="nothing of it may lie on eu: data: that belongs to the default remote"):
        found.for_pushing(wanted(found, DATA), ("eu",), reporter, mirrors=False)


@pytest.mark.parametrize(
    ("names", "order"),
    [
        ((), [("origin", "backup", "second"), ("eu", "eu2"), ("backup",)]),
        (("second", "eu"), [("second",), ("eu", "eu2")]),
        (("origin", "backup"), [("origin", "backup", "second"), ("backup",)]),
    ],
)
def test_in_which_order_remotes_are_read(repo: Place, names: Sequence[str], order: list[tuple[str, ...]]) -> None:
    found = routes(repo)
    assert [route.remotes for route in found.for_reading(wanted(found, DATA, SECRET, BOUND), names, SILENT)] == order


def test_listings_are_looked_for_on_all_the_default_one_first(repo: Place) -> None:
    assert routes(repo).reading_order() == ("origin", "backup", "second", "eu", "eu2")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (b"", "no remote is configured"),
        (CONFIG.replace(b'[remote "second"]\n    url = ../second\n', b""), "its mirror 'second' is not configured"),
        (CONFIG.replace(b"remote = origin", b"remote = gone"), "there is no remote 'gone'"),
    ],
)
def test_what_is_not_configured_is_said_with_the_path_or_the_remote(repo: Place, config: bytes, words: str) -> None:
    found = routes(repo, config)
    with pytest.raises(DvtoolError, match=words):
        found.for_reading(wanted(found, DATA), (), SILENT)
    with pytest.raises(ConfigError, match="model belongs to a remote that is not usable: there is no remote 'absent'"):
        found.for_pushing(wanted(found, item(b"model", "absent")), (), SILENT, mirrors=False)
