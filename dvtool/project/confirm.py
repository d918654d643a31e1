"""Changing settings of a remote so that what its user has confirmed stays confirmed, and nothing else does.

A secret is bound to the server that the committed file names when the secret is set. Who changes
that server by a command has said so, and the bindings of this clone follow; a change that comes with
Git leaves them behind.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from dvtool.errors import DvtoolError
from dvtool.errors import UnsafeInput
from dvtool.formats.config import parse_key
from dvtool.formats.settings import directs
from dvtool.formats.settings import setting_of
from dvtool.project.config import Config
from dvtool.project.config import Level
from dvtool.project.config import load_config
from dvtool.project.edit import set_setting
from dvtool.project.edit import unset_setting
from dvtool.project.environment import Environment
from dvtool.project.layout import Layout
from dvtool.project.trust import Standing
from dvtool.project.trust import bindings
from dvtool.project.trust import standing_of

_FILES = (Level.LOCAL, Level.USER, Level.SYSTEM)


def set_confirmed(
    layout: Layout, environment: Environment, level: Level, key: str, value: str, *, with_trust: bool = False
) -> bytes:
    """`set_setting`; a secret is bound to the server that the remote has now. Raises as it does, and
    `UnsafeInput` where other secrets in the same file belong to another server."""
    parsed = parse_key(key)
    name = parsed.subsection
    if parsed.section != "remote" or name is None:
        return set_setting(layout, level, key, value)
    if setting_of(parsed).secret and level in _FILES:
        _bind(layout, environment, level, name, parsed.name)
    is_word = level is Level.PROJECT and directs(parsed)
    with _following(layout, environment, level, name, names_server=is_word):
        return set_setting(layout, level, key, value, with_trust=with_trust)


def unset_confirmed(layout: Layout, environment: Environment, level: Level, key: str) -> bytes:
    """`unset_setting`. Raises as it does."""
    parsed = parse_key(key)
    if parsed.section != "remote" or parsed.subsection is None:
        return unset_setting(layout, level, key)
    with _following(layout, environment, level, parsed.subsection, names_server=False):
        return unset_setting(layout, level, key)


def _bind(layout: Layout, environment: Environment, level: Level, name: str, option: str) -> None:
    config = _readable(layout, environment)
    if config is None:
        return
    standing = standing_of(config, environment.environ, name)
    bound, secrets = bindings(config, name, level)
    others = [found.key.name for found in secrets if found.key.name != option]
    if others and bound != standing.server and standing.server and not standing.trusted:
        raise UnsafeInput(
            f"remote {name}: {', '.join(others)} in the same file belongs to {bound or 'no server'}, not to "
            f"{standing.server}",
            hint=f"look at it, and if they are right for it: dvtool remote trust {name}",
        )
    _write_binding(layout, level, name, bound, standing.server)


@contextlib.contextmanager
def _following(
    layout: Layout, environment: Environment, level: Level, name: str, *, names_server: bool
) -> Iterator[None]:
    """Bindings and trust of this clone follow what its user changes in the committed file inside the block."""
    if level is not Level.PROJECT:
        yield
        return
    before = _readable(layout, environment)
    yield
    after = _readable(layout, environment)
    if before is None or after is None:
        return
    old, new = (standing_of(config, environment.environ, name) for config in (before, after))
    bound, secrets = bindings(after, name, Level.LOCAL)
    if names_server and secrets and bound == old.server:
        _write_binding(layout, Level.LOCAL, name, bound, new.server)
    if _is_trusted_here(before, name, old) and new.digest != old.digest:
        set_setting(layout, Level.LOCAL, f"remote.{name}.trusted", new.digest)


def _is_trusted_here(config: Config, name: str, standing: Standing) -> bool:
    found = config.find(f"remote.{name}.trusted")
    return found is not None and found.origin.level is Level.LOCAL and found.text == standing.digest


def _write_binding(layout: Layout, level: Level, name: str, old: str, new: str) -> None:
    if new and new != old:
        set_setting(layout, level, f"remote.{name}.bound_to", new)
    elif old and not new:
        unset_setting(layout, level, f"remote.{name}.bound_to")


def _readable(layout: Layout, environment: Environment) -> Config | None:
    """None where a file cannot be read: then nothing is confirmed by itself."""
    try:
        return load_config(layout, environment, {})
    except DvtoolError:
        return None
