"""Pointers that reach outside, carry no digest, blow up, or stand in each other's way."""

from __future__ import annotations

import base64

from tests.hostile.case import Hostile
from tests.hostile.case import Step
from tests.hostile.scene import HELLO
from tests.hostile.scene import Scene
from tests.hostile.scene import blake
from tests.hostile.scene import pointer
from tests.hostile.verbs import EVERY
from tests.hostile.verbs import READ_POINTERS


def _quoted(text: str) -> str:
    escaped = "".join(char if char.isprintable() and char not in '"\\' else f"\\u{ord(char):04x}" for char in text)
    return f'path: "{escaped}"'


def _backslash(text: str) -> str:
    return 'path: "' + text.replace("\\", "\\\\") + '"'


def _base64(name: bytes) -> str:
    return f"path64: {base64.b64encode(name).decode()}"


PATHS = {
    "parent": _quoted("../outside/x"),
    "two-parents": _quoted("../../outside/x"),
    "parent-not-quoted": "path: ../outside/x",
    "parent-alone": _quoted(".."),
    "own-directory": _quoted("."),
    "absolute": "path: /tmp/x",
    "through-itself": "path: a/../../outside/x",
    "below": "path: sub/x",
    "drive": _quoted("C:x"),
    "drive-absolute": _backslash("C:\\x"),
    "unc": _backslash("\\\\host\\share"),
    "empty": 'path: ""',
    "nul": 'path: "a\\u0000b"',
    "escape": 'path: "a\\u001b]0;x"',
    "line-feed": 'path: "a\\u000ab"',
    "backslash": _backslash("..\\x"),
    "git": _quoted(".git"),
    "git-upper": _quoted(".GIT"),
    "git-dots-and-spaces": _quoted(".git . ."),
    "git-invisible": _quoted(".g\u200cit"),
    "git-short-name": _quoted("git~1"),
    "git-stream": _quoted(".git::$INDEX_ALLOCATION"),
    "dvtool": _quoted(".dvtool"),
    "dvtool-mixed": _quoted(".DvTool"),
    "dvtool-short-name": _quoted("dvtool~1"),
    "too-long": "path: " + "a" * 256,
    "base64-parent": _base64(b"../outside/\xff"),
    "base64-git": _base64(b".git\xcc\x80/\xff"),
}
"""Lines of a pointer. In text, what is no letter is quoted, since any other form is refused for that alone."""

_HEX = blake(HELLO).partition(":")[2]
DIGESTS = {
    "climbs": "blake3:../../../../outside/secret",
    "slashes": "blake3:" + "../" * 21 + "a",
    "upper-case": "blake3:" + _HEX.upper(),
    "63-digits": "blake3:" + _HEX[:-1],
    "65-digits": "blake3:" + _HEX + "0",
    "other-digits": "blake3:" + "\u0661" * 64,
    "bare": _HEX,
    "unknown-algorithm": "md4:" + _HEX[:32],
    "length-of-another": "md5:" + _HEX,
}

BOMBS = {
    "python-tag": "a: !!python/object/apply:os.system ['touch ../marker']\n",
    "alias-bomb": "a: &a [x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)),
    "merge-bomb": "a: &a {x: 1}\nb:\n  <<: [*a, *a, *a]\n",
    "merge-key": "a:\n  <<: {x: 1}\n",
    "deep": "a: " + "[" * 30_000 + "\n",
    "deep-blocks": "".join(" " * n + "a:\n" for n in range(300)),
    "duplicate-keys": "a: 1\na: 2\n",
    "second-document": "a: 1\n---\nb: 1\n",
    "known-key-again": "note: 1\ndigest: other\n",
    "huge-scalar": "a: " + "x" * (70 << 10) + "\n",
    "huge-number": "a: " + "9" * (60 << 10) + "\n" + "b: [" + "\n",
    "many-nodes": "a: [" + "x," * 31_000 + "\n",
}
"""Lines behind a pointer's own."""


def _file(text: str | bytes, at: str = "x.dvt") -> Step:
    return lambda scene: scene.write(at, text)


def _path_cases() -> list[Hostile]:
    cases = [
        Hostile(f"pointer-path-{name}", _file(pointer(line)), 6, READ_POINTERS, r"\bx\.dvt( at \w{40})?:2: ")
        for name, line in PATHS.items()
    ]
    deep = _file(pointer(_quoted("../../../outside/x")), "src/deep/x.dvt")
    return [*cases, Hostile("pointer-path-deep", deep, 6, READ_POINTERS, r"src/deep/x\.dvt( at \w{40})?:2: ")]


def _other_cases() -> list[Hostile]:
    digests = [
        Hostile(f"pointer-digest-{name}", _file(pointer(digest=text)), 6, READ_POINTERS, r"\bx\.dvt( at \w{40})?:4: ")
        for name, text in DIGESTS.items()
    ]
    bombs = [
        Hostile(f"pointer-yaml-{name}", _file(pointer(extra=text)), 9, READ_POINTERS, "x.dvt")
        for name, text in BOMBS.items()
    ]
    odd: dict[str, str | bytes] = {
        "newer": pointer(head="dvtool: 2"),
        "conflict": "<<<<<<< ours\n" + pointer(),
        "latin-1": pointer().encode() + b"# caf\xe9\n",
        "empty-file": "",
        "megabytes": pointer() + "# x\n" * (1 << 20),
        "negative-size": pointer(size=-1),
        "size-over-63-bits": pointer(size=1 << 63),
        "octal-size": pointer().replace("size: 6", "size: 0o6"),
        "tag-at-once": "!!python/object/apply:os.system ['touch ../marker']\n",
    }
    return (
        digests
        + bombs
        + [
            Hostile(f"pointer-{name}", _file(text), 9, READ_POINTERS, r"\bx\.dvt|the Git blob")
            for name, text in odd.items()
        ]
    )


def _link_to(target: str, at: str = "x.dvt") -> Step:
    return lambda scene: (scene.theirs / at).symlink_to(target)


def _two(first: tuple[str, str], second: tuple[str, str]) -> Step:
    def build(scene: Scene) -> None:
        scene.write(*first)
        scene.write(*second)

    return build


ORIGINS = {
    "file": 'repo: "../outside/repo"',
    "file-url": 'repo: "file:///etc"',
    "command": 'repo: "ext::sh -c touch% marker"',
    "loopback": 'repo: "http://127.0.0.1:1/r.git"',
    "metadata": 'repo: "http://169.254.169.254/r.git"',
    "ssh-option": 'repo: "ssh://-oProxyCommand=touch%20marker/r"',
}
ORIGIN_URLS = {
    "file": 'url: "../outside/secret"',
    "file-url": 'url: "file:///etc/passwd"',
    "loopback": 'url: "http://127.0.0.1:1/rows.csv"',
    "chained": 'url: "simplecache::file:///etc/passwd"',
}
READ_ORIGINS = frozenset({"fetch", "pull", "pull --force", "update"})


def _origin_cases() -> list[Hostile]:
    """Where a pointer says that its data came from is read only where the user said so."""
    commit, digest = f"  commit: {'0' * 40}\n", f"  digest: {blake(HELLO)}\n"
    repos = [
        Hostile(
            f"pointer-source-{name}",
            _file(pointer(extra=f"source:\n  {line}\n{commit}  path: x\n{digest}")),
            6,
            READ_ORIGINS,
            r"\bx\.dvt: ",
            skip=EVERY - READ_ORIGINS,
        )
        for name, line in ORIGINS.items()
    ]
    urls = [
        Hostile(
            f"pointer-url-{name}",
            _file(pointer(extra=f"source:\n  {line}\n{digest}")),
            6,
            frozenset({"update"}),
            r"\bx\.dvt: ",
            skip=EVERY - READ_ORIGINS,
        )
        for name, line in ORIGIN_URLS.items()
    ]
    return repos + urls


LOOKING = frozenset({"status", "list", "fetch", "pull --force", "checkout", "push"})
"""Verbs that take all pointers of the worktree together. `gc` takes each by itself, and keeps what it names."""


def _overlap_cases() -> list[Hostile]:
    directory = pointer("path: d", kind="directory")
    return [
        Hostile("pointer-is-a-link", _link_to("../outside/secret"), 6, LOOKING, "x.dvt"),
        Hostile("pointer-is-a-link-to-a-device", _link_to("/dev/zero"), 6, LOOKING, "x.dvt"),
        Hostile("pointer-over-itself", _file(pointer("path: x.dvt")), 6, LOOKING, "x.dvt"),
        Hostile("pointer-over-another", _file(pointer("path: model.bin.dvt")), 6, LOOKING, "model.bin.dvt"),
        Hostile("pointers-of-one-path", _file(pointer("path: model.bin"), "other.dvt"), 6, LOOKING, "other.dvt"),
        Hostile(
            "pointer-inside-a-tracked-directory",
            _two(("d.dvt", directory), ("d/x.dvt", pointer())),
            6,
            LOOKING,
            "d/x.dvt",
        ),
    ]


def cases() -> list[Hostile]:
    return [*_path_cases(), *_other_cases(), *_overlap_cases(), *_origin_cases()]
