"""What stands in the way in a worktree: links, special files, paths that Git tracks as well."""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import closing
from pathlib import Path

from tests.hostile.case import Hostile
from tests.hostile.case import Step
from tests.hostile.scene import Scene
from tests.hostile.scene import blake
from tests.hostile.scene import object_name
from tests.hostile.scene import pointer
from tests.hostile.scene import tracked_tree
from tests.hostile.trees import bomb
from tests.hostile.trees import hello
from tests.hostile.trees import links
from tests.hostile.verbs import READ_POINTERS

WRITE = frozenset({"pull", "pull --force", "checkout", "checkout --force"})
TOLD = frozenset({"list", "list --rev", "whereused"})
"""They name one path after the other."""
LATER = {"pull --force": 0, "checkout": 0, "checkout --force": 0}
"""The forced pull takes away what is there, and nothing is in the way any more."""


def honest(scene: Scene) -> None:
    """The repository stays as it is."""


def _link(at: str, target: str) -> Step:
    """A committed link where dvtool puts data, as `git add -f` allows."""

    def build(scene: Scene) -> None:
        path = scene.theirs / at
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        scene.git("add", "-f", at)

    return build


def _link_above(scene: Scene) -> None:
    """A directory with a pointer in it, swapped for a link once it was cloned."""
    scene.write("models/x.dvt", pointer("path: x"))
    scene.plant()


def _swap_above(scene: Scene) -> None:
    shutil.move(scene.mine / "models/x.dvt", scene.outside / "x.dvt")
    (scene.mine / "models").rmdir()
    (scene.mine / "models").symlink_to("../outside")


def _in_place(at: str, make: Step) -> Step:
    def after(scene: Scene) -> None:
        (scene.mine / at).parent.mkdir(parents=True, exist_ok=True)
        make(scene)

    return after


def _fifo(scene: Scene) -> None:
    os.mkfifo(scene.mine / "model.bin")


def _fifo_inside(scene: Scene) -> None:
    os.mkfifo(scene.mine / "data/a")


def _socket(scene: Scene) -> None:
    here = Path.cwd()
    os.chdir(scene.mine)  # The name of a socket is short.
    try:
        with closing(socket.socket(socket.AF_UNIX)) as made:
            made.bind("model.bin")
    finally:
        os.chdir(here)


def _hard_link(scene: Scene) -> None:
    os.link(scene.outside / "secret", scene.mine / "model.bin")


def _links_inside(scene: Scene) -> None:
    (scene.mine / "data/a").symlink_to("../../outside/secret")
    (scene.mine / "data/sub").symlink_to("../../outside/deep")


def _over_git_file(scene: Scene) -> None:
    scene.write("src/main.py.dvt", pointer("path: main.py"))
    scene.plant()


def _over_git_directory(scene: Scene) -> None:
    scene.write("src.dvt", pointer("path: src", kind="directory"))


def _over_git_ignore(scene: Scene) -> None:
    scene.write(".gitignore.dvt", pointer('path: ".gitignore"'))
    scene.plant()


def _over_own_ignore(scene: Scene) -> None:
    scene.write(".dvtoolignore.dvt", pointer('path: ".dvtoolignore"'))
    scene.plant()


def _bomb(depth: int, width: int, entry: object) -> Step:
    def build(scene: Scene) -> None:
        pages, size, files = bomb(depth, width, entry)  # type: ignore[arg-type]
        scene.plant(pages, (b"", b"hello\n"))
        scene.write("d.dvt", tracked_tree(pages[0], size, files))

    return build


def _two_bombs(scene: Scene) -> None:
    """Nothing in the first is as in the second."""
    _bomb(9, 30, hello(b"a"))(scene)
    scene.commit()
    _bomb(9, 30, hello(b"b"))(scene)


def _links_out(scene: Scene) -> None:
    page = links()
    scene.plant((page,))
    scene.write("d.dvt", tracked_tree(page, 0, 4))


def _wrong_size(scene: Scene) -> None:
    scene.plant()
    scene.write("x.dvt", pointer("path: x", size=5))


def _huge_size(scene: Scene) -> None:
    scene.plant()
    scene.write("x.dvt", pointer("path: x", size=1 << 62))


def _file_for_a_directory(scene: Scene) -> None:
    scene.plant()
    scene.write("d.dvt", pointer("path: d", digest=blake(b"hello\n"), kind="directory", size=6))


def cases() -> list[Hostile]:
    tracked = r"Git tracks as well"
    empty = hello(b"a")._replace(raw=bytes(object_name(b"")), size=0)
    return [
        Hostile("link-for-a-file", _link("model.bin", "../outside/secret"), 6, WRITE, tracked),
        Hostile("link-for-a-directory", _link("data", "../outside"), 6, WRITE, tracked),
        Hostile("link-to-hooks", _link("data", ".git/hooks"), 6, WRITE, tracked),
        Hostile(
            "link-above-a-pointer",
            _link_above,
            6,
            READ_POINTERS - {"list --rev", "diff A B", "report", "verify"},
            "models",
            _swap_above,
        ),
        Hostile("fifo", honest, 6, WRITE, "model.bin", _fifo, {}),
        Hostile("fifo-inside", honest, 6, WRITE, "data/a", _in_place("data/a", _fifo_inside), {}),
        Hostile("socket", honest, 6, WRITE, "model.bin", _socket, {}),
        Hostile("hard-link", honest, 1, WRITE, "model.bin", _hard_link, LATER),
        Hostile("links-inside", honest, 1, WRITE, "data/a", _in_place("data/a", _links_inside), LATER),
        Hostile("over-a-file-of-git", _over_git_file, 6, WRITE, tracked),
        Hostile("over-a-directory-of-git", _over_git_directory, 6, WRITE, tracked),
        Hostile("over-gitignore", _over_git_ignore, 6, WRITE, tracked),
        Hostile("over-dvtoolignore", _over_own_ignore, 6, WRITE, tracked),
        Hostile("links-that-lead-out", _links_out, 0, WRITE),
        Hostile("bomb-of-empty-directories", _bomb(20, 100, None), 6, WRITE, "directories"),
        Hostile("bomb-of-empty-files", _bomb(9, 30, empty), 7, WRITE, "files"),
        Hostile("bomb-of-files", _bomb(8, 90, hello(b"a")), 6, WRITE | TOLD, "more than", ends=dict.fromkeys(WRITE, 7)),
        Hostile("bomb-against-bomb", _two_bombs, 6, frozenset({"diff A B"}), "same in directory after"),
        Hostile("size-of-a-file", _wrong_size, 4, WRITE, "x"),
        Hostile("size-of-a-file-in-cache", _wrong_size, 3, WRITE, "x", Scene.give_to_cache),
        Hostile("huge-size-of-a-file", _huge_size, 4, WRITE, "x"),
        Hostile("huge-size-of-a-file-in-cache", _huge_size, 3, WRITE, "x", Scene.give_to_cache),
        Hostile("file-for-a-directory", _file_for_a_directory, 4, WRITE, "d"),
    ]
