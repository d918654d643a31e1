"""What all verbs share: options that work before and after the verb, and the ends of the help pages."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from dvtool.cli.exitcodes import MEANINGS
from dvtool.cli.session import Session
from dvtool.errors import UsageError
from dvtool.ui.terminal import WHENS

if TYPE_CHECKING:
    _ParamType = click.ParamType[bytes]
    _IntType = click.ParamType[int]
else:
    # Generic only in newer versions of click.
    _ParamType = _IntType = click.ParamType

HELP_NAMES = ["-h", "--help"]
Function = TypeVar("Function", bound=Callable[..., Any])


class Page(click.Command):
    """The common options of a verb, and a help page with examples and exit status at its end."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        kwargs["context_settings"] = {"help_option_names": HELP_NAMES}
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self._common: list[click.Parameter] | None = None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            # click leaves it out for an option without its argument; the hint needs it.
            error.ctx = error.ctx or ctx
            raise

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return super().get_params(ctx) + self._common_params(ctx)

    def _common_params(self, ctx: click.Context) -> list[click.Parameter]:
        # click asks several times in one run, and compares parameters by identity.
        if self._common is None:
            self._common = common_options(super().get_params(ctx))
        return self._common

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _show_help
        return option

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)
        _write_options(ctx, formatter, "Options", super().get_params(ctx))
        _write_options(ctx, formatter, "Common options", self._common_params(ctx))

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(formatter, self.examples)
        write_exit_status(formatter)


class VerbCommand(Page):
    """A verb."""


_FEW = 12


class VerbGroup(Page, click.Group):
    """A verb with verbs below it (``remote add``)."""

    command_class = VerbCommand
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """What to say about verbs that other tools have."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            names = self.list_commands(ctx)
            listed = f"one of: {', '.join(names)}" if len(names) <= _FEW else "a verb, such as add, status or push"
            raise UsageError(f"{ctx.command_path} needs {listed}", hint=f"see `{ctx.command_path} --help`")
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-") and not ctx.resilient_parsing:
            raise unknown_verb(ctx.command_path, name, self.list_commands(ctx), self.elsewhere.get(name))
        return super().resolve_command(ctx, args)


def verb(name: str, *, examples: Sequence[str]) -> Callable[[Callable[..., Any]], VerbCommand]:
    """Decorator of a verb's function; see `dvtool.cli.verbs` for the pattern."""
    return click.command(name, cls=VerbCommand, examples=examples)


def verb_group(name: str, *, examples: Sequence[str], **settings: Any) -> Callable[[Callable[..., Any]], VerbGroup]:
    """Decorator of the function of a verb that has verbs below it."""
    return click.group(name, cls=VerbGroup, examples=examples, **settings)


def unknown_verb(before: str, name: str, known: Sequence[str], instead: str | None = None) -> UsageError:
    """The error for a verb that does not exist, with what does the same or the nearest that does."""
    if instead is not None:
        return UsageError(f"{before} has no verb {name!r}", hint=instead)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean `{before} {near[0]}`?" if near else f"see `{before} --help`"
    return UsageError(f"{before} has no verb {name!r}", hint=hint)


def json_option(function: Function) -> Function:
    """``--json``: the function gets ``as_json``."""
    return click.option(
        "--json", "as_json", is_flag=True, is_eager=True, callback=_set_json, help="Print the result as JSON."
    )(function)


class PathArgument(_ParamType):
    """A path from the command line, as bytes, exactly as it was given."""

    name = "path"

    def convert(self, value: Any, _param: click.Parameter | None, _ctx: click.Context | None) -> bytes:
        return value if isinstance(value, bytes) else os.fsencode(value)

    def shell_complete(self, _ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The shell knows files best."""
        return [CompletionItem(incomplete, type="file")]


PATH = PathArgument()


class ByteSize(_IntType):
    """A number of bytes as people write it, at least one."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from dvtool.formats.bytesizes import parse_byte_size

        try:
            size = value if isinstance(value, int) else parse_byte_size(value)
        except UsageError as error:
            self.fail(f"{error.message}: {error.hint}", param, ctx)
        if size < 1:
            self.fail("0 bytes are no limit", param, ctx)
        return size


BYTE_SIZE = ByteSize()


def common_options(own: Sequence[click.Parameter]) -> list[click.Parameter]:
    """The options that every verb takes, without the names that *own* uses already."""
    taken = {name for param in own for name in (*param.opts, *param.secondary_opts)}
    options: list[click.Parameter] = []
    for names, settings in _COMMON:
        free = [name for name in names if name not in taken]
        if any(name.startswith("--") for name in free):
            options.append(
                click.Option(
                    [*free, f"common_{names[-1].strip('-').replace('-', '_')}"], expose_value=False, **settings
                )
            )
    return options


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """The ``Examples:`` block, lines as they are."""
    if examples:
        with formatter.section("Examples"):
            for example in examples:
                formatter.write(f"{'':{formatter.current_indent}}{example}\n")


def write_exit_status(formatter: click.HelpFormatter) -> None:
    """The ``Exit status:`` block, the same on every page."""
    with formatter.section("Exit status"):
        formatter.write_dl(list(MEANINGS.items()))


def _write_options(
    ctx: click.Context, formatter: click.HelpFormatter, title: str, params: Sequence[click.Parameter]
) -> None:
    # Newer versions of click have records for arguments too; the usage line names them already.
    options = [param for param in params if isinstance(param, click.Option)]
    records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


def _show_help(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    # By way of the session: click's own `echo` would not know whose pipe was closed.
    if value and not ctx.resilient_parsing:
        _session(ctx).lines((ctx.get_help(),))
        ctx.exit()


def _set_json(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    if value:
        _session(ctx).asked_json = True
    return value


def _set_quiet(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        _session(ctx).quiet = True


def _set_verbose(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        _session(ctx).verbose = True


def _set_no_wait(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        _session(ctx).no_wait = True


def _set_color(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
    if value is not None:
        _session(ctx).color = value


def _set_progress(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        _session(ctx).progress = False


def _enter(ctx: click.Context, _param: click.Parameter, value: bytes | None) -> None:
    if value is not None and not ctx.resilient_parsing:
        _session(ctx).enter(value)


def _session(ctx: click.Context) -> Session:
    session = ctx.find_object(Session)
    assert session is not None
    return session


_COMMON: tuple[tuple[tuple[str, ...], Mapping[str, Any]], ...] = (
    (("-q", "--quiet"), {"is_flag": True, "callback": _set_quiet, "help": "Only results and errors."}),
    (("-v", "--verbose"), {"is_flag": True, "callback": _set_verbose, "help": "Say more, and show every cause."}),
    (("-C", "--cd"), {"type": PATH, "metavar": "DIR", "callback": _enter, "help": "Run as if started in DIR."}),
    (
        ("--color",),
        {"type": click.Choice(WHENS), "metavar": "WHEN", "callback": _set_color, "help": "auto, always or never."},
    ),
    (("--no-progress",), {"is_flag": True, "callback": _set_progress, "help": "Show no progress."}),
    (
        ("--no-wait",),
        {"is_flag": True, "callback": _set_no_wait, "help": "Fail at once (exit 5) where another command is at work."},
    ),
)
