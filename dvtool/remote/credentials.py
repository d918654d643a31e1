"""Which credential a remote was tried with, in words: it belongs into the hint of every `AccessDenied`."""

from __future__ import annotations

from collections.abc import Sequence

from dvtool.errors import AccessDenied
from dvtool.errors import DvtoolError
from dvtool.formats.config import Key
from dvtool.formats.settings import setting_of
from dvtool.formats.settings import shown
from dvtool.remote.address import Address
from dvtool.remote.redact import redact


def tried(address: Address, keys: Sequence[str], otherwise: str) -> str:
    """Those of *keys* that are set below ``remote.NAME``, each with the place that sets it; no secret is shown.

    *otherwise*: what the driver takes where none is set ("no credentials", "the ssh agent and ~/.ssh").
    """
    found = []
    for key in keys:
        value = address.settings.get(key)
        if value:
            place = address.origins.get(key)
            found.append(f"{key} {_shown(address.name, key, value)}" + (f" ({place})" if place else ""))
    return ", ".join(found) or otherwise


def denied(address: Address, what: str, keys: Sequence[str], otherwise: str, *, advice: str = "") -> AccessDenied:
    """The error for refused or absent credentials. *what*: "cannot list: the server said 403"; *advice*: the
    next step, unless it is to set the last of *keys* anew."""
    advice = advice or f"`dvtool remote modify --local {address.name} {keys[-1]} ...` sets another"
    return AccessDenied(
        f"remote {address.name}: {redact(what)}", hint=f"tried {tried(address, keys, otherwise)}; {advice}"
    )


def _shown(name: str, key: str, value: str) -> str:
    full = Key("remote", name, key)
    try:
        setting_of(full)
    except DvtoolError:
        return "***"
    return redact(shown(full, value))
