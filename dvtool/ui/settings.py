"""Settings and remotes as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dvtool.model.paths import show
from dvtool.ui.tables import table

if TYPE_CHECKING:
    from dvtool.api.config import SettingView
    from dvtool.api.remote import RemoteView
    from dvtool.api.remote import TrustView


def setting_lines(settings: Sequence[SettingView], *, with_keys: bool, with_origin: bool) -> list[str]:
    """``key=value`` or the value alone, after the place where it stands."""
    texts = [f"{setting.key}={setting.value}" if with_keys else setting.value for setting in settings]
    if not with_origin:
        return texts
    return table([(each.level, _place(each), text) for each, text in zip(settings, texts, strict=True)])


def remote_lines(remotes: Sequence[RemoteView]) -> list[str]:
    """Name, URL, which one is the default, and what else sets one apart."""
    return table([(each.name, each.url, _remarks(each)) for each in remotes])


def trust_lines(view: TrustView) -> list[str]:
    """What is to be confirmed, before the question."""
    lines = [f"the committed .dvtool/config says of the remote {view.name}:"]
    for key, value in view.stated.items():
        alone = "   (a repository must not decide this alone)" if key in view.doubtful else ""
        lines.append(f"  {key} = {value}{alone}")
    if view.secrets:
        lines.append(f"to {view.server} would then be sent:")
        lines += [f"  {key}   ({place})" for key, place in view.secrets.items()]
    if view.tokens:
        lines.append(f"this machine's own credentials would then be sent to {view.server}")
    return lines


def _remarks(remote: RemoteView) -> str:
    parts = ["default"] if remote.default else []
    if remote.paths:
        parts.append("for " + ", ".join(remote.paths))
    if remote.mirrors:
        parts.append("then " + ", ".join(remote.mirrors))
    parts += [f"{key} *** ({place})" for key, place in remote.secrets.items()]
    if remote.trust:
        parts.append("trusted" if remote.trust == "given" else f"not usable before `dvtool remote trust {remote.name}`")
    return f"({'; '.join(parts)})" if parts else ""


def _place(setting: SettingView) -> str:
    if setting.path is None:
        return "-"
    return show(setting.path) if setting.line is None else f"{show(setting.path)}:{setting.line}"
