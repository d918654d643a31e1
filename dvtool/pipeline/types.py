"""The nouns of pipelines, as frozen values.

Paths are relative to the project's root. A stage is named by its address: ``train`` in the root's
``dvtool.yaml``, ``models/dvtool.yaml:train`` elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from enum import Enum
from typing import NamedTuple

from dvtool.formats.lock import Content
from dvtool.formats.lock import Json
from dvtool.model.paths import DEFINITION_NAME


class Mark(NamedTuple):
    """Where something stands in a definition: file, line and column from 1."""

    file: bytes
    line: int
    column: int


class DepKind(Enum):
    """What a dependency is on. The text of each member is the key in ``dvtool.yaml``."""

    PATH = "path"
    GLOB = "glob"
    KEY = "key"
    LINES = "lines"
    REGEX = "regex"
    ENV = "env"
    URL = "url"
    COMMAND = "cmd"


@dataclass(frozen=True, slots=True)
class Dep:
    """One dependency. ``path``: a file or directory, or the pattern of a glob; empty for `ENV`, `URL` and `COMMAND`.

    ``detail``: the dotted key, the range ``FIRST-LAST``, the regular expression, the name of the variable, the URL, or
    the command.
    """

    kind: DepKind
    path: bytes
    detail: str
    at: Mark

    @property
    def name(self) -> str:
        """How the dependency is called in locks and messages; unique within a stage."""
        if self.kind is DepKind.PATH:
            return self.path.decode("utf-8", "surrogateescape")
        if self.kind in (DepKind.ENV, DepKind.URL, DepKind.COMMAND):
            return f"{self.kind.value}:{self.detail}"
        path = self.path.decode("utf-8", "surrogateescape")
        return f"glob:{path}" if self.kind is DepKind.GLOB else f"{path}#{self.kind.value}:{self.detail}"


@dataclass(frozen=True, slots=True)
class ParamsDep:
    """Parameters of one file: the dotted ``keys``, or all of the file where there are none."""

    file: bytes
    keys: tuple[str, ...]
    at: Mark


class OutKind(Enum):
    """Under which key of a stage an output stands."""

    OUT = "outs"
    METRIC = "metrics"
    PLOT = "plots"


@dataclass(frozen=True, slots=True)
class Out:
    """One output. ``cache``: its bytes go into the store (else only its digest is recorded). ``persist``: it is still
    there while the command runs. ``push``: it goes to remotes, or to ``remote`` alone."""

    path: bytes
    kind: OutKind
    at: Mark
    cache: bool = True
    persist: bool = False
    push: bool = True
    remote: str | None = None
    about: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retry:
    """``times`` more tries; ``wait`` seconds before the first of them, then ``backoff`` times as long each time."""

    times: int = 0
    wait: float = 0.0
    backoff: float = 1.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One command with what it reads and writes, after ``${}``, ``foreach`` and ``matrix`` were worked out.

    ``commands`` run in turn through the shell, or ``argv`` without one (exactly one of the two is empty).
    ``group``: the name before ``@`` of a stage that ``foreach`` or ``matrix`` made, else empty. ``resources``: slots
    and limits by name: ``cpu`` (processors), ``memory`` (bytes), ``gpu``, own names. ``uses``: values of files that
    went into it through ``${}``; no dependencies, for what they change is in the stage itself.
    """

    file: bytes
    name: str
    at: Mark
    commands: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    wdir: bytes = b""
    deps: tuple[Dep, ...] = ()
    params: tuple[ParamsDep, ...] = ()
    outs: tuple[Out, ...] = ()
    frozen: bool = False
    always_changed: bool = False
    group: str = ""
    desc: str = ""
    meta: Json = None
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    retry: Retry = Retry()
    go_on: bool = False
    resources: Mapping[str, float] = field(default_factory=dict)
    uses: tuple[ParamsDep, ...] = ()

    @property
    def address(self) -> str:
        return address_of(self.file, self.name)


@dataclass(frozen=True, slots=True)
class Definition:
    """One ``dvtool.yaml``. ``params``, ``metrics``: files of the top level; ``plots``, ``artifacts``: as written."""

    file: bytes
    stages: tuple[Stage, ...]
    params: tuple[bytes, ...] = ()
    metrics: tuple[bytes, ...] = ()
    plots: tuple[Json, ...] = ()
    artifacts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """What a stage's inputs and outputs are now. None: not there. A dependency that only `repro` may evaluate (`URL`,
    `COMMAND`) is absent from ``deps`` where it was not evaluated."""

    deps: Mapping[str, Content | None]
    params: Mapping[bytes, Mapping[str, Json]]
    outs: Mapping[bytes, Content | None]


class Action(Enum):
    """What is to be done with a stage."""

    RUN = "run"
    RESTORE = "restore"
    SKIP = "skip"
    MAY_RUN = "may run"
    BLOCKED = "blocked"


class Because(Enum):
    """Why. Each is one sentence in `dvtool.ui`."""

    UNCHANGED = "unchanged"
    NEVER_RAN = "never ran"
    FORCED = "forced"
    ALWAYS = "always_changed"
    FROZEN = "frozen"
    COMMAND_CHANGED = "command changed"
    DEP_CHANGED = "dependency changed"
    DEP_ADDED = "dependency added"
    DEP_REMOVED = "dependency removed"
    DEP_MISSING = "dependency missing"
    DEP_UNCHECKED = "dependency not checked"
    PARAM_CHANGED = "parameter changed"
    PARAM_ADDED = "parameter added"
    PARAM_REMOVED = "parameter removed"
    OUT_CHANGED = "output changed"
    OUT_MISSING = "output missing"
    OUT_ADDED = "output added"
    OUT_REMOVED = "output removed"
    RUN_CACHED = "known from an earlier run"
    UPSTREAM_RUNS = "an earlier stage runs"
    UPSTREAM_FAILED = "an earlier stage failed"


class Reason(NamedTuple):
    """``subject``: a dependency's name, ``file:key`` of a parameter, an output's path, or a stage's address.
    ``before``, ``after``: values as JSON text or digests, where there are any."""

    because: Because
    subject: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done with one stage, and every reason, the weightiest first."""

    stage: str
    action: Action
    reasons: tuple[Reason, ...]


def address_of(file: bytes, name: str) -> str:
    """``name`` in the root's definition, ``dir/dvtool.yaml:name`` elsewhere."""
    return name if file == DEFINITION_NAME else f"{file.decode('utf-8', 'surrogateescape')}:{name}"
