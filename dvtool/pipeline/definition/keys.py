"""Every key of ``dvtool.yaml``: see ``docs/formats/pipeline.md``."""

from __future__ import annotations

import re

from dvtool.errors import UsageError
from dvtool.formats.bytesizes import is_byte_size
from dvtool.formats.config import check_name
from dvtool.formats.durations import is_duration
from dvtool.formats.yamlmarked import Value
from dvtool.pipeline.definition.shapes import Either
from dvtool.pipeline.definition.shapes import JsonSchema
from dvtool.pipeline.definition.shapes import Key
from dvtool.pipeline.definition.shapes import ListOf
from dvtool.pipeline.definition.shapes import MapOf
from dvtool.pipeline.definition.shapes import Plain
from dvtool.pipeline.definition.shapes import Reading
from dvtool.pipeline.definition.shapes import Shape
from dvtool.pipeline.definition.shapes import Table
from dvtool.pipeline.definition.shapes import Text

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MAX_TRIES = 1000


def _not_empty(text: str) -> str | None:
    return "an empty text" if not text.strip() else None


def _duration(data: float | str) -> str | None:
    if isinstance(data, str):
        return None if is_duration(data) else f"{data[:40]!r} is no length of time: write seconds, or 90s, 15m, 12h"
    return None if 0 <= data < 1e9 else "a length of time is not negative"


def _amount(data: float | str) -> str | None:
    if isinstance(data, str):
        return None if is_byte_size(data) else f"{data[:40]!r} is no number and no size: write 2, 0.5 or 4Gi"
    return None if 0 <= data < 1e18 else "a resource is not negative"


def _tries(data: int) -> str | None:
    return None if 0 <= data <= _MAX_TRIES else f"between 0 and {_MAX_TRIES} tries"


def _factor(data: float) -> str | None:
    return None if 1 <= data <= 1000 else "a factor between 1 and 1000"


def _remote(text: str) -> str | None:
    try:
        check_name(text)
    except UsageError as error:
        return error.message
    return None


def _outcome(text: str) -> str | None:
    return None if text in ("fail", "continue") else f"{text[:40]!r}: expected `fail` or `continue`"


def _variable(name: str) -> str | None:
    return None if _VARIABLE.fullmatch(name) else f"{name[:40]!r} is no name of a variable"


TEXT = Text("text", (str,), "string")
FILLED = Text("text", (str,), "string", _not_empty)
FLAG = Plain("true or false", (bool,), "boolean")
WORD = Plain("text, a number or true or false", (str, int, float, bool), ["string", "number", "boolean"])
ANY = Shape()
TIME = Plain("a length of time", (int, float, str), ["number", "string"], _duration)
AMOUNT = Plain("a number or a size", (int, float, str), ["number", "string"], _amount)

_ABOUT = {
    "desc": Key(TEXT, "What it is, in words; for people."),
    "type": Key(TEXT, "What kind of thing it is; for people and catalogues."),
    "labels": Key(ListOf(TEXT, "a list of texts"), "Labels of one's own."),
    "meta": Key(ANY, "Anything; not read."),
}
_OUT = {
    "cache": Key(FLAG, "Keep its bytes in the cache (default true); otherwise only its digest is recorded."),
    "persist": Key(FLAG, "Leave it there while the command runs (default false)."),
    "push": Key(FLAG, "Let `push` upload it (default true)."),
    "remote": Key(Text("the name of a remote", (str,), "string", _remote), "The one remote that it is pushed to."),
    "checkpoint": Key(FLAG, "Has no effect; DVC's old files hold it."),
    **_ABOUT,
}
_PLOT = {
    "template": Key(TEXT, "The plot's template."),
    "x": Key(TEXT, "Field of the x axis."),
    "y": Key(TEXT, "Field of the y axis."),
    "x_label": Key(TEXT, "Label of the x axis."),
    "y_label": Key(TEXT, "Label of the y axis."),
    "title": Key(TEXT, "The plot's title."),
    "header": Key(FLAG, "Whether the file's first line holds the names of its fields."),
}
DEP = Table(
    "a dependency",
    {
        "path": Key(FILLED, "The file that `key`, `lines` or `regex` look into; alone: a file or directory."),
        "glob": Key(FILLED, "All files that match a pattern: `*`, `?`, `[...]`, and `**` for directories."),
        "key": Key(FILLED, "A dotted key of a YAML, JSON, TOML or Python file."),
        "lines": Key(WORD, "Lines of a file: `FIRST-LAST`, from 1; `FIRST-` goes to the end."),
        "regex": Key(FILLED, "The lines of a file that a regular expression matches somewhere."),
        "env": Key(Text("the name of a variable", (str,), "string", _variable), "The value of a variable."),
        "url": Key(FILLED, "What a server says of a URL's version; asked by `repro` alone."),
        "cmd": Key(FILLED, "What a command prints; started by `repro` alone."),
    },
    "dependency",
)
OUT = Table("an output", _OUT, "output")
PLOT_OUT = Table("a plot", {**_OUT, **_PLOT}, "plot")
_VALUES = MapOf(ANY, is_optional=False, any_key=True)
_VARS = ListOf(Either(FILLED, None, _VALUES), "a list of files and mappings")
RETRY = Table(
    "retry",
    {
        "times": Key(Plain("a number of tries", (int,), "integer", _tries), "How many more tries.", required=True),
        "wait": Key(TIME, "Time before the first of them (default 0)."),
        "backoff": Key(
            Plain("a factor", (int, float), "number", _factor), "Each wait is so many times the one before (default 1)."
        ),
    },
)

_STAGE = {
    "cmd": Key(
        Either(FILLED, ListOf(FILLED, "a list of commands", 1)),
        "The command, run by the shell; a list or several lines: one after the other.",
    ),
    "argv": Key(ListOf(WORD, "a list of words", 1), "In place of `cmd`: a program and its arguments, without a shell."),
    "wdir": Key(FILLED, "The directory that it runs in and that all paths are relative to."),
    "deps": Key(ListOf(Either(FILLED, None, DEP), "a list of dependencies"), "What the command reads."),
    "params": Key(
        ListOf(
            Either(FILLED, None, MapOf(ListOf(FILLED, "a list of keys"), is_optional=False)), "a list of keys and files"
        ),
        "Keys of `params.yaml`, or a file with keys of it, or a file with nothing behind it: all of it.",
    ),
    "vars": Key(_VARS, "Further values for `${}` in this stage: files, `FILE:KEY,KEY`, mappings."),
    "outs": Key(ListOf(Either(FILLED, None, MapOf(OUT, is_optional=False)), "a list of outputs"), "What it writes."),
    "metrics": Key(
        ListOf(Either(FILLED, None, MapOf(OUT, is_optional=False)), "a list of outputs"), "Files of metrics it writes."
    ),
    "plots": Key(
        ListOf(Either(FILLED, None, MapOf(PLOT_OUT, is_optional=False)), "a list of outputs"),
        "Data of plots it writes.",
    ),
    "frozen": Key(FLAG, "Do not run it (default false)."),
    "always_changed": Key(FLAG, "Run it every time (default false)."),
    "desc": _ABOUT["desc"],
    "meta": _ABOUT["meta"],
    "env": Key(
        Table("env", {"vars": Key(MapOf(WORD, "variables", key_problem=_variable), "Variables by name.")}),
        "The environment of its command.",
    ),
    "timeout": Key(TIME, "The command is stopped after this time; it has failed then."),
    "retry": Key(
        Either(Plain("a number of tries", (int,), "integer", _tries), None, RETRY), "Try again when the command fails."
    ),
    "on_error": Key(
        Text("`fail` or `continue`", (str,), "string", _outcome, {"enum": ["fail", "continue"]}),
        "`continue`: stages that do not need it run although it failed (default `fail`).",
    ),
    "resources": Key(
        MapOf(AMOUNT, "resources by name"), "Slots and limits: `cpu`, `memory`, `gpu`, and names of your own."
    ),
}
STAGE = Table("a stage", _STAGE, "stage")
MATRIX = Table(
    "a stage",
    {
        "matrix": Key(
            MapOf(Either(FILLED, ListOf(ANY)), "lists by name", is_optional=False),
            "One stage for each combination of values: `${item.NAME}`, `${key}`.",
        ),
        **_STAGE,
    },
    "any_stage",
)
FOREACH = Table(
    "a stage with `foreach`",
    {
        "foreach": Key(
            Either(FILLED, ListOf(ANY), _VALUES),
            "One stage for each entry of a list or mapping: `${item}`, and `${key}` of a mapping.",
            required=True,
        ),
        "do": Key(STAGE, "The stage.", required=True),
    },
    "foreach",
    elsewhere=dict.fromkeys(_STAGE, "it belongs under `do`"),
)


class AnyStage(Shape):
    """A stage, or what makes several."""

    def expected(self) -> str:
        return "a mapping"

    def check(self, value: Value, reading: Reading) -> None:
        kind_of(value).check(value, reading)

    def schema(self) -> JsonSchema:
        branch = {"if": {"required": ["foreach"]}, "then": FOREACH.schema(), "else": MATRIX.schema()}
        return {"type": "object", **branch}


def kind_of(value: Value) -> Table:
    """Which of the three kinds of stages is meant."""
    if type(value.data) is not dict:
        return STAGE
    if "foreach" in value.data or "do" in value.data:
        return FOREACH
    return MATRIX if "matrix" in value.data else STAGE


_AXIS = Either(TEXT, ListOf(TEXT, "a list of fields"), MapOf(Either(TEXT, ListOf(TEXT, "a list of fields"))))
TOP_PLOT = Table(
    "a plot",
    {
        "x": Key(Either(TEXT, None, MapOf(TEXT)), "Field of the x axis, or file and field."),
        "y": Key(_AXIS, "Fields of the y axis, or files and fields."),
        **{name: _PLOT[name] for name in ("x_label", "y_label", "title", "template")},
    },
)
ARTIFACT = Table("an artifact", {"path": Key(FILLED, "The file or directory.", required=True), **_ABOUT})
TOP = Table(
    "dvtool.yaml",
    {
        "vars": Key(_VARS, "Values for `${}`: files, `FILE:KEY,KEY`, mappings. `params.yaml` is read before them."),
        "trusted": Key(
            ListOf(FILLED, "a list of files"),
            "Files whose values may hold anything where `${}` puts them into `cmd`, as if they stood here.",
        ),
        "stages": Key(MapOf(AnyStage(), "stages by name"), "The stages."),
        "params": Key(ListOf(FILLED, "a list of files"), "Files of parameters beyond those that stages name."),
        "metrics": Key(ListOf(FILLED, "a list of files"), "Files of metrics beyond those that stages name."),
        "plots": Key(
            ListOf(Either(FILLED, None, MapOf(Either(None, None, TOP_PLOT, null=True))), "a list of plots"),
            "Plots over any files.",
        ),
        "artifacts": Key(MapOf(ARTIFACT, "artifacts by name"), "Named models and data."),
    },
    elsewhere={"datasets": "dvtool has no `datasets`: put files and URLs under `deps`"},
)

DEFINITIONS = (DEP, OUT, PLOT_OUT, STAGE, MATRIX, FOREACH)
"""The tables that stand in several places."""
