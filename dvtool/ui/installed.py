"""What ``dvtool install`` did, in words and as JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator

from dvtool.api.install import InstallPlan
from dvtool.model.paths import is_below
from dvtool.model.paths import show

_DOES = {
    "pre-commit": "keeps large files and tracked data out of a commit",
    "pre-push": "uploads the data of what is pushed first",
    "post-checkout": "brings the data along",
    "post-merge": "brings the data along",
    "post-rewrite": "brings the data along after a rebase",
    "post-commit": "brings the data along after a cherry-pick or a revert",
}


def installed_lines(plan: InstallPlan) -> Iterator[str]:
    """One line for each thing that changes."""
    for edit in plan.hooks:
        where = show(_short(plan, edit.path))
        if edit.text is None:
            yield f"{where}: gone" if edit.kept is None else f"{where}: what was there before is back"
        elif edit.kept is not None:
            yield f"{where}: {_DOES[edit.name]}; your own hook runs before it, from {show(os.path.basename(edit.kept))}"
        else:
            yield f"{where}: {_DOES[edit.name]}"
    if plan.tool_file is not None:
        yield f"{show(os.path.basename(plan.tool_path))}: {'the hooks' if plan.tool_file else 'gone'}"
    if not plan.wiring.is_empty:
        gone = plan.wiring.settings and all(value is None for value in plan.wiring.settings.values())
        where = show(_short(plan, os.path.join(plan.repo.common_dir, b"info/attributes")))
        yield f"{where}: {'dvtool is out of' if gone else 'dvtool is in'} `git diff` and `git merge`"


def next_step(plan: InstallPlan) -> str | None:
    """What is left to the user."""
    if not plan.tool_file:
        return None
    name = show(os.path.basename(plan.tool_path))
    if "dvtool-pre-push" not in plan.tool_file:
        return f"next: git add {name}"
    # Without that word it fails on every branch that does not have the file yet.
    return f"next: pre-commit install --allow-missing-config && git add {name}"


def installed_json(plan: InstallPlan) -> dict[str, object]:
    """The document of ``install/1``."""
    return {
        "hooks_directory": plan.directory,
        "hooks": [
            {"name": edit.name, "path": edit.path, "change": _change(edit.text, edit.kept), "kept": edit.kept}
            for edit in plan.hooks
        ],
        "settings": dict(plan.wiring.settings),
        "attributes_changed": plan.wiring.attributes is not None,
        "pre_commit_config_changed": plan.tool_file is not None,
    }


def _change(text: bytes | None, kept: bytes | None) -> str:
    if text is None:
        return "removed" if kept is None else "restored"
    return "written" if kept is None else "chained"


def _short(plan: InstallPlan, path: bytes) -> bytes:
    top = plan.repo.worktree
    return os.path.relpath(path, top) if is_below(path, top) else path
