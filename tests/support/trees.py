"""Directory trees as values: declare one as a dict, create it on disk, read one back, compare.

    tree: Tree = {"a.csv": "x,y\n", "run": Executable("#!/bin/sh\n"), "in": {"a": Link("../a.csv")}, "empty": {}}
    create_tree(root, tree)
    assert_tree(root, tree)

Names are `str` or, where they are no UTF-8, `bytes`; contents are `str` (UTF-8) or `bytes`. A dict is a
directory. What is read back always has names and contents in bytes; `normal` brings a declaration there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Text = str | bytes
Root = str | bytes | Path


@dataclass(frozen=True, slots=True)
class Executable:
    """A file whose owner may execute it."""

    content: Text


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link."""

    target: Text


@dataclass(frozen=True, slots=True)
class Special:
    """Something that is no file, directory or link: found when reading, never declared."""

    kind: str


Node = Text | Executable | Link | Special | Mapping[Any, "Node"]
Tree = Mapping[Any, Node]
NormalNode = bytes | Executable | Link | Special | dict[bytes, "NormalNode"]
NormalTree = dict[bytes, NormalNode]

BOOKKEEPING = frozenset({b".git", b".dvtool"})


def create_tree(root: Root, tree: Tree) -> None:
    """Create *tree* in the directory *root*, which is made if it is absent. Existing files are replaced."""
    _create(os.fsencode(root), normal(tree))


def tree_of(root: Root, *, without: Collection[bytes] = BOOKKEEPING) -> NormalTree:
    """What lies below *root*, except entries named in *without* at the top."""
    return _read(os.fsencode(root), without)


def assert_tree(root: Root, expected: Tree, *, without: Collection[bytes] = BOOKKEEPING) -> None:
    """Fail unless *root* holds *expected* and nothing else, except entries named in *without* at the top."""
    assert tree_of(root, without=without) == normal(expected)


def normal(tree: Tree) -> NormalTree:
    """The same tree with every name and content in bytes."""
    return {os.fsencode(name): _normal_node(node) for name, node in tree.items()}


def _normal_node(node: Node) -> NormalNode:
    if isinstance(node, Mapping):
        return normal(node)
    if isinstance(node, Executable):
        return Executable(_bytes(node.content))
    if isinstance(node, Link):
        return Link(os.fsencode(node.target))
    if isinstance(node, Special):
        return node
    return _bytes(node)


def _bytes(content: Text) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _create(directory: bytes, tree: NormalTree) -> None:
    os.makedirs(directory, exist_ok=True)
    for name, node in tree.items():
        path = os.path.join(directory, name)
        match node:
            case dict():
                _create(path, node)
            case Link(target):
                os.symlink(os.fsencode(target), path)
            case Executable(content):
                _write(path, _bytes(content), 0o755)
            case bytes():
                _write(path, node, 0o644)
            case Special(kind):
                raise AssertionError(f"a {kind} cannot be declared")


def _write(path: bytes, content: bytes, mode: int) -> None:
    if os.path.lexists(path):
        os.unlink(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    os.chmod(path, mode)


def _read(directory: bytes, without: Collection[bytes] = ()) -> NormalTree:
    found: NormalTree = {}
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name in without:
                continue
            found[entry.name] = _read_node(entry)
    return found


def _read_node(entry: os.DirEntry[bytes]) -> NormalNode:
    if entry.is_symlink():
        return Link(os.readlink(entry.path))
    if entry.is_dir(follow_symlinks=False):
        return _read(entry.path)
    mode = entry.stat(follow_symlinks=False).st_mode
    if not stat.S_ISREG(mode):
        return Special(f"{stat.S_IFMT(mode):o}")
    with open(entry.path, "rb") as file:
        content = file.read()
    return Executable(content) if mode & stat.S_IXUSR else content
