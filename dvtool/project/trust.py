"""What the committed file may decide about a remote by itself, and what the user has to confirm first.

The committed file may name a remote and say where it is. Two things it may not do alone: steer what
could reach outside the repository or weaken a check (key files, TLS off), and send the user's secrets
to a server that the user did not mean. For both the user says `dvtool remote trust NAME`, or holds
the digest of what was read in ``DVTOOL_TRUST``. See ``docs/explanation/trust.md``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from dvtool.errors import UnsafeInput
from dvtool.formats.config import quote
from dvtool.formats.settings import directs
from dvtool.formats.settings import is_true
from dvtool.formats.settings import needs_trust
from dvtool.formats.settings import setting_of
from dvtool.formats.settings import shown
from dvtool.hashing.digests import object_id
from dvtool.model.digest import as_digest
from dvtool.project.config import Config
from dvtool.project.config import Found
from dvtool.project.config import Level
from dvtool.project.config import in_words

VARIABLE = "DVTOOL_TRUST"
_OWN = (Level.FLAG, Level.ENVIRONMENT, Level.LOCAL, Level.USER, Level.SYSTEM)
_WITHOUT_HOST = frozenset(("abfs", "abfss", "adl", "az", "azure", "gcs", "gdrive", "gs", "hf", "oss", "s3"))
"""Schemes whose URL names a bucket at the provider; ``BUCKET@HOST`` names a host all the same."""
_TOKENS = _WITHOUT_HOST - {"oss", "s3"}
"""Providers whose own credentials, found on the machine, travel as they are: who gets them can use them."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the committed file and the user's own settings of one remote stand to each other.

    ``server``: what the committed file says of where requests go, empty if nothing. ``stated``: its
    settings that matter here, whose exact values ``digest`` is about. ``doubtful``: those that count
    only when trusted. ``unbound``: the user's secrets that were not set for ``server``, with the
    server that they were set for. ``tokens``: the machine's own credentials would go there.
    """

    name: str
    server: str
    digest: str
    stated: tuple[Found, ...]
    doubtful: tuple[Found, ...]
    unbound: tuple[tuple[Found, str], ...]
    tokens: bool
    trusted: bool

    @property
    def needs_trust(self) -> bool:
        return bool(self.doubtful or self.unbound or self.tokens)

    @property
    def is_refused(self) -> bool:
        return self.needs_trust and not self.trusted


def standing_of(config: Config, environ: Mapping[str, str], name: str) -> Standing:
    """Compare the committed settings of the remote *name* with the user's own ones."""
    layers: dict[Level, dict[str, Found]] = {level: {} for level in Level}
    in_force: dict[str, Found] = {}
    for found in config.all():
        if found.key.section == "remote" and found.key.subsection == name:
            layers[found.origin.level][found.key.name] = in_force[found.key.name] = found
    server = _server(in_force)
    stated = tuple(found for _, found in sorted(layers[Level.PROJECT].items()) if _matters(found))
    digest = digest_of(stated)
    given = {word for word in re.split(r"[\s,]+", environ.get(VARIABLE, "")) if word}
    if "trusted" in in_force:
        given.add(in_force["trusted"].text)
    return Standing(
        name,
        server,
        digest,
        stated,
        tuple(found for found in stated if needs_trust(found.key, found.text) and in_force[found.key.name] is found),
        tuple(_unbound(in_force, layers, server)),
        bool(server) and _scheme(in_force) in _TOKENS and _takes_what_it_finds(in_force),
        trusted=bool(stated) and digest in given,
    )


def digest_of(stated: tuple[Found, ...]) -> str:
    """Names those exact values: ``blake3:`` and 64 digits."""
    text = "".join(f"{found.key.name} = {quote(found.text)}\n" for found in stated)
    return str(as_digest(object_id(text.encode("utf-8"))))


def require(standing: Standing) -> None:
    """Raise `UnsafeInput` unless the remote may be used as it is configured."""
    if not standing.is_refused:
        return
    name = standing.name
    hint = f"look at it, and if it is right: dvtool remote trust {name}"
    if standing.doubtful:
        keys = _listed([found.key.name for found in standing.doubtful])
        raise UnsafeInput(
            f"remote {name}: the committed .dvtool/config sets {keys}, which a repository must not decide alone",
            hint=hint,
        )
    if standing.unbound:
        found, meant = standing.unbound[0]
        keys = _listed([each.key.name for each, _ in standing.unbound])
        place = in_words(found.origin)
        was = f"in {place} stands for {meant}" if meant else f"in {place} stands for no server"
        raise UnsafeInput(
            f"remote {name}: nothing was sent: {keys} {was}, and the committed .dvtool/config says {standing.server}",
            hint=hint,
        )
    raise UnsafeInput(
        f"remote {name}: nothing was sent: this machine's own credentials would go to a server that the committed "
        f".dvtool/config names: {standing.server}",
        hint=hint,
    )


def bindings(config: Config, name: str, level: Level) -> tuple[str, list[Found]]:
    """What the secrets of one level are bound to, and those secrets."""
    own = {
        found.key.name: found
        for found in config.all(level)
        if found.key.section == "remote" and found.key.subsection == name
    }
    bound = own.get("bound_to")
    return bound.text if bound else "", [found for found in own.values() if setting_of(found.key).secret]


def _unbound(
    in_force: Mapping[str, Found], layers: Mapping[Level, Mapping[str, Found]], server: str
) -> list[tuple[Found, str]]:
    if not server:
        return []
    unbound = []
    for found in in_force.values():
        setting, level = setting_of(found.key), found.origin.level
        if not setting.secret or level not in _OWN:
            continue
        # A variable is often all that a CI job can set. What it only signs with is of no use to a server.
        if setting.signs and level is Level.ENVIRONMENT:
            continue
        bound = layers[level].get("bound_to")
        if bound is None or bound.text != server:
            unbound.append((found, bound.text if bound else ""))
    return unbound


def _server(in_force: Mapping[str, Found]) -> str:
    parts = []
    for name, found in sorted(in_force.items(), key=lambda item: (item[0] != "url", item[0])):
        if found.origin.level is not Level.PROJECT or not directs(found.key):
            continue
        text = named_server(found.text) if name == "url" else f"{name}={shown(found.key, found.text)}"
        parts += [text] if text else []
    return ", ".join(parts)


def named_server(url: str) -> str:
    """Scheme and host of a URL; empty for one that names no host, but a bucket at a provider, or a directory."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    scheme = parts.scheme.lower()
    before, at, host = parts.netloc.rpartition("@")
    if not scheme or "://" not in url or (scheme in _WITHOUT_HOST and not (at and before)):
        return ""
    return f"{scheme}://{host.lower()}" if host else ""


def _scheme(in_force: Mapping[str, Found]) -> str:
    url = in_force.get("url")
    return url.text.partition("://")[0].lower() if url else ""


def _takes_what_it_finds(in_force: Mapping[str, Found]) -> bool:
    """Without credentials that are configured, and unless none are to be sent."""
    anonymous = in_force.get("allow_anonymous_login")
    if anonymous is not None and is_true(anonymous.text):
        return False
    return not any(setting_of(found.key).secret for found in in_force.values())


def _matters(found: Found) -> bool:
    return directs(found.key) or needs_trust(found.key, found.text)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"
