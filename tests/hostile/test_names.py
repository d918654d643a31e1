"""Forty odd names go through add, push, a clone and pull byte for byte; a terminal sees none of their control bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.hostile.scene import Scene
from tests.hostile.scene import build_template
from tests.support.cli import CommandLine
from tests.support.trees import tree_of

NAMES = [
    b"-rf",
    b"--force",
    b"-",
    b" ",
    b" lead",
    b"trail ",
    b"dot.",
    b"..x",
    b"...",
    b"~",
    b"~root",
    b"$HOME",
    b"$(touch marker)",
    b"`touch marker`",
    b"; touch marker",
    b"a&b|c>d",
    b"*",
    b"?",
    b"[a]",
    b"{a,b}",
    b"!x",
    b"#x",
    b":(top)x",
    b":!x",
    b"a:b",
    b"C:x",
    b"CON",
    b"aux.txt",
    b"back\\slash",
    b"quo\"te'",
    b"new\nline",
    b"carriage\r",
    b"tab\t",
    b"esc\x1b[31m",
    b"bell\x07\x7f",
    b"\xff\xfe",
    b"caf\xe9",
    "caf\u00e9".encode(),
    "cafe\u0301".encode(),
    "right\u202eleft".encode(),
    b"Case",
    b"case",
    b"x.dvt",
    b"n" * 255,
]
"""What Linux can hold and every shell, terminal or other system stumbles over."""


def test_odd_names_round_trip(tmp_path: Path) -> None:
    assert len(NAMES) >= 40
    scene = Scene(build_template(tmp_path / "place"))
    odd = os.fsencode(scene.theirs / "odd")
    os.mkdir(odd)
    for number, name in enumerate(NAMES):
        with open(os.path.join(odd, name), "wb") as file:
            file.write(b"%d\n" % number)
    theirs = CommandLine(scene.theirs)
    theirs.done("add", "-q", "odd")
    scene.commit()
    theirs.done("push", "-q")
    scene.clone()
    mine = CommandLine(scene.mine)
    mine.done("pull", "-q")
    assert tree_of(scene.mine / "odd") == {name: b"%d\n" % number for number, name in enumerate(NAMES)}
    assert not scene.marker.exists()
    for verb in (("list", "-R", "odd"), ("diff", "HEAD~1", "HEAD"), ("status",), ("checkout", "--force")):
        ran = mine(*verb)
        assert ran.code == 0, ran
        assert not any(byte in ran.out + ran.err for byte in "\x1b\x07\x7f\r\u202e"), ran


def test_json_has_names_exactly(tmp_path: Path) -> None:
    scene = Scene(build_template(tmp_path / "place"))
    scene.write(b"data/esc\x1b[31m\n", "x\n")
    cli = CommandLine(scene.theirs)
    cli.done("add", "-q", "data")
    listed = json.loads(cli.done("list", "-R", "--json", "data"))
    assert "esc\x1b[31m\n" in json.dumps(listed, ensure_ascii=False).encode().decode("unicode_escape")


def test_a_file_called_like_an_option_is_tracked(tmp_path: Path) -> None:
    scene = Scene(build_template(tmp_path / "place"))
    cli = CommandLine(scene.theirs)
    for name in ("-rf", "--force", ":(top)x"):
        scene.write(name, f"{name}\n")
        cli.done("add", "-q", "--", name)
    scene.commit()
    cli.done("push", "-q", "-A")
    scene.clone()
    mine = CommandLine(scene.mine)
    mine.done("pull", "-q")
    assert [(scene.mine / name).read_text() for name in ("-rf", "--force", ":(top)x")] == [
        "-rf\n",
        "--force\n",
        ":(top)x\n",
    ]
