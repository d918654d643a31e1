"""Commands that write a small file of their own: settings, definitions, hooks, what Git's merge asks for."""

from __future__ import annotations

import shutil

from tests.crash.beginnings import V1
from tests.crash.beginnings import V2
from tests.crash.beginnings import begin
from tests.crash.beginnings import record
from tests.crash.beginnings import write
from tests.crash.others import source
from tests.faults.verdict import Case
from tests.faults.world import World
from tests.support.trees import create_tree

PIPELINE = """\
stages:
  first:
    cmd: tr a b < in > one
    deps: [in]
    outs: [one]
"""
HOOK = "#!/bin/sh\necho a hook of the user\n"


def _defined(world: World) -> None:
    begin(world)
    (world.repo / "dvtool.yaml").write_text(PIPELINE)
    (world.repo / "in").write_text("banana\n")


def _frozen(world: World) -> None:
    _defined(world)
    world.dvtool("freeze", "first")


def _failed(world: World) -> None:
    """The second stage failed; what it lacked is there now."""
    _defined(world)
    (world.repo / "dvtool.yaml").write_text(f"{PIPELINE}  second:\n    cmd: cat one more > two\n    outs: [two]\n")
    world.dvtool_fails("repro")
    (world.repo / "more").write_text("more\n")


def _hooked(world: World) -> None:
    """Hooks of the user: a file, and a link."""
    begin(world)
    hooks = world.repo / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "mine"):
        (hooks / name).write_text(HOOK)
        (hooks / name).chmod(0o755)
    (hooks / "post-merge").symlink_to("mine")


def _installed(world: World) -> None:
    _hooked(world)
    world.dvtool("install")


def _versions(world: World) -> None:
    begin(world)
    for tree, tag in ((V1, "v1"), (V2, "v2")):
        write(world, tree)
        record(world, tag)


def _switched(world: World) -> None:
    _versions(world)
    world.git("checkout", "-q", "v1")


def _merged(world: World) -> None:
    _switched(world)
    world.dvtool("checkout")
    world.git("merge", "-q", "v2")


def _to_merge(world: World) -> None:
    """What Git has for the driver; the pointer itself stands for Git's copy of ours."""
    begin(world)
    texts = []
    for changes in ({}, {"b.bin": "ours\n"}, {"a.txt": "theirs\n", "more.txt": "theirs too\n"}):
        shutil.rmtree(world.repo / "data", ignore_errors=True)
        create_tree(world.repo / "data", {**V1, **changes})
        world.dvtool("add", "data")
        texts.append((world.repo / "data.dvt").read_bytes())
    for name, text in zip(("base", "ours", "theirs"), texts, strict=True):
        (world.outside / name).write_bytes(text)
    (world.repo / "data.dvt").write_bytes(texts[1])


def _url(world: World) -> None:
    begin(world)
    (world.outside / "rows.csv").write_text("a,b\n" * 400)
    create_tree(world.outside / "tree", {"rows.csv": "a,b\n" * 400, "deep": {"one": "1\n", "two": "2\n"}})


DRIVER = ("git-hook", "merge-driver", "../outside/base", "data.dvt", "../outside/theirs", "data.dvt")
URL = ("import-url", "../outside/rows.csv")
TREE = ("import-url", "../outside/tree")
SETTINGS = (
    Case("config", ("config", "core.jobs", "2"), begin, plain=True),
    Case("config-unset", ("config", "--unset", "core.remote"), begin, once=True, plain=True),
    Case("remote-add", ("remote", "add", "-d", "other", "../outside"), begin, once=True, plain=True),
    Case("remote-modify", ("remote", "modify", "origin", "jobs", "3"), begin, plain=True),
    Case("remote-rename", ("remote", "rename", "origin", "other"), begin, once=True, plain=True),
    Case("remote-remove", ("remote", "remove", "origin"), begin, once=True, plain=True),
    Case(
        "stage-add",
        ("stage", "add", "-n", "more", "-d", "one", "-o", "two", "cp one two"),
        _defined,
        once=True,
        plain=True,
    ),
    Case("freeze", ("freeze", "first"), _defined, plain=True),
    Case("unfreeze", ("unfreeze", "first"), _frozen, plain=True),
    Case("resume", ("resume",), _failed, stores=True, aside=True, starts=True, once=True),
    Case("install", ("install",), _hooked, wires=True, starts=True, plain=True),
    Case("uninstall", ("install", "--uninstall"), _installed, wires=True, starts=True, plain=True),
    Case("post-checkout", ("git-hook", "post-checkout", "v2", "v1", "1"), _switched),
    Case("post-merge", ("git-hook", "post-merge", "0"), _merged),
    # The file is Git's copy, which no merge outlives.
    Case("merge-driver", DRIVER, _to_merge, stores=True, conflicts=True, starts=True, plain=True),
    Case("get", ("get", "../outside/theirs", "data"), source, once=True, refused="is there already", plain=True),
    Case("get-url", ("get-url", "../outside/rows.csv"), _url, once=True, refused="is there already", plain=True),
    # Its pointer holds the time of the source, which no disk of the power model has.
    Case("import-url", URL, _url, stores=True, once=True, refused="is there already", starts=True),
    Case("get-url-tree", ("get-url", "../outside/tree"), _url, once=True, refused="is there already", plain=True),
    Case("import-url-tree", TREE, _url, stores=True, once=True, refused="is there already", starts=True),
)
