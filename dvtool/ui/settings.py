"""Settings and remotes as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dvtool.model.paths import show
from dvtool.ui.tables import table

if TYPE_CHECKING:
    from dvtool.api.config import SettingView
    from dvtool.api.remote import RemoteView


def setting_lines(settings: Sequence[SettingView], *, with_keys: bool, with_origin: bool) -> list[str]:
    """``key=value`` or the value alone, after the place where it stands."""
    texts = [f"{setting.key}={setting.value}" if with_keys else setting.value for setting in settings]
    if not with_origin:
        return texts
    return table([(each.level, _place(each), text) for each, text in zip(settings, texts, strict=True)])


def remote_lines(remotes: Sequence[RemoteView]) -> list[str]:
    """Name, URL, and which one is the default."""
    return table([(each.name, each.url, "(default)" if each.default else "") for each in remotes])


def _place(setting: SettingView) -> str:
    if setting.path is None:
        return "-"
    return show(setting.path) if setting.line is None else f"{show(setting.path)}:{setting.line}"
