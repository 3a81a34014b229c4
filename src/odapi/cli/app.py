"""The shape of every command: plain help that fits, and errors that name the option.

Help is plain text, not markup: brackets, as in `pip install 'odapi[beam]'`, are kept,
words are never cut, and a pipe gets no frames.
"""

import re
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from odapi.cli import original_flags, original_programs

_HELP_COLUMN = 30  # Longest option beside which its help starts.


# The names that typer gives types of options, in its versions, and ours.
_TYPES = (
    (re.compile(r"<list\[(\w+)\]>"), r"<\1>"),
    (re.compile(r"<int( range)?>|INTEGER( RANGE)?"), "N"),
    (re.compile(r"<float( range)?>|FLOAT( RANGE)?"), "NUMBER"),
    (re.compile(r"<path>", re.IGNORECASE), "PATH"),
    (re.compile(r"<str>"), "TEXT"),
)

_UNDERSCORED = re.compile(r",? --\w+_\w+")  # A second spelling, left out of help.

_BaseFormatter: Any = typer.Context.formatter_class


class Formatter(_BaseFormatter):
    """A formatter that breaks lines at blanks only."""

    def write_text(self, text: str) -> None:
        """Writes paragraphs."""
        indent = " " * self.current_indent
        paragraphs = text.strip().split("\n\n")
        self.write("\n\n".join(_wrapped(p, self.width, indent) for p in paragraphs))
        self.write("\n")

    def write_dl(
        self,
        rows: Sequence[tuple[str, str]],
        col_max: int = _HELP_COLUMN,
        col_spacing: int = 2,
    ) -> None:
        """Writes options or commands with their help."""
        rows = [(_readable(name), text) for name, text in rows]
        widest = min(col_max, max(len(name) for name, _ in rows))
        column = self.current_indent + widest + col_spacing
        margin, indent = " " * self.current_indent, " " * column
        for name, text in rows:
            name = margin + name
            if len(name) > self.width:
                name = name.replace(" / ", f" /\n{margin}")
            body = _wrapped(text, self.width, indent)
            if len(name) + col_spacing > column or not body:
                self.write(f"{name}\n{body}\n" if body else f"{name}\n")
            else:
                self.write(f"{name:<{column}}{body[column:]}\n")


def _readable(option: str) -> str:
    if not option.startswith("-"):  # An argument; its type is that of its help.
        return option.partition(" ")[0]
    for pattern, instead in _TYPES:
        option = pattern.sub(instead, option)
    return _UNDERSCORED.sub("", option).rstrip()


def _wrapped(text: str, width: int, indent: str) -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


class _Help:
    """Mixin of commands and groups."""

    def get_help(self, ctx: Any) -> str:
        """Returns the help text."""
        formatter = Formatter(width=ctx.terminal_width, max_width=ctx.max_content_width)
        self.format_help(ctx, formatter)  # type: ignore[attr-defined]
        return formatter.getvalue().rstrip("\n")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parses arguments; flags of the original are answered with our options."""
        if not ctx.resilient_parsing:
            original_flags.refuse(ctx, args)
        return super().parse_args(ctx, args)  # type: ignore[misc]


class Command(_Help, TyperCommand):
    """A subcommand."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Returns the parts of the line of usage."""
        pieces = super().collect_usage_pieces(ctx)
        return [piece.replace("{", "").replace("}", "") for piece in pieces]


class Group(_Help, TyperGroup):
    """A group of subcommands."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Returns the subcommand; programs of the original are answered with ours."""
        name = args[0]
        instead = original_programs.command_of(name)
        if instead and ctx.parent is None and self.get_command(ctx, name) is None:
            ctx.fail(f"No such command {name!r}. Write instead: {instead}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Writes the subcommands, each with its whole first sentence."""
        commands = {
            name: self.get_command(ctx, name) for name in self.list_commands(ctx)
        }
        rows = [
            (name, command.get_short_help_str(limit=10_000))
            for name, command in commands.items()
            if command is not None and not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class App(typer.Typer):
    """A typer application whose commands have the classes above."""

    def __init__(self, **options: Any):
        super().__init__(
            cls=Group,
            no_args_is_help=True,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
            **options,
        )

    def command(self, name: str | None = None, **options: Any) -> Callable[..., Any]:  # type: ignore[override]
        """Returns a decorator that adds a subcommand."""
        return super().command(name, cls=Command, **options)
