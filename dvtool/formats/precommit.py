"""``.pre-commit-config.yaml`` of the tool pre-commit: dvtool's hooks put into it, all else left as it stands."""

from __future__ import annotations

import re
from typing import Any

from dvtool.errors import FormatError
from dvtool.formats.yamlmarked import Value
from dvtool.formats.yamlmarked import read_yaml

NAME = b".pre-commit-config.yaml"
HOOK_IDS = {
    "dvtool-pre-commit": "pre-commit",
    "dvtool-pre-push": "pre-push",
    "dvtool-post-checkout": "post-checkout",
    "dvtool-post-merge": "post-merge",
    "dvtool-post-rewrite": "post-rewrite",
    "dvtool-post-commit": "post-commit",
}
"""Id and stage."""

_TYPES = "default_install_hook_types"
_TOP_KEY = re.compile(r"[^\s#]")


def with_hooks(text: str | None, where: str) -> str:
    """The text with the hooks that it lacks, run by the dvtool on the PATH; *text* itself where it has them all.

    Raises `FormatError` for a file that is not in the usual form, with the lines to put in by hand.
    """
    if not (text or "").strip():
        return f"{_TYPES}: [{', '.join(HOOK_IDS.values())}]\nrepos:\n{_block('  ')}"
    assert text is not None
    found = _loaded(text, where)
    missing = [name for name in HOOK_IDS if name not in _ids(found)]
    if not missing:
        return text
    lines = text.splitlines(keepends=True)
    if not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    at = next((number for number, line in enumerate(lines) if re.match(r"repos:\s*(#.*)?$", line)), None)
    if at is None:
        raise _by_hand(where)
    end = next((n for n in range(at + 1, len(lines)) if _TOP_KEY.match(lines[n]) and lines[n][0] != "-"), len(lines))
    while end > at + 1 and not lines[end - 1].strip():
        end -= 1
    first = next((line for line in lines[at + 1 : end] if line.lstrip().startswith("- ")), "  - ")
    indent = first[: len(first) - len(first.lstrip())]
    lines[end:end] = [_block(indent, missing)]
    if _TYPES not in found:
        start = next((n + 1 for n, line in enumerate(lines[:at]) if line.startswith("---")), 0)
        lines.insert(start, f"{_TYPES}: [{', '.join(HOOK_IDS.values())}]\n")
    new = "".join(lines)
    after = _loaded(new, where)
    if after.get("repos") != [*found.get("repos", []), *after["repos"][-1:]] or set(_ids(after)) < set(HOOK_IDS):
        raise _by_hand(where)
    return new


def without_hooks(text: str) -> str:
    """The text without the block that `with_hooks` brought in, where it stands as it was written."""
    for indent in ("  ", "", "    "):
        text = text.replace(_block(indent), "")
    line = f"{_TYPES}: [{', '.join(HOOK_IDS.values())}]\n"
    return "" if text in (f"{line}repos:\n", "repos:\n") else text


def _block(indent: str, names: list[str] | None = None) -> str:
    lines = ["- repo: local", "  hooks:"]
    for name in HOOK_IDS if names is None else names:
        stage = HOOK_IDS[name]
        lines += [
            f"    - id: {name}",
            f"      name: dvtool {stage}",
            f"      entry: dvtool git-hook {stage}",
            "      language: system",
            "      always_run: true",
            "      pass_filenames: false",
            "      require_serial: true",
            f"      stages: [{stage}]",
        ]
        if stage != "pre-commit":
            lines.append("      verbose: true")
    return "".join(f"{indent}{line}\n" for line in lines)


def _ids(found: dict[str, Any]) -> list[str]:
    repos = found.get("repos")
    hooks = [hook for repo in repos or [] if isinstance(repo, dict) for hook in repo.get("hooks") or []]
    return [str(hook.get("id")) for hook in hooks if isinstance(hook, dict)]


def _loaded(text: str, where: str) -> dict[str, Any]:
    document = read_yaml(text.encode("utf-8"), where)
    found = None if document is None else _plain(document)
    if not isinstance(found, dict) or not isinstance(found.get("repos", []), list):
        raise _by_hand(where)
    return found


def _plain(value: Value) -> Any:
    if isinstance(value.data, dict):
        return {key: _plain(each) for key, each in value.data.items()}
    return [_plain(each) for each in value.data] if isinstance(value.data, list) else value.data


def _by_hand(where: str) -> FormatError:
    return FormatError(
        f"{where}: its `repos:` are not written as a block list, so dvtool does not edit it",
        path=where,
        hint="put this in by hand:\n" + _block("  "),
    )
