"""What the story's data looks like: two versions of a project that holds everything a directory may hold."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from tests.support.trees import Executable
from tests.support.trees import Link

ODD_NAMES: tuple[str | bytes, ...] = (
    "new\nline",
    "tab\there",
    "carriage\rreturn",
    "bell\a",
    "\x1b[31mred\x1b[0m",
    "delete\x7f",
    " leading space",
    "trailing space ",
    "trailing dot.",
    "three...",
    "two  spaces",
    " ",
    "'single'",
    '"double"',
    "`tick`",
    "$(touch HIT)",
    "; rm -rf x",
    "a & b | c > d",
    "*",
    "?",
    "[abc]",
    "!exclude",
    "#comment",
    "-rf",
    "--force",
    "back\\slash",
    "colon:here",
    "%41%2e",
    "~",
    "{brace}",
    "con",
    "NUL.txt",
    "aux.c",
    "COM1",
    "data.dvt",
    "notes.dvt.txt",
    ".gitignore",
    ".hidden",
    "...",
    "caf\u00e9",
    "\u65e5\u672c\u8a9e",
    "\U0001f600",
    "right\u202eto-left",
    "zero\u200bwidth",
    b"latin1-\xe9",
    b"\xff\xfe",
    b"\xed\xa0\x80surrogate",
    "n" * 255,
    "\u00e9" * 127,
)
"""Names that a file system takes and that programs get wrong."""


def noise(name: str, size: int) -> bytes:
    """*size* bytes that depend on *name* and do not compress."""
    return hashlib.shake_128(name.encode()).digest(size)


def odd_tree() -> dict[Any, Any]:
    return {os.fsencode(name): b"odd " + os.fsencode(name) for name in ODD_NAMES}


def first_version() -> dict[Any, Any]:
    """What is added, by path at the top of the project."""
    large = noise("large", 5 << 20)
    return {
        "table.csv": "id,x\n" + "".join(f"{n},{n * n}\n" for n in range(20_000)),
        "empty.bin": "",
        "run.sh": Executable("#!/bin/sh\n"),
        "data": {
            "large.bin": large,
            "copy-of-large.bin": large,
            "middle.bin": noise("middle", 200_000),
            "empty": "",
            "also-empty": "",
            "tool": Executable("#!/bin/sh\necho v1\n"),
            "same-bytes-as-tool": "#!/bin/sh\necho v1\n",
            "nothing-inside": {},
            "deep": {"er": {"and": {"deeper": {"leaf": "v1\n", "none": {}}}}},
            "many": {f"file-{n:03}": f"{n}\n" for n in range(300)},
            "links": {
                "to-file": Link("../tool"),
                "to-directory": Link("../deep"),
                "dangling": Link("../no/such/thing"),
                "out": Link("../../../outside"),
                "absolute": Link("/etc/hostname"),
                "odd": Link(b"\xff target\n"),
            },
            "odd": odd_tree(),
            "becomes-directory": "a file\n",
            "becomes-file": {"inside": "x\n", "further": {"below": "y\n"}},
            "becomes-link": "a file\n",
            "was-link": Link("tool"),
            "link-becomes-directory": Link("deep"),
            "directory-becomes-link": {"inside": "z\n"},
        },
    }


def second_version() -> dict[Any, Any]:
    """The first one after a day's work: something of each kind changed."""
    version = first_version()
    data = version["data"]
    large = data["large.bin"]
    version["table.csv"] += "20000,0\n"
    version["empty.bin"] = "no more\n"
    data["large.bin"] = large[: 2 << 20] + b"inserted" + large[2 << 20 :]
    data["tool"] = "#!/bin/sh\necho v1\n"
    data["same-bytes-as-tool"] = Executable("#!/bin/sh\necho v1\n")
    data["nothing-inside"] = {"now": "something\n"}
    data["deep"]["er"]["and"]["deeper"] = {"leaf": "v2\n"}
    data["many"]["file-100"] = "changed\n"
    data["many"]["file-300"] = "added\n"
    del data["many"]["file-007"]
    data["links"]["to-file"] = Link("../middle.bin")
    del data["links"]["dangling"]
    for number, name in enumerate(list(data["odd"])):
        if number % 3 == 0:
            data["odd"][name] += b" changed"
        elif number % 3 == 1:
            del data["odd"][name]
    data["becomes-directory"] = {"tool": "inside\n", "below": {"it": "t\n"}}
    data["becomes-file"] = "a file now\n"
    data["becomes-link"] = Link("empty")
    data["was-link"] = "a file now\n"
    data["link-becomes-directory"] = {"er": "a file\n"}
    data["directory-becomes-link"] = Link("many")
    return version
