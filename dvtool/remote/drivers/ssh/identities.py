"""Which keys are offered to a server: `keyfile` of the remote, else those of `~/.ssh/config`, else the usual ones."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from dvtool.errors import ConfigError
from dvtool.remote.drivers.ssh.options import SshOptions

_USUAL = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")


@dataclass(frozen=True, slots=True)
class Identities:
    """``files``: private keys. ``agent``: the socket of an agent; ``of_agent``: the only keys to take from it, as
    public key files. ``words`` says it all to the user."""

    files: tuple[str, ...]
    agent: str | None
    of_agent: tuple[str, ...]
    words: tuple[str, ...]


def identities(remote: str, options: SshOptions, configured: Sequence[str], agent: str | None) -> Identities:
    """What to offer. *configured*: the files that `~/.ssh/config` names. Raises `ConfigError` for a bad `keyfile`."""
    if options.keyfile is not None:
        return _given(remote, options, options.keyfile, agent)
    files = [expanded(file, options.home) for file in configured]
    if not files and options.home:
        files = [os.path.join(options.home, ".ssh", name) for name in _USUAL]
    usable = tuple(file for file in files if _state(file, options.passphrase) in ("good", "encrypted"))
    words = (*(("the ssh agent",) if agent else ()), *usable)
    return Identities(usable, agent, (), words)


def expanded(file: str, home: str | None) -> str:
    """*file* with the user's home in place of ``~``."""
    return os.path.join(home, file[2:]) if home and file.startswith("~/") else file


def _given(remote: str, options: SshOptions, file: str, agent: str | None) -> Identities:
    state = _state(file, options.passphrase)
    words = (f"keyfile {file}",)
    if state == "good":
        # An agent with many keys would use up the server's patience before this one's turn.
        return Identities((file,), None, (), words)
    if state == "encrypted" and agent and not options.passphrase:
        public = f"{file}.pub"
        return Identities((), agent, (public,) if os.path.isfile(public) else (), (*words, "from the ssh agent"))
    if state == "encrypted":
        why = "cannot be opened with that passphrase" if options.passphrase else "is encrypted, and no agent runs"
        hint = f"`ssh-add {file}`, or `dvtool remote modify --local {remote} passphrase ...`"
        raise ConfigError(f"remote {remote}: keyfile {file} {why}", hint=hint)
    hint = f"`dvtool remote modify --local {remote} keyfile PATH` names a private key"
    raise ConfigError(f"remote {remote}: keyfile {file} {state}", hint=hint)


def _state(file: str, passphrase: str | None) -> str:
    """``good``, ``encrypted`` (not with this *passphrase*), or what else is wrong with it."""
    import asyncssh

    try:
        asyncssh.read_private_key(file, passphrase)
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except asyncssh.KeyEncryptionError:
        return "encrypted"
    except asyncssh.KeyImportError as error:
        return "encrypted" if "assphrase" in str(error) else "is no private key"
    return "good"
