"""Output of the subcommands: tables for people, one JSON document for programs.

Exit codes of every subcommand: 0 done, 1 failed, 2 wrong usage.
"""

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

PIPE_WIDTH = 100  # Columns of a table that is not printed to a terminal.


def print_json(content: Any) -> None:
    """Prints one JSON document to standard output."""
    import json

    typer.echo(json.dumps(content, indent=2, ensure_ascii=False, default=str))


def table(*columns: str, title: str = "") -> "Table":
    """Returns a table without frame whose cells fold instead of being cut."""
    from rich import box
    from rich.table import Table

    made = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        title=title or None,
        title_justify="left",
    )
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def print_table(shown: "Table") -> None:
    """Prints a table to standard output."""
    from odapi.progress import console

    output = console(stderr=False, soft_wrap=False, log_width=PIPE_WIDTH)
    if output.is_terminal:
        output.print(shown)
        return
    with output.capture() as captured:
        output.print(shown)
    for line in captured.get().splitlines():  # Without the padding of the last column.
        typer.echo(line.rstrip())


def plain(text: str) -> str:
    """Returns text for a cell, with brackets that are no markup."""
    from rich.markup import escape

    return escape(text)
