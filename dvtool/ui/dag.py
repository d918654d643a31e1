"""The graph of a pipeline: as text, for Graphviz, for Mermaid.

In the text each node is one line below one of those that it needs, the last of them; others that it needs are named
behind it. What goes on longest goes on at the same depth behind an arrow, and shorter branches stand between, so that
the depth grows only with the logarithm of the number of nodes.
"""

from __future__ import annotations

from collections.abc import Iterator

from dvtool.pipeline.dagview import Node
from dvtool.pipeline.dagview import View
from dvtool.ui.terminal import Paint
from dvtool.ui.text import safe

_MOST_NAMED = 3


def dag_text(view: View, paint: Paint) -> Iterator[str]:
    """One line for each node."""
    if not view.nodes:
        yield "No stages yet. Start with: dvtool stage add -n NAME -d FILE -o FILE COMMAND"
        return
    parents, children = _tree(view)
    pending = [(name, "", "") for name in reversed([*view.nodes]) if name not in parents]
    while pending:
        name, before, mark = pending.pop()
        yield before + mark + _label(view, name, parents.get(name), paint)
        inside = before + "│  " if mark == "├─ " else before
        *branches, longest = children[name] or [""]
        if longest:
            pending.append((longest, inside, "↓ "))
        pending += [(each, inside, "├─ ") for each in reversed(branches)]


def dag_dot(view: View) -> Iterator[str]:
    """A graph for Graphviz, from what is needed to what needs it."""
    yield "strict digraph {"
    for name in view.nodes:
        yield f"{_quoted(name)};"
    for before, name in view.edges:
        yield f"{_quoted(before)} -> {_quoted(name)};"
    yield "}"


def dag_mermaid(view: View, *, markdown: bool = False) -> Iterator[str]:
    """A flowchart for Mermaid; *markdown*: in a block of its own."""
    if markdown:
        yield "```mermaid"
    yield "flowchart TD"
    ids = {name: f"node{at}" for at, name in enumerate(view.nodes, start=1)}
    for name, short in ids.items():
        text = safe(name).replace("#", "#35;").replace('"', "#quot;").replace("`", "#96;")
        yield f'\t{short}["{text}"]'
    for before, name in view.edges:
        yield f"\t{ids[before]}-->{ids[name]}"
    if markdown:
        yield "```"


def dag_json(view: View) -> dict[str, object]:
    """The same for ``--json``."""
    return {
        "nodes": [
            {"name": node.name, "kind": node.kind, "stage": node.stage or None, "count": node.count}
            for node in view.nodes.values()
        ],
        "edges": [{"from": before, "to": name} for before, name in view.edges],
    }


def _tree(view: View) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Below which node each one stands, and what stands below each: the one with most below it last."""
    number = {name: at for at, name in enumerate(view.nodes)}
    parents: dict[str, str] = {}
    for name, needed in view.above.items():
        earlier = [each for each in needed if number[each] < number[name]]
        if earlier:
            parents[name] = max(earlier, key=number.__getitem__)
    sizes = dict.fromkeys(view.nodes, 1)
    children: dict[str, list[str]] = {name: [] for name in view.nodes}
    for name in reversed([*view.nodes]):
        if name in parents:
            sizes[parents[name]] += sizes[name]
    for name, parent in parents.items():
        children[parent].append(name)
    for below in children.values():
        if below:
            longest = max(below, key=lambda each: (sizes[each], number[each]))
            below.remove(longest)
            below.append(longest)
    return parents, children


def _label(view: View, name: str, parent: str | None, paint: Paint) -> str:
    node: Node = view.nodes[name]
    text = paint(safe(name), "dim") if node.kind == "data" else safe(name)
    if node.count > 1:
        text += f" ({node.count:,} stages)"
    others = [safe(each) for each in view.above[name] if each != parent]
    if not others:
        return text
    more = f" and {len(others) - _MOST_NAMED:,} more" if len(others) > _MOST_NAMED else ""
    return text + paint(f"  (needs {', '.join(others[:_MOST_NAMED])}{more} too)", "dim")


def _quoted(name: str) -> str:
    return '"' + safe(name).replace("\\", "\\\\").replace('"', '\\"') + '"'
