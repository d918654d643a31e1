"""A graph as text, for Graphviz and for Mermaid."""

from __future__ import annotations

from dvtool.pipeline.dagview import Node
from dvtool.pipeline.dagview import View
from dvtool.ui.dag import dag_dot
from dvtool.ui.dag import dag_json
from dvtool.ui.dag import dag_mermaid
from dvtool.ui.dag import dag_text
from dvtool.ui.terminal import PLAIN


def _view(**above: str) -> View:
    return View({name: Node(name, "stage") for name in above}, {name: needed.split() for name, needed in above.items()})


def test_a_chain_goes_straight_down_and_branches_stand_between() -> None:
    view = _view(prepare="", stats="prepare", train="prepare", evaluate="prepare train", report="evaluate", lone="")
    assert [*dag_text(view, PLAIN)] == [
        "prepare",
        "├─ stats",
        "↓ train",
        "↓ evaluate  (needs prepare too)",
        "↓ report",
        "lone",
    ]


def test_a_branch_has_its_own_lines() -> None:
    view = _view(a="", b="a", c="b", d="a", e="d", f="e")
    assert [*dag_text(view, PLAIN)] == ["a", "├─ b", "│  ↓ c", "↓ d", "↓ e", "↓ f"]


def test_a_long_chain_with_a_side_branch_at_each_step_stays_narrow() -> None:
    names = [f"s{at}" for at in range(5_000)]
    above = {names[0]: ""}
    for before, name in zip(names, names[1:], strict=False):
        above |= {name: before, f"{name}x": before}
    lines = [*dag_text(_view(**above), PLAIN)]
    assert len(lines) == len(above)
    assert max(len(line) for line in lines) < 20


def test_many_needs_are_counted() -> None:
    view = _view(a="", b="", c="", d="", e="", f="a b c d e")
    assert [*dag_text(view, PLAIN)][-1] == "↓ f  (needs a, b, c and 1 more too)"


def test_nothing_says_how_to_start() -> None:
    (line,) = dag_text(View({}, {}), PLAIN)
    assert "dvtool stage add" in line


def test_dot_and_mermaid_quote_names() -> None:
    view = View({'a"b': Node('a"b', "stage"), "c\\d": Node("c\\d", "stage")}, {'a"b': [], "c\\d": ['a"b']})
    assert [*dag_dot(view)][1:-1] == ['"a\\"b";', '"c\\\\d";', '"a\\"b" -> "c\\\\d";']
    assert [*dag_mermaid(view, markdown=True)] == [
        "```mermaid",
        "flowchart TD",
        '\tnode1["a#quot;b"]',
        '\tnode2["c\\d"]',
        "\tnode1-->node2",
        "```",
    ]


def test_json() -> None:
    assert dag_json(_view(a="", b="a"))["edges"] == [{"from": "a", "to": "b"}]
