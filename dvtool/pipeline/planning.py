"""What a plan rests on, as it is saved, and what of it has changed since."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping

from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.formats.lock import encode_block
from dvtool.formats.lock import value_text
from dvtool.formats.planfile import SavedStage
from dvtool.hashing.digests import object_id
from dvtool.model.pointer import Kind
from dvtool.pipeline.outlook import Foreseen
from dvtool.pipeline.types import Stage


def saved_stage(stage: Stage, foreseen: Foreseen) -> SavedStage:
    """One stage of a plan, with everything that the decision about it was made from."""
    seen, record = foreseen.seen, foreseen.record
    return SavedStage(
        foreseen.decision.action.value,
        definition_digest(stage),
        "" if record is None else _digest(encode_block(stage.name, record)),
        {name: _content(content) for name, content in seen.deps.items()},
        {
            _text(file): {key: value_text(value) for key, value in values.items()}
            for file, values in seen.params.items()
        },
        {_text(path): _content(content) for path, content in seen.outs.items()},
    )


def definition_digest(stage: Stage) -> str:
    """Of all that a run of the stage depends on; not of descriptions, nor of where it stands in its file."""
    retry = stage.retry
    body: dict[str, Json] = {
        "address": stage.address,
        "argv": list(stage.argv),
        "cmd": list(stage.commands),
        "wdir": _text(stage.wdir),
        "deps": [dep.name for dep in stage.deps],
        "params": [[_text(params.file), *params.keys] for params in stage.params],
        "outs": [[_text(out.path), out.kind.value, out.cache, out.persist, out.push, out.remote] for out in stage.outs],
        "frozen": stage.frozen,
        "always_changed": stage.always_changed,
        "env": dict(stage.environment),
        "timeout": stage.timeout,
        "retry": [retry.times, retry.wait, retry.backoff],
        "go_on": stage.go_on,
        "resources": dict(stage.resources),
    }
    return _digest(value_text(body))


def what_changed(before: SavedStage, now: SavedStage) -> Iterator[str]:
    """What of one stage is not as it was, in words; nothing where all is."""
    if before.definition != now.definition:
        yield "its definition changed"
    if before.record != now.record:
        yield "what its lock says changed"
    for what, old, new in (("dependency", before.deps, now.deps), ("output", before.outs, now.outs)):
        yield from (f"{what} {name} changed" for name in _differing(old, new))
    for file in sorted(before.params.keys() | now.params.keys()):
        for key in _differing(before.params.get(file, {}), now.params.get(file, {})):
            yield f"parameter {file}:{key} changed"
    if before.action != now.action:
        yield f"the plan says {before.action!r}, and it would be {now.action!r} now"


def _differing(before: Mapping[str, str | None], now: Mapping[str, str | None]) -> list[str]:
    names = sorted(before.keys() | now.keys())
    return [name for name in names if name not in before or name not in now or before[name] != now[name]]


def _content(content: Content | None) -> str | None:
    if content is None:
        return None
    return f"{content.digest}{'/' if content.kind is Kind.DIRECTORY else ' x' if content.executable else ''}"


def _digest(text: str) -> str:
    return object_id(text.encode("utf-8", "surrogateescape")).hex()


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
