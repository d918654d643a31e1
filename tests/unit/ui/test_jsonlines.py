from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from dvtool.ui.jsonlines import document_lines


@pytest.mark.parametrize("count", [0, 1, 3])
def test_lines_join_to_one_document_with_an_item_a_line(count: int) -> None:
    items: list[Mapping[str, object]] = [{"path": b"p%d" % n, "size": n} for n in range(count)]
    lines = list(document_lines("x/1", {"old": "v1", "new": None}, [("a", items), ("b", [])]))
    assert json.loads("\n".join(lines)) == {
        "schema": "dvtool/x/1",
        "old": "v1",
        "new": None,
        "a": [{"path": f"p{n}", "size": n} for n in range(count)],
        "b": [],
    }
    assert len(lines) == count + 3


def test_paths_that_are_not_utf8_stand_twice() -> None:
    item: Mapping[str, object] = {"path": b"a\n", "old_path": b"\xff", "new": {"target": b"t"}}
    document = json.loads("".join(document_lines("x/1", {}, [("a", [item])])))
    assert document["a"] == [{"path": "a\n", "old_path": "\ufffd", "old_path_bytes": "/w==", "new": {"target": "t"}}]
