"""Dependencies that only a run may look at: what a command prints, what a server says of a URL."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dvtool.errors import ConfigError
from dvtool.errors import StageFailed
from dvtool.errors import StorageError
from dvtool.formats.lock import Content
from dvtool.hashing.digests import object_id
from dvtool.model.digest import as_digest
from dvtool.model.paths import show
from dvtool.model.pointer import Kind
from dvtool.pipeline.process import shell_words
from dvtool.pipeline.types import Dep
from dvtool.pipeline.types import DepKind

if TYPE_CHECKING:
    from email.message import Message

_SECONDS = 60.0
_SHOWN = 300
_MOST_BYTES = 64 << 20


class Evaluator:
    """Starts commands in *root* and asks servers; each question once."""

    def __init__(self, root: bytes, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = environ
        self._known: dict[str, Content | None] = {}

    def __call__(self, dep: Dep) -> Content | None:
        """What the dependency comes to; None for a URL that is not there.

        Raises `StageFailed` for a command that fails, `StorageError` for a server that gives no answer, `ConfigError`.
        """
        if dep.name not in self._known:
            text = self._printed(dep) if dep.kind is DepKind.COMMAND else self._version(dep)
            content = None if text is None else Content(Kind.FILE, as_digest(object_id(text)), len(text))
            self._known[dep.name] = content
        return self._known[dep.name]

    def _printed(self, dep: Dep) -> bytes:
        from dvtool.disk.processes import Command
        from dvtool.disk.processes import Processes

        environ = {os.fsencode(name): os.fsencode(value) for name, value in self._environ.items()}
        words = [os.fsencode(word) for word in shell_words(dep.detail, self._environ)]
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors, Processes() as processes:
            processes.start(Command(words, self._root, environ, out.fileno(), errors=errors.fileno()))
            ended = processes.wait(None)
            out.seek(0)
            errors.seek(0)
            if ended is None or ended.code:
                said = errors.read(_SHOWN).decode("utf-8", "replace").strip()
                raise StageFailed(
                    f"{_place(dep)}: the dependency `{dep.detail}` failed" + (f": {said}" if said else ""),
                    path=dep.at.file,
                    hint="run it by hand in the project's top directory",
                )
            return out.read(_MOST_BYTES)

    def _version(self, dep: Dep) -> bytes | None:
        from urllib.error import HTTPError
        from urllib.error import URLError
        from urllib.request import Request
        from urllib.request import urlopen

        if not dep.detail.startswith(("http://", "https://")):
            raise ConfigError(f"{_place(dep)}: {dep.detail}: only http and https can be asked", path=dep.at.file)
        request = Request(dep.detail, method="HEAD", headers={"User-Agent": "dvtool", "Accept-Encoding": "identity"})  # noqa: S310
        try:
            with urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return version_text(answer.headers, dep)
        except HTTPError as error:
            if error.code in (404, 410):
                return None
            raise StorageError(f"{dep.detail}: the server answered {error.code} {error.reason}") from error
        except (URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise StorageError(
                f"{dep.detail}: no answer: {reason}", hint="check the address and the network"
            ) from error


def version_text(headers: Message, dep: Dep) -> bytes:
    """The strong entity tag, else size and time of change. Raises `ConfigError` where the server says neither."""
    tag = headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag.encode("utf-8", "replace")
    size, changed = headers.get("Content-Length"), headers.get("Last-Modified")
    if size is None or changed is None:
        raise ConfigError(
            f"{_place(dep)}: the server of {dep.detail} does not tell versions apart",
            path=dep.at.file,
            hint="fetch it in a stage that is `always_changed`",
        )
    return f"{size} {changed}".encode("utf-8", "replace")


def _place(dep: Dep) -> str:
    return f"{show(dep.at.file)}:{dep.at.line}"
