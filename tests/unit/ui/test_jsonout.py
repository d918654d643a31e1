"""One document, a named schema, names of files without loss."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from enum import Enum
from io import StringIO
from typing import Any
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dvtool.model.digest import ObjectId
from dvtool.model.digest import as_digest
from dvtool.ui.jsonout import emit
from dvtool.ui.jsonout import jsonable


class State(Enum):
    NEW = "new"


class Pair(NamedTuple):
    path: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Result:
    root: bytes
    state: State
    pairs: tuple[Pair, ...]
    other: dict[str, bytes | None]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def name_of(entry: dict[str, Any], key: str) -> bytes:
    """The rule of the documentation."""
    if f"{key}_bytes" in entry:
        return base64.b64decode(entry[f"{key}_bytes"])
    return str(entry[key]).encode("utf-8")


@given(st.binary(min_size=1))
def test_every_name_comes_back(name: bytes) -> None:
    document = json.loads(json.dumps(jsonable({"path": name})))
    assert name_of(document, "path") == name


def test_values_of_all_kinds() -> None:
    result = Result(b"/r", State.NEW, (Pair(b"\xff", 1),), {"a": None, "b": b"x"})
    assert jsonable(result) == {
        "root": "/r",
        "state": "new",
        "pairs": [{"path": "\ufffd", "path_bytes": "/w==", "size": 1}],
        "other": {"a": None, "b": "x"},
    }
    assert jsonable({"digest": as_digest(ObjectId(bytes(32)))}) == {"digest": "blake3:" + "0" * 64}


@pytest.mark.parametrize("value", [[b"name"], {1, 2}, object()])
def test_what_has_no_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        jsonable({"x": value})


def test_one_line_into_a_pipe_and_indented_on_a_terminal() -> None:
    pipe, terminal = StringIO(), Terminal()
    for stream in (pipe, terminal):
        emit(stream, "thing/1", {"a": 1, "name": "é"})
    assert pipe.getvalue() == '{"schema":"dvtool/thing/1","a":1,"name":"\\u00e9"}\n'
    assert terminal.getvalue().startswith('{\n  "schema": "dvtool/thing/1",\n')
    assert json.loads(terminal.getvalue()) == json.loads(pipe.getvalue())
