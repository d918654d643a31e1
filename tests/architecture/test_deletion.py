"""Exactly two functions take stored objects away: one in a cache, one on a remote."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture import sources

IN_A_CACHE = ("dvtool/store/deletion.py", "_take")
ON_A_REMOTE = ("dvtool/transfer/deletion.py", "_delete")

TAKES_AWAY = {
    "dvtool.disk.exchange.exchange",
    "dvtool.disk.exchange.rename_noreplace",
    "dvtool.disk.replace",
    "os.remove",
    "os.removedirs",
    "os.rename",
    "os.renames",
    "os.replace",
    "os.rmdir",
    "os.truncate",
    "os.unlink",
    "shutil.move",
    "shutil.rmtree",
}
METHODS = {"delete", "rename", "rmtree", "unlink"}
CLEANS_UP = "dvtool.disk.durable.discard"

ALLOWED = {
    ("dvtool/store/localpacks.py", "rebuild_index"): "index files, made anew from the packs just before",
    ("dvtool/store/salvage.py", "set_aside_file"): "to quarantine, and only what was proved wrong",
    ("dvtool/store/salvage.py", "_replace_pack"): "to quarantine, after what is right in it lies elsewhere",
    ("dvtool/store/trash.py", "_put_back"): "out of the trash, back to its name",
    ("dvtool/store/trash.py", "_delete"): "directories, empty by then",
    ("dvtool/store/runfiles.py", "keep"): "a file of the run cache without a right entry: it costs a run, no bytes",
    ("dvtool/transfer/runsync.py", "drop_bundles"): "files of the run cache that proved wrong",
    ("dvtool/transfer/runsync.py", "_merge"): "files of the run cache, after the merged one was written",
    ("dvtool/transfer/catalog.py", "remove_catalog"): "a listing of other keys, which can be written again",
    ("dvtool/transfer/collect/pages.py", "__exit__"): "the collection's own folder of pages it has read",
    ("dvtool/transfer/collect/view.py", "server_time"): "the note by which it asks a remote the time",
    ("dvtool/transfer/indexcopies.py", "drop"): "index files of a remote, after a merged one was read back",
}
"""What else there is, and why it takes no object that somebody may need."""

CLEANERS = {
    "dvtool/store/cachewriter.py": "temporaries in the cache",
    "dvtool/store/consolidate.py": "finished packs that were not published",
    "dvtool/store/localpacks.py": "index files that cover no pack, or whose rows a merged one has",
    "dvtool/store/loosetemporary.py": "its temporary",
    "dvtool/store/packwriter.py": "the pack it is writing",
    "dvtool/store/rewriting.py": "the pack it is writing",
    "dvtool/transfer/collect/undo.py": "its temporary",
    "dvtool/transfer/fsck/doom.py": "its temporary",
    "dvtool/transfer/fsck/whole.py": "temporaries",
    "dvtool/transfer/indexcopies.py": "this client's copies of index files",
    "dvtool/transfer/journal.py": "this client's notes of a push",
    "dvtool/transfer/outgoing.py": "packs made for one push",
    "dvtool/transfer/runcopies.py": "this client's copies of the run cache of a remote",
    "dvtool/transfer/whole.py": "temporaries",
}
"""Modules that unlink files of their own."""

STORES = ("dvtool/store/", "dvtool/transfer/")


def _uses(module: sources.Module) -> Iterator[tuple[str, str]]:
    """The function around every call that can take a file or a key away, and what it calls."""
    names = dict(module.aliases())

    def walk(node: ast.AST, function: str) -> Iterator[tuple[str, str]]:
        for child in ast.iter_child_nodes(node):
            inside = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            if isinstance(child, ast.Name | ast.Attribute) and isinstance(child.ctx, ast.Load):
                dotted = sources.dotted(child) or f"?.{child.attr if isinstance(child, ast.Attribute) else ''}"
                first, _, rest = dotted.partition(".")
                full = f"{names.get(first, first)}.{rest}" if rest else names.get(first, first)
                if full in TAKES_AWAY or full == CLEANS_UP or full.startswith("dvtool.disk.replace."):
                    yield inside, full
                elif rest.rpartition(".")[2] in METHODS and not full.startswith(("os.", "shutil.")):
                    yield inside, f"?.{rest.rpartition('.')[2]}"
            yield from walk(child, inside)

    yield from walk(module.tree, "")


def _is_capability(module: sources.Module, function: str, name: str) -> bool:
    """``capabilities.delete`` says whether a remote can; it deletes nothing."""
    return name == "?.delete" and (str(module), function) in {
        ("dvtool/transfer/collect/collect.py", "_require"),
        ("dvtool/transfer/remotestore.py", "write_index"),
        ("dvtool/transfer/runsync.py", "push_runs"),
    }


def test_stored_objects_are_taken_away_in_two_places_alone() -> None:
    wrong = []
    for module in sources.modules():
        if not str(module).startswith(STORES):
            continue
        for function, name in _uses(module):
            if name == CLEANS_UP and str(module) not in CLEANERS:
                wrong.append(f"{module}: {function} unlinks files: say why that takes no object")
            if name == CLEANS_UP or _is_capability(module, function, name):
                continue
            if (str(module), function) not in {IN_A_CACHE, ON_A_REMOTE, *ALLOWED}:
                wrong.append(f"{module}: {function} calls {name}: that is for the two modules named deletion.py")
    assert wrong == []


def test_nobody_else_deletes_keys_of_a_remote() -> None:
    elsewhere = [each for each in sources.modules() if not str(each).startswith((*STORES, "dvtool/remote/"))]
    assert [str(module) for module in elsewhere for _, name in _uses(module) if name == "?.delete"] == []


def test_the_two_do_and_the_lists_hold_nothing_that_is_gone() -> None:
    found = {
        (str(module), function) for module in sources.modules() for function, name in _uses(module) if name != CLEANS_UP
    }
    cleaners = {str(module) for module in sources.modules() for _, name in _uses(module) if name == CLEANS_UP}
    assert {IN_A_CACHE, ON_A_REMOTE, *ALLOWED} <= found
    assert CLEANERS.keys() <= cleaners


def test_nobody_but_they_are_asked_to() -> None:
    """Only these decide that something goes."""
    callers: dict[str, set[str]] = {"delete_packs": set(), "delete_doomed": set()}
    for module in sources.modules():
        for _, name in module.references():
            last = name.rpartition(".")[2]
            if last in callers and name.startswith("dvtool."):
                callers[last].add(str(module))
    assert callers == {
        "delete_packs": {
            "dvtool/store/collect.py",
            "dvtool/store/consolidate.py",
            "dvtool/store/freeing.py",
            "dvtool/store/trash.py",
        },
        "delete_doomed": {"dvtool/transfer/collect/collect.py"},
    }
