"""Locks of pipelines whose outputs reach outside, stand in each other's way, or that are no locks."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.hostile.case import Hostile
from tests.hostile.case import Step
from tests.hostile.pointers import DIGESTS
from tests.hostile.pointers import LOOKING
from tests.hostile.scene import HELLO
from tests.hostile.scene import Scene
from tests.hostile.scene import blake
from tests.hostile.verbs import READ_POINTERS

PATHS = {
    "parent": "../outside/x",
    "two-parents": "a/../../../outside/x",
    "absolute": "/tmp/x",
    "drive": "C:x",
    "backslash": "..\\x",
    "empty": "",
    "own-directory": ".",
    "nul": "a\0b",
    "line-feed": "a\nb",
    "surrogate": "a\ud800",
    "hook": ".git/hooks/post-checkout",
    "hook-mixed": "sub/.GiT/hooks/post-checkout",
    "own-config": ".dvtool/config",
    "short-name": "git~1/config",
}
ENTRY = {"digest": blake(HELLO), "size": len(HELLO)}


def lock(outs: Mapping[str, object], **more: object) -> str:
    stages = {"s": {"cmd": ["touch ../marker"], "outs": outs, **more}, "": {}}
    return json.dumps({"dvtool": "lock", "version": 1, "stages": stages})


def _file(text: str | bytes, at: str = "dvtool.lock") -> Step:
    return lambda scene: scene.write(at, text)


def _planted(outs: Mapping[str, object]) -> Step:
    """The lock, and the bytes that it names on the remote."""

    def build(scene: Scene) -> None:
        scene.write("dvtool.lock", lock(outs))
        scene.plant()

    return build


def _unsafe() -> list[Hostile]:
    where = r"dvtool\.lock|the Git blob"
    paths = [
        Hostile(f"lock-path-{name}", _file(lock({p: ENTRY})), 6, READ_POINTERS, where) for name, p in PATHS.items()
    ]
    # No UTF-8 can be made of it, so it is no path at all.
    paths = [case if case.name != "lock-path-surrogate" else _is_no_lock(case) for case in paths]
    digests = [
        Hostile(f"lock-digest-{name}", _file(lock({"x": {"digest": text, "size": 6}})), 6, READ_POINTERS, where)
        for name, text in DIGESTS.items()
    ]
    deeper = _file(lock({"../x": ENTRY}), "src/deep/dvtool.lock")
    return [*paths, *digests, Hostile("lock-path-deep", deeper, 6, READ_POINTERS, "src/deep/dvtool.lock|the Git blob")]


def _is_no_lock(case: Hostile) -> Hostile:
    return Hostile(case.name, case.build, 9, case.refusing, case.names)


def _damaged() -> list[Hostile]:
    odd: dict[str, str | bytes] = {
        "conflict": '{\n<<<<<<< ours\n"dvtool": "lock",\n',
        "newer": lock({}).replace('"version": 1', '"version": 2'),
        "empty-file": "",
        "latin-1": lock({}).encode() + b"\xe9",
        "duplicate-outputs": lock({"x": ENTRY}).replace('"outs": {', '"outs": {"x": {"size": 1},'),
        "unknown-key": lock({"x": {**ENTRY, "run": "touch ../marker"}}),
        "deep": lock({}, params={"p": {"k": "DEEP"}}).replace('"DEEP"', "[" * 100_000),
        "deep-and-whole": lock({}, params={"p": {"k": "DEEP"}}).replace('"DEEP"', "[" * 900 + "]" * 900),
        "negative-size": lock({"x": {**ENTRY, "size": -1}}),
        "huge-number": lock({"x": {**ENTRY, "size": 0}}).replace('"size": 0', '"size": ' + "9" * 60_000),
        "remote-of-no-name": lock({"x": {**ENTRY, "remote": "../../x"}}),
    }
    where = r"dvtool\.lock|the Git blob"
    return [Hostile(f"lock-{name}", _file(text), 9, READ_POINTERS, where) for name, text in odd.items()]


def _overlaps() -> list[Hostile]:
    paths = {
        "output-is-tracked": "model.bin",
        "output-in-a-tracked-directory": "data/x",
        "output-is-a-pointer": "x.dvt",
        "output-is-the-lock": "dvtool.lock",
        "output-is-a-definition": "sub/dvtool.yaml",
        "output-is-the-ignore-file": ".dvtoolignore",
    }
    cases = [
        Hostile(f"lock-{name}", _planted({path: ENTRY}), 6, LOOKING, "dvtool.lock") for name, path in paths.items()
    ]
    git = _planted({"src/main.py": ENTRY})
    placing = frozenset({"checkout", "checkout --force", "pull", "pull --force"})
    return [*cases, Hostile("lock-output-that-git-tracks", git, 6, placing, "which Git tracks as well")]


def cases() -> list[Hostile]:
    return [*_unsafe(), *_damaged(), *_overlaps()]
